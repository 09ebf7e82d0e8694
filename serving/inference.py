"""What an artifact's own file says of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import artifact
from zoo.contract import LOGITS
from zoo.data.dataset import Images
from zoo.data.pipeline import pixel_batches
from zoo.serving.runner import open_runner

BATCH = 64


def answers(folder: Path, images: Images) -> np.ndarray:
    """float32 logits [n, classes] of every image, in order, by ONNX where the artifact has it.

    Raises:
        ZooError: there is no artifact at `folder`.
        Refused: it is damaged.
    """
    manifest = artifact.read(folder)
    runner = open_runner(folder, artifact.first_format(manifest))
    batches = pixel_batches(images, manifest.model.preprocessing, batch_size=BATCH)
    return np.concatenate([runner(pixels)[LOGITS] for pixels, _ in batches])
