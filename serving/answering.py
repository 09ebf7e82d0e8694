"""What an artifact's own file says of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import artifact
from zoo.contract import LOGITS
from zoo.data.pictures import Pictures
from zoo.data.pipeline import pixel_batches
from zoo.serving.runner import open_runner

BATCH = 64


def answers(folder: Path, pictures: Pictures) -> np.ndarray:
    """float32 logits [n, classes] of every picture, in order, by ONNX where the artifact has it.

    Raises:
        ZooError: there is no artifact at `folder`.
        Refused: it is damaged.
    """
    manifest = artifact.read(folder)
    runner = open_runner(folder, artifact.first_format(manifest))
    batches = pixel_batches(pictures, manifest.model.preprocessing, batch_size=BATCH)
    return np.concatenate([runner(pixels)[LOGITS] for pixels, _ in batches])
