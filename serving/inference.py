"""Logits of a whole set of images, computed by one of an artifact's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import artifact, formats
from zoo.contract import LOGITS
from zoo.data.dataset import Images
from zoo.data.pipeline import pixel_batches
from zoo.serving.runner import open_runner

BATCH = 64


def logits(folder: Path, images: Images) -> np.ndarray:
    """float32 logits [n, classes] of all images in order, by the artifact's preferred format: ONNX where it has it.

    Raises:
        ZooError: there is no artifact at `folder`.
        Refused: it is damaged.
    """
    manifest = artifact.read(folder)
    runner = open_runner(folder, formats.preferred(manifest.formats).name)
    batches = pixel_batches(images, manifest.model.preprocessing, batch_size=BATCH)
    return np.concatenate([runner(pixels)[LOGITS] for pixels, _ in batches])
