"""The answers of teachers in the user's cache: the next student of the same teacher on the same examples need not wait.

The name of a file is a hash of everything that its answers depend on. The folder may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import numpy as np

from zoo import provenance, schema, weights_file
from zoo.data.dataset import Examples
from zoo.description import Model
from zoo.errors import ZooError
from zoo.user_cache import cache_dir

ANSWERS = "answers"
"""The name of the array in a file."""

MOST = 16
"""The most files in the cache; beyond that, the least recently used file is deleted."""


def place(teacher: str, model: Model, examples: Examples) -> Path:
    """Return the file for a teacher's answers.

    Args:
        teacher: the SHA-256 of the teacher's weights.
        model: the description of its network.
        examples: the examples, in their order.
    """
    digest = hashlib.sha256(examples.digests.tobytes()).hexdigest()
    # The digest of a table's row covers its cells; the names of its columns are in its traits.
    data = [digest, repr(examples.traits(0))]
    determinants = [teacher, schema.to_dict(model), data, provenance.versions(), provenance.environment()]
    return cache_dir() / "answers" / f"{hashlib.sha256(json.dumps(determinants).encode()).hexdigest()}.safetensors"


def read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """Return the answers in a file, float32 [examples, labels]; None if there are none of that shape."""
    try:
        answers = weights_file.read(path)[0].get(ANSWERS)
    except ZooError:
        return None
    if answers is None or answers.shape != shape or answers.dtype != np.float32:
        return None
    with contextlib.suppress(OSError):  # another user's cache
        path.touch()
    return answers


def keep(path: Path, answers: np.ndarray) -> None:
    """Write answers to a file in the cache; if that fails, the next student only has to compute them again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        weights_file.save(path, {ANSWERS: answers})
        by_age = sorted(path.parent.glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
        for expired in by_age[:-MOST]:
            expired.unlink(missing_ok=True)
    except (OSError, ZooError):
        return
