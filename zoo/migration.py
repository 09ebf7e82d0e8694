"""Conversion of descriptions from earlier schemas to the present one: old runs and artifacts stay readable.

Schema 2 uses the field's own names: image, std, license, and timm's `crop_pct` and `resize_mode`. Schema 3 has several
kinds of input: a preprocessing and a recipe's section name their kind, and a score names its metric. Schema 4 calls a
precision by its own name, where earlier ones named Keras' dtype policy. Schema 5 adds keys of training methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.errors import ZooError

SCHEMA = 5
"""The schema of `run.json` and `manifest.json` that this version writes."""

_PREPROCESSING = {"crop": "crop_pct", "deviation": "std", "scaling": "resize_mode"}
_RESIZE_MODES = {"cover": "shortest", "stretch": "squash"}
_LICENSE = {"licence": "license"}
_IMAGES = {"pictures": "images", "calibration_pictures": "calibration_images"}
_PRECISIONS = {"mixed_bfloat16": "bfloat16"}


def migrated(values: Any, path: str, mend: str) -> Any:
    """Return the values of a `run.json` or `manifest.json` of any known schema in the present schema.

    Raises:
        ZooError: this version does not know the schema of the values. The message ends with `mend`.
    """
    schema = values.get("schema") if isinstance(values, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise ZooError(f"{path} was written by a later version of zoo (schema {schema}, above {SCHEMA}): update zoo")
    if not isinstance(schema, int) or isinstance(schema, bool) or not 1 <= schema <= SCHEMA:
        raise ZooError(f"{path} is not of a schema from 1 to {SCHEMA}: {mend}")
    for number in range(schema, SCHEMA):
        values = _STEPS[number](values) | {"schema": number + 1}
    return values


def _to_words_of_the_field(values: Any) -> Any:
    values = _renamed(values, _LICENSE)
    for key in ("data", "weights", "initial"):
        values = _changed(values, key, lambda part: _renamed(part, _LICENSE))
    values = _changed(values, "model", lambda model: _changed(model, "preprocessing", _of_schema_2))
    values = _changed(values, "recipe", _recipe)
    values = _changed(values, "accuracy", _accuracy)
    values = _changed(values, "results", lambda results: _renamed(results, {"test_pictures": "test_images"}))
    return _changed(values, "int8", _int8)


def _to_kinds_of_input(values: Any) -> Any:
    values = _changed(values, "model", lambda model: _changed(model, "preprocessing", _image))
    values = _changed(values, "recipe", _sections)
    values = _changed(values, "results", lambda results: _renamed(results, {"test_images": "test_examples"}))
    values = _changed(values, "int8", _int8_examples)
    if isinstance(values.get("accuracy"), dict):
        values = _renamed(values, {"accuracy": "score"})
        values = _changed(values, "score", lambda score: {name: _score(figures) for name, figures in score.items()})
    return values


def _to_precisions(values: Any) -> Any:
    return _changed(
        values,
        "recipe",
        lambda recipe: _changed(recipe, "precision", lambda precision: _PRECISIONS.get(str(precision), precision)),
    )


def _as_it_is(values: Any) -> Any:
    return values


_STEPS = {1: _to_words_of_the_field, 2: _to_kinds_of_input, 3: _to_precisions, 4: _as_it_is}
"""The function that converts each schema to the next."""


def _image(values: Any) -> Any:
    """Name the kind of a preprocessing; up to schema 2, all were of images."""
    return {"kind": "image", **values} if isinstance(values, dict) else values


def _sections(values: Any) -> Any:
    """Merge the sections `image` and `augment`, which a recipe had up to schema 2, into `input`."""
    if not isinstance(values, dict) or not isinstance(values.get("image", {}), dict):
        return values
    rest = {key: value for key, value in values.items() if key not in ("image", "augment")}
    return {**rest, "input": {"kind": "image", **values.get("image", {}), **(values.get("augment") or {})}}


def _score(values: Any) -> Any:
    if not isinstance(values, dict) or "accuracy" not in values:
        return values
    kept = {key: values.get(key) for key in ("low", "high")}
    return {"metric": "accuracy", "value": values["accuracy"], **kept, "examples": values.get("images")}


def _int8_examples(values: Any) -> Any:
    values = _renamed(values, {"calibration_images": "calibration_examples"})
    for split in ("validation", "test"):
        values = _changed(values, split, lambda paired: _renamed(paired, {"images": "examples"}))
    return values


def preprocessing(values: Any) -> Any:
    """Return a preprocessing of any schema, such as an ONNX file's `metadata_props` has, in the present schema."""
    return values if isinstance(values, dict) and "kind" in values else _image(_of_schema_2(values))


def _of_schema_2(values: Any) -> Any:
    return _changed(_renamed(values, _PREPROCESSING), "resize_mode", lambda mode: _RESIZE_MODES.get(mode, mode))


def _recipe(values: Any) -> Any:
    values = _renamed(values, {"picture": "image"})
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if key != "export"}  # `export` had no effect
    return _changed(values, "image", lambda image: _renamed(image, {"crop": "crop_pct"}))


def _accuracy(values: Any) -> Any:
    return (
        {name: _renamed(figures, _IMAGES) for name, figures in values.items()} if isinstance(values, dict) else values
    )


def _int8(values: Any) -> Any:
    values = _renamed(values, _IMAGES)
    for split in ("validation", "test"):
        values = _changed(values, split, lambda paired: _renamed(paired, _IMAGES))
    return values


def _renamed(values: Any, names: Mapping[str, str]) -> Any:
    """Rename keys of a dictionary; any other value is returned unchanged, for the schema to refuse."""
    return {names.get(key, key): value for key, value in values.items()} if isinstance(values, dict) else values


def _changed(values: Any, key: str, change: Any) -> Any:
    if not isinstance(values, dict) or values.get(key) is None:
        return values
    return values | {key: change(values[key])}
