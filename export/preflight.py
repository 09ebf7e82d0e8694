"""The trial export before a training; after a success, the next training of that network starts without one.

The trial depends on the network's description, the versions of the packages, and the source code of zoo and of every
package that brings it a part, such as the network's builder. A hash of all that is the name of an empty file in the
user's cache, which may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import zoo
from zoo import export, files, formats, plugins, provenance, registry, schema, task
from zoo import input as inputs
from zoo.description import Model
from zoo.export.build import try_export
from zoo.user_cache import cache_dir

MOST = 10_000
"""The most trials that are remembered: with one more, all are forgotten."""

PARTS = (registry.PACKAGE, inputs.PACKAGE, task.PACKAGE, formats.__name__)
"""The packages of zoo to which installed packages add the parts of an export."""


def preflight(description: Model) -> None:
    """Export a model with fresh weights, unless that succeeded before.

    Raises:
        Refused: the model cannot be exported, see `zoo.export.build.try_export`.
    """
    marker = cache_dir() / "preflights" / _key(description)
    if files.exists(marker):
        return
    try_export(description)
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        if sum(1 for _ in marker.parent.iterdir()) >= MOST:
            for other in marker.parent.iterdir():
                other.unlink(missing_ok=True)
        marker.touch()
    except OSError:
        # Without the cache, the next training repeats the trial, which takes seconds.
        return


def _key(description: Model) -> str:
    """Hash everything that decides whether a model can be exported, to 64 hexadecimal digits."""
    builder = registry.resolve(description.family)[0].builder
    parts = [module.__name__ for package in PARTS for module in plugins.modules(package).values()]
    packages = {name.partition(".")[0] for name in (builder, *parts)}
    sources = {path for name in (*packages, export.__name__) for path in _sources(name)}
    state = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(sources)]
    content = [schema.to_dict(description), provenance.versions(), os.path.realpath(zoo.__file__), state]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _sources(name: str) -> Iterator[Path]:
    """Yield the source files of a package, or that of a module."""
    module = importlib.import_module(name)
    for folder in getattr(module, "__path__", ()):
        # An editor may leave a link to a file that does not exist.
        yield from (path for path in Path(folder).rglob("*.py") if path.is_file())
    if getattr(module, "__file__", None):
        yield Path(str(module.__file__))
