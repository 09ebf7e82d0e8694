"""Descriptions of earlier schemas, brought to the present one: runs and artifacts stay readable when names change.

Schema 2 (0.2.0) has the field's own names: image, std, license, and timm's `crop_pct` and `resize_mode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.errors import ZooError

SCHEMA = 2
"""The schema of `run.json` and `manifest.json` that this version writes."""

_PREPROCESSING = {"crop": "crop_pct", "deviation": "std", "scaling": "resize_mode"}
_RESIZE_MODES = {"cover": "shortest", "stretch": "squash"}
_LICENSE = {"licence": "license"}
_IMAGES = {"pictures": "images", "calibration_pictures": "calibration_images"}


def migrated(values: Any, path: str, mend: str) -> Any:
    """The values of a `run.json` or `manifest.json` of any known schema, in the present one.

    Raises:
        ZooError: the values are of a schema that this version does not know; `mend` says how to get others.
    """
    schema = values.get("schema") if isinstance(values, dict) else None
    if schema == SCHEMA:
        return values
    if schema != 1:
        raise ZooError(f"{path} is not of schema 1 or {SCHEMA}: {mend}")
    values = _renamed(values, _LICENSE) | {"schema": SCHEMA}
    for key in ("data", "weights", "initial"):
        values = _changed(values, key, lambda part: _renamed(part, _LICENSE))
    values = _changed(values, "model", lambda model: _changed(model, "preprocessing", preprocessing))
    values = _changed(values, "recipe", _recipe)
    values = _changed(values, "accuracy", _accuracy)
    return _changed(values, "int8", _int8)


def preprocessing(values: Any) -> Any:
    """A preprocessing of schema 1 or 2, as in an ONNX file's `metadata_props`, in the present schema."""
    return _changed(_renamed(values, _PREPROCESSING), "resize_mode", lambda mode: _RESIZE_MODES.get(mode, mode))


def _recipe(values: Any) -> Any:
    values = _renamed(values, {"picture": "image"})
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if key != "export"}  # it decided nothing
    return _changed(values, "image", lambda image: _renamed(image, {"crop": "crop_pct"}))


def _accuracy(values: Any) -> Any:
    return {name: _renamed(one, _IMAGES) for name, one in values.items()} if isinstance(values, dict) else values


def _int8(values: Any) -> Any:
    values = _renamed(values, _IMAGES)
    for split in ("validation", "test"):
        values = _changed(values, split, lambda paired: _renamed(paired, _IMAGES))
    return values


def _renamed(values: Any, names: Mapping[str, str]) -> Any:
    """A dictionary with other keys; whatever else stands where one belongs is left to the schema to refuse."""
    return {names.get(key, key): value for key, value in values.items()} if isinstance(values, dict) else values


def _changed(values: Any, key: str, change: Any) -> Any:
    if not isinstance(values, dict) or values.get(key) is None:
        return values
    return values | {key: change(values[key])}
