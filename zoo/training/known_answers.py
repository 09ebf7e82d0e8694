"""Answers of teachers, kept in the user's cache: a further student of the same teacher and examples begins at once.

The name of a file is a hash of all that its answers depend on. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from zoo import provenance, schema, weights_file
from zoo.data.dataset import Examples
from zoo.data.folder_index import cache_dir
from zoo.description import Model
from zoo.errors import ZooError

ANSWERS = "answers"
"""The name of the array in a file."""

MOST = 16
"""The most files that are kept: with one more, the one that was read or written longest ago is deleted."""


def place(teacher: str, model: Model, examples: Examples) -> Path:
    """Return the file for a teacher's answers.

    Args:
        teacher: the SHA-256 of the teacher's weights.
        model: the description of its network.
        examples: the examples, in their order.
    """
    digest = hashlib.sha256(examples.digests.tobytes()).hexdigest()
    # The digest of a table's row is that of its cells; the names of the columns are what is known of it.
    data = [digest, repr(examples.traits(0))]
    known = [teacher, schema.to_dict(model), data, provenance.versions(), provenance.environment()]
    return cache_dir() / "answers" / f"{hashlib.sha256(json.dumps(known).encode()).hexdigest()}.safetensors"


def read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """Return the answers at a place, float32 [examples, labels]; None where there are none of that shape."""
    try:
        found = weights_file.read(path)[0].get(ANSWERS)
    except ZooError:
        return None
    if found is None or found.shape != shape or found.dtype != np.float32:
        return None
    path.touch()
    return found


def keep(path: Path, answers: np.ndarray) -> None:
    """Keep answers at a place, unless the cache cannot be written: that costs time later, not this training."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        weights_file.save(path, {ANSWERS: answers})
        by_age = sorted(path.parent.glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
        for old in by_age[:-MOST]:
            old.unlink(missing_ok=True)
    except (OSError, ZooError):
        return
