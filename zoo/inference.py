"""What a run's network says of images, by Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import factory, run
from zoo.data.dataset import Images
from zoo.data.pipeline import evaluation_batches
from zoo.keras_settings import own_settings

BATCH = 64


@own_settings()
def answers(folder: Path, images: Images) -> np.ndarray:
    """float32 logits [n, classes] of every image, in order.

    Raises:
        ZooError: there is no finished run at `folder`, or it is damaged.
    """
    model = factory.load(folder)
    preprocessing = run.read_finished(folder).model.preprocessing
    batches = evaluation_batches(images, preprocessing, batch_size=BATCH)
    logits = np.concatenate([model(batch, training=False).numpy() for batch, _, _ in batches])
    return logits[: len(images)]
