"""The logits of a run's network, computed with Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import factory, run
from zoo.data.dataset import Images
from zoo.data.pipeline import evaluation_batches
from zoo.keras_settings import own_settings

BATCH = 64
"""Images in a batch."""


@own_settings()
def logits(folder: Path, images: Images) -> np.ndarray:
    """Return the float32 logits [images, classes] of all images, in their order.

    Raises:
        ZooError: there is no finished run at `folder`, or it is damaged.
    """
    model = factory.load(folder)
    preprocessing = run.read_finished(folder).model.preprocessing
    batches = evaluation_batches(images, preprocessing, batch_size=BATCH)
    found = np.concatenate([model(batch, training=False).numpy() for batch, _, _ in batches])
    return found[: len(images)]  # the last batch is filled up with empty images
