"""Reading the files that Keras 3 saves (`.weights.h5`, `.keras`): names and numbers, and nothing that could run.

The configuration in a `.keras` file, which may hold code, is never read. An HDF5 file may link to other files, declare
arrays of any size and expand when it is unpacked: only uncompressed arrays that lie whole within the file are read.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ZooError

HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
"""The first bytes of an HDF5 file and of a ZIP archive."""

WEIGHTS = "model.weights.h5"
"""The file in a `.keras` archive that holds the weights."""

MOST_LAYERS, DEEPEST = 10_000, 10
"""The most groups that are read, and the most levels of them: a group of HDF5 may contain itself."""


@dataclass(frozen=True)
class StoredLayer:
    """A layer of the file: its name, its class as Keras writes it (`conv2d`), its arrays in Keras' order."""

    name: str
    kind: str
    arrays: tuple[Any, ...]


@contextlib.contextmanager
def opened(path: Path, resaving: str) -> Iterator[list[StoredLayer]]:
    """Open a file, and yield its layers that have arrays (h5py datasets, which can be read until it is closed).

    Args:
        path: a `.weights.h5` or `.keras` file, told apart by the first bytes.
        resaving: a sentence on how to save an older file again with Keras, for the error about one.

    Raises:
        ZooError: it is missing, damaged, no such file, or holds what zoo does not read.
    """
    if not path.is_file():
        raise ZooError(f"there is no file {path}")
    with contextlib.ExitStack() as stack:
        try:
            layers = _layers(path, resaving, stack)
        # The exception of h5py (3.14) depends on the part of the file that is damaged.
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise ZooError(f"{path} is damaged, or not what Keras saves ({str(error)[:120]})") from None
        yield layers


def _layers(path: Path, resaving: str, stack: contextlib.ExitStack) -> list[StoredLayer]:
    import h5py

    source: Any = stack.enter_context(path.open("rb"))
    beginning = source.read(len(HDF5))
    if beginning.startswith(ZIP):
        source = stack.enter_context(_unpacked(path))
    elif beginning != HDF5:
        raise ZooError(f"{path} is neither a .weights.h5 nor a .keras file")
    file = stack.enter_context(h5py.File(source, "r"))
    if "layer_names" in file.attrs or "model_weights" in file:
        raise ZooError(f"{path} is in Keras' older HDF5 format: {resaving}")
    size = source.seek(0, 2)
    return [_stored(path, group, size, resaving) for group in _groups(path, file)]


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[Any]:
    """Copy the weights of a `.keras` archive to a file of their own: HDF5 seeks often, which in an archive is slow."""
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryFile() as copy:
        if WEIGHTS not in archive.namelist():
            raise ZooError(f"{path} holds no {WEIGHTS}: save the network again with model.save_weights")
        # Keras does not compress. Without compression, a member cannot unpack to more than its size in the archive.
        if archive.getinfo(WEIGHTS).compress_type != zipfile.ZIP_STORED:
            raise ZooError(f"{path} is compressed, which Keras does not do: save the network again with Keras")
        with archive.open(WEIGHTS) as member:
            shutil.copyfileobj(member, copy)
        yield copy


def _groups(path: Path, file: Any) -> Iterator[Any]:
    """Find every group of arrays below `layers`; Keras calls each of them `vars`."""
    import h5py

    if not isinstance(_member(path, file, "layers"), h5py.Group):
        raise ZooError(f"{path} holds no layers as Keras 3 stores them")
    waiting, seen = [(file["layers"], 1)], 0
    while waiting:
        group, depth = waiting.pop()
        seen += 1
        if seen > MOST_LAYERS or depth > DEEPEST:
            raise ZooError(f"{path} has more layers than any network that zoo knows")
        for name in group:
            inside = _member(path, group, name)
            if isinstance(inside, h5py.Group):
                if name == "vars" and len(inside):
                    yield inside
                elif name != "vars":
                    waiting.append((inside, depth + 1))


def _member(path: Path, group: Any, name: str) -> Any:
    """Return the member of a group by name, None if there is none; refuse a link to another object or file."""
    import h5py

    link = group.get(name, getlink=True)
    if link is not None and not isinstance(link, h5py.HardLink):
        raise ZooError(f"{path} has a link at {group.name}/{name}, which Keras never writes: save the network again")
    return None if link is None else group[name]


def _stored(path: Path, group: Any, size: int, resaving: str) -> StoredLayer:
    """Return a layer, after a check that each of its arrays lies plainly inside the file."""
    import h5py

    name = group.attrs.get("name")
    if not isinstance(name, str):
        raise ZooError(f"{path} does not name its layers, as newer versions of Keras do: {resaving}")
    arrays = [_member(path, group, key) for key in sorted(group, key=lambda key: (len(key), key))]
    for array in arrays:
        if not isinstance(array, h5py.Dataset):
            raise ZooError(f"{path}: {array.name} is not an array")
        plain = array.chunks is None and not array.is_virtual and not array.external
        start = array.id.get_offset() if plain else None
        if start is None or start + array.nbytes > size:
            raise ZooError(f"{path}: {array.name} does not lie whole in the file")
    layer_class = re.sub(r"_\d+$", "", group.parent.name.rpartition("/")[2])
    return StoredLayer(name, layer_class, tuple(arrays))
