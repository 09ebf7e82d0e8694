"""The folder of a SavedModel as TF Serving reads it: numbered versions, and the files that each must contain.

No framework is imported.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from zoo.errors import Refused

GRAPH = "saved_model.pb"
INDEX, DATA = "variables/variables.index", "variables/variables.data-*"
"""The files of the weights; there may be several of the second, which is a pattern."""

WARM_UP = "assets.extra/tf_serving_warmup_requests"

LOADED = (GRAPH, INDEX, DATA)
"""The files without which a version does not load, as patterns. With the graph alone, a server would call the version
available and fail every request."""

SERVED = (*LOADED, WARM_UP)
"""The files of a version to serve. TF Serving accepts a missing or empty warm-up file, but then warms nothing up."""

LARGEST_VERSION = 2**63 - 1
"""The largest version number that TF Serving reads."""


def number(name: str) -> int | None:
    """Return the number that TF Serving reads in the name of an entry of a base path; None if it ignores the entry."""
    match = re.fullmatch(r"\s*\+?([0-9]+)\s*", name, re.ASCII)
    return int(match[1]) if match and int(match[1]) <= LARGEST_VERSION else None


def versions(base: Path) -> dict[int, Path]:
    """Return the entries of a base path that TF Serving takes for versions, by number in rising order."""
    paths = {version: path for path in base.iterdir() if (version := number(path.name)) is not None}
    return dict(sorted(paths.items()))


def latest_version(base: Path) -> Path:
    """Return the folder of the highest version: the one that TF Serving would serve.

    Raises:
        Refused: there is none.
    """
    folders = [path for path in versions(base).values() if path.is_dir()] if base.is_dir() else []
    if not folders:
        raise Refused(f"{base} holds no version folder: export again")
    return folders[-1]


def latest_listed(names: Collection[str], base: str) -> str:
    """Return the folder of the highest version whose served files are all among the `names` of an artifact's files.

    Args:
        names: the paths of the files; those of the SavedModel begin with `base` and `/`.
        base: the base path within the artifact, such as `saved_model`.

    Raises:
        Refused: there is none.
    """
    folders: dict[str, list[str]] = {}
    for parts in (PurePosixPath(name).parts for name in names):
        if parts[0] == base and len(parts) > 2 and number(parts[1]) is not None:
            folders.setdefault(parts[1], []).append("/".join(parts[2:]))
    complete = [folder for folder, files in folders.items() if not missing(files, SERVED)]
    if not complete:
        raise Refused(f"{base} lists no whole version: export again")
    return max(complete, key=lambda folder: number(folder) or 0)


def missing(names: Collection[str], patterns: Collection[str]) -> list[str]:
    """Return the patterns that match none of the names, which are relative to a version's folder."""
    return [pattern for pattern in patterns if not fnmatch.filter(names, pattern)]


def problems(sizes: Mapping[str, int], base: str) -> list[str]:
    """List the faults in the files of the SavedModel below `base` that keep it from being served, a phrase for each.

    Args:
        sizes: the size of each file in bytes by path; the paths of the SavedModel's files begin with `base` and `/`.
        base: the base path within the listing, such as `saved_model`.
    """
    folders: dict[str, dict[str, int]] = {}
    for name, size in sizes.items():
        parts = PurePosixPath(name).parts
        if parts[0] == base and len(parts) > 2:
            folders.setdefault(parts[1], {})["/".join(parts[2:])] = size
    faults = [] if folders else [f"{base} has no version"]
    for version, files in sorted(folders.items()):
        if number(version) is None:
            faults.append(f"{base}/{version} is not a version number")
            continue
        faults += [f"{base}/{version}/{pattern} is not listed" for pattern in missing(files, SERVED)]
        needed = [name for pattern in SERVED for name in fnmatch.filter(files, pattern)]
        faults += [f"{base}/{version}/{name} is empty" for name in needed if not files[name]]
    return faults
