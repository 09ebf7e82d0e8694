"""Predictions: the likeliest labels of image files, with their probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo import formats
from zoo.artifact import read
from zoo.contract import PROBABILITIES
from zoo.errors import Refused, ZooError
from zoo.folder_kinds import kind, mistaken
from zoo.inputs.image.image_files import read_image_file, reason_for_no_image, visible_entries
from zoo.inputs.image.preprocessing import Preprocessing, pixels_from_bytes
from zoo.serving.runner import open_runner

BATCH = 32
"""Images in a batch: enough to be fast, few enough that memory suffices for any number of images."""


@dataclass(frozen=True)
class Prediction:
    """The likeliest labels of an image file with their probabilities, in falling order."""

    path: Path
    labels: list[tuple[str, float]]


def predict(
    artifact: Path,
    images: Sequence[Path],
    *,
    top: int = 5,
    runtime: str | None = None,
    leave_out: Callable[[Path, str], None] = lambda path, reason: None,
) -> list[Prediction]:
    """Predict the likeliest labels of images.

    Args:
        artifact: its folder.
        images: image files, and folders of them. A folder stands for the image files in it, whatever their names, in
            natural order.
        top: how many labels each image gets; all of them where there are fewer.
        runtime: the format, or another runtime, that computes them; ONNX where the artifact has it when None.
        leave_out: told of each visible entry of a folder that is no image, with the reason.

    Raises:
        ZooError: there is no artifact or no image, an image cannot be read, `top` is below 1, or the artifact
            lacks the runtime.
        Refused: the artifact is damaged.
    """
    if top < 1:
        raise ZooError(f"--top {top} would show nothing: ask for at least 1")
    manifest = read(artifact)
    paths = [path for named in images for path in _expand(named, leave_out)]
    if not paths:
        raise ZooError("there is nothing to predict: name images, or a folder of them")
    runner = open_runner(artifact, runtime or formats.preferred(manifest.formats).name)
    predictions = []
    for start in range(0, len(paths), BATCH):
        batch = paths[start : start + BATCH]
        pixels = np.stack([_pixels(path, manifest.model.preprocessing) for path in batch])
        probabilities = runner(pixels)[PROBABILITIES]
        if not np.isfinite(probabilities).all():
            raise Refused(f"{artifact} computes probabilities that are not finite: export again")
        predictions += [
            Prediction(path, _likeliest(row, manifest.model.labels, top))
            for path, row in zip(batch, probabilities, strict=True)
        ]
    return predictions


def _likeliest(probabilities: np.ndarray, labels: Sequence[str], top: int) -> list[tuple[str, float]]:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [(labels[index], float(probabilities[index])) for index in order]


def _expand(named: Path, leave_out: Callable[[Path, str], None]) -> list[Path]:
    """The image files that a named path stands for: itself, or those of a folder."""
    if named.is_file():
        return [named]
    if not named.is_dir():
        raise ZooError(f"there is no image at {named}: name a file, or a folder of images")
    found_kind = kind(named)
    if found_kind == "artifact":
        raise ZooError(f"{named} is a second artifact: name one, and images after it")
    if found_kind:
        raise ZooError(mistaken(named, "artifact") or "")
    entries = visible_entries(named)
    reasons = {entry: "a folder" if entry.is_dir() else reason_for_no_image(entry) for entry in entries}
    found = [entry for entry in entries if reasons[entry] is None]
    if not found:
        raise ZooError(
            mistaken(named, "artifact")
            or f"{named} holds no JPEG, PNG, BMP or GIF: name images, or the folder that they lie in"
        )
    for entry, reason in reasons.items():
        if reason is not None:
            leave_out(entry, reason)
    return found


def _pixels(path: Path, preprocessing: Preprocessing) -> np.ndarray:
    try:
        return pixels_from_bytes(read_image_file(path), preprocessing)
    except ZooError as error:
        raise ZooError(f"{path} cannot be read as an image: {error}") from None
