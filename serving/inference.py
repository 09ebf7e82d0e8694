"""The outputs that a task measures, computed for examples by one of an artifact's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import artifact, formats
from zoo.data.dataset import Examples
from zoo.data.pipeline import encoded_batches
from zoo.input import kind_of
from zoo.serving.runner import open_runner
from zoo.task import task_of

BATCH = 64


def measured_outputs(folder: Path, examples: Examples) -> np.ndarray:
    """Return the measured outputs of all examples in order, [examples, …], from the preferred format.

    Raises:
        ZooError: there is no artifact at `folder`.
        Refused: it is damaged.
    """
    manifest = artifact.read(folder)
    model, task = manifest.model, task_of(manifest.model)
    runner = open_runner(folder, formats.preferred(manifest.formats).name)
    at_once = 1 if kind_of(model.preprocessing).alone(model.preprocessing) else BATCH
    batches = encoded_batches(examples, model.preprocessing, batch_size=at_once)
    return np.concatenate([task.measured(task.primary(runner(inputs), model), model) for inputs, _ in batches])
