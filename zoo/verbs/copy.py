"""`zoo.copy`."""

from __future__ import annotations

from zoo.errors import ZooError
from zoo.folder_copy import Copy, download, upload
from zoo.stores import check_path, is_store, local_path
from zoo.verbs.arguments import StrPath


def copy(source: StrPath, target: StrPath) -> Copy:
    """Copy a run, an artifact or an evaluation as a whole to an object store, or from there to this machine.

    In a store, the folder's description appears last; on this machine, the whole folder appears at once.

    Args:
        source: a folder, or its place in a store, such as `s3://bucket/runs/name`.
        target: the place in a store to copy to, or a folder that does not exist yet. A place in a store may hold files
            of an earlier copy of the same folder that failed.

    Raises:
        ZooError: both or neither are in a store, there is nothing to copy, or the target exists or holds other files.
    """
    for path in (source, target):
        check_path(path)
    if is_store(source) == is_store(target):
        raise ZooError(
            f"'{source}' and '{target}': one of them should be in a store, such as s3://bucket/name, and one a folder"
        )
    if is_store(target):
        return upload(local_path(source), str(target))
    return download(str(source), local_path(target))
