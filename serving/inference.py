"""Primary outputs for all examples of a split, computed by one of an artifact's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import artifact, formats
from zoo.data.dataset import Examples
from zoo.data.pipeline import encoded_batches
from zoo.serving.runner import open_runner
from zoo.task import task_of

BATCH = 64


def primary_outputs(folder: Path, examples: Examples) -> np.ndarray:
    """Return the primary output [examples, …] of all examples in order, by the format that the artifact prefers.

    Raises:
        ZooError: there is no artifact at `folder`.
        Refused: it is damaged.
    """
    manifest = artifact.read(folder)
    runner = open_runner(folder, formats.preferred(manifest.formats).name)
    name = task_of(manifest.model).primary
    batches = encoded_batches(examples, manifest.model.preprocessing, batch_size=BATCH)
    return np.concatenate([runner(inputs)[name] for inputs, _ in batches])
