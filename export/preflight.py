"""The trial export before a training; after a success, the next training of that network starts without one.

The trial depends on the network's description, the versions of the packages, and the source code of zoo and of the
network's builder. A hash of all that is the name of an empty file in the user's cache, which may be deleted at any
time.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from pathlib import Path

import zoo
from zoo import export, provenance, schema
from zoo.description import Model
from zoo.export.build import try_export
from zoo.registry import resolve
from zoo.user_cache import cache_dir

MOST = 10_000
"""The most trials that are remembered: with one more, all are forgotten."""


def preflight(description: Model) -> None:
    """Export a model with fresh weights, unless that succeeded before.

    Raises:
        Refused: the model cannot be exported, see `zoo.export.build.try_export`.
    """
    known = cache_dir() / "preflights" / _key(description)
    if known.exists():
        return
    try_export(description)
    try:
        known.parent.mkdir(parents=True, exist_ok=True)
        if sum(1 for _ in known.parent.iterdir()) >= MOST:
            for other in known.parent.iterdir():
                other.unlink(missing_ok=True)
        known.touch()
    except OSError:
        # Without the cache, the next training repeats the trial, which takes seconds.
        return


def _key(description: Model) -> str:
    """Hash everything that decides whether a model can be exported, to 64 hexadecimal digits."""
    builder = importlib.import_module(resolve(description.family)[0].builder)
    places = [*zoo.__path__, *export.__path__]
    sources = [path for place in places for path in Path(place).rglob("*.py")]
    if getattr(builder, "__file__", None):
        sources.append(Path(str(builder.__file__)))
    state = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in sorted({*sources})]
    known = [schema.to_dict(description), provenance.versions(), os.path.realpath(zoo.__file__), state]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
