"""What a run's network says of pictures, by Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import building, run
from zoo.data.pictures import Pictures
from zoo.data.pipeline import evaluation_batches
from zoo.keras_settings import own_settings

BATCH = 64


@own_settings()
def answers(folder: Path, pictures: Pictures) -> np.ndarray:
    """float32 logits [n, classes] of every picture, in order.

    Raises:
        ZooError: there is no finished run at `folder`, or it is damaged.
    """
    model = building.load(folder)
    preprocessing = run.read_finished(folder).model.preprocessing
    batches = evaluation_batches(pictures, preprocessing, batch_size=BATCH)
    logits = np.concatenate([model(images, training=False).numpy() for images, _, _ in batches])
    return logits[: len(pictures)]
