"""Labels and probabilities of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.artifact import first_format, read
from zoo.contract import PROBABILITIES
from zoo.data.folder import LARGEST_FILE, visible
from zoo.errors import Refused, ZooError
from zoo.preprocess import Preprocessing, pixels_from_bytes
from zoo.serving.runner import open_runner

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
"""What counts as a picture in a folder; a file that is named is tried whatever it is called."""

BATCH = 32
"""Pictures answered at a time: enough to be fast, few enough for any number of pictures to fit into memory."""


@dataclass(frozen=True)
class Prediction:
    """What a picture shows: the likeliest labels with their probabilities, in falling order."""

    path: Path
    labels: list[tuple[str, float]]


def predict(artifact: Path, pictures: Sequence[Path], *, top: int = 5, runtime: str | None = None) -> list[Prediction]:
    """The `top` likeliest labels of each picture, or all where there are fewer.

    By `runtime`, which is a format of the artifact; when not given, by ONNX or else by the SavedModel.

    A folder stands for its own JPEG, PNG, BMP and GIF files, in natural order.

    Raises:
        ZooError: there is no artifact or no picture, a picture cannot be read, `top` is below 1, or the artifact
            lacks the runtime.
        Refused: the artifact is damaged.
    """
    if top < 1:
        raise ZooError(f"--top {top} would show nothing: ask for at least 1")
    manifest = read(artifact)
    paths = [path for named in pictures for path in _expand(named)]
    if not paths:
        raise ZooError("there is nothing to predict: name pictures, or a folder of them")
    runner = open_runner(artifact, runtime or first_format(manifest))
    predictions = []
    for start in range(0, len(paths), BATCH):
        batch = paths[start : start + BATCH]
        pixels = np.stack([_pixels(path, manifest.model.preprocessing) for path in batch])
        probabilities = runner(pixels)[PROBABILITIES]
        if not np.isfinite(probabilities).all():
            raise Refused(f"{artifact} answers with numbers that are not finite: export again")
        predictions += [
            Prediction(path, _likeliest(row, manifest.model.labels, top))
            for path, row in zip(batch, probabilities, strict=True)
        ]
    return predictions


def _likeliest(probabilities: np.ndarray, labels: Sequence[str], top: int) -> list[tuple[str, float]]:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [(labels[index], float(probabilities[index])) for index in order]


def _expand(named: Path) -> list[Path]:
    """The picture itself, or those of a folder."""
    if named.is_file():
        return [named]
    if not named.is_dir():
        raise ZooError(f"there is no picture at {named}: name a file, or a folder of pictures")
    found = [path for path in visible(named) if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not found:
        raise ZooError(f"{named} holds no JPEG, PNG, BMP or GIF: name pictures, or the folder that they lie in")
    return found


def _pixels(path: Path, preprocessing: Preprocessing) -> np.ndarray:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ZooError(f"{size} bytes are more than {LARGEST_FILE}")
        return pixels_from_bytes(path.read_bytes(), preprocessing)
    except (ZooError, OSError) as error:
        raise ZooError(f"{path} cannot be read as a picture: {error}") from None
