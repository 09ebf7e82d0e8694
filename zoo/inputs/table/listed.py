"""Examples in files that a column of a table names, with their targets in other columns."""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.example import Example, RawDataset, Unreadable
from zoo.data.names import composed, shown
from zoo.data.prefetch import map_ahead
from zoo.errors import ZooError
from zoo.input import find
from zoo.inputs.table.frame import Frame
from zoo.inputs.table.targets import read_targets
from zoo.text import with_article

if TYPE_CHECKING:
    from zoo.description import Model

AHEAD = 1024
"""The most files that threads read before they are needed."""


def dataset_of_frame(
    frame: Frame,
    kind: str,
    column: str,
    target: str | None,
    folder: Path,
    argument: str,
    data_dir: str | None,
    model: Model | None = None,
) -> RawDataset:
    """Return the examples of a kind of input in the files that a column names; `target` names columns of targets.

    A name is a path relative to `folder`, the folder of the table. Each file is read whole, to find damage. Rows
    without a target are unreadable, and so are rows whose file is not an example of the kind, is too large, or lies
    outside of `folder`. The option that names the column has the name of the kind.

    Raises:
        ZooError: there is no such column, it is also a target, the target has no values, or no file is an example.
    """
    names, targets = frame.column(column, f"--{kind}"), read_targets(frame, target, model)
    if column in targets.names:
        raise ZooError(f"--{kind} and --target are both '{shown(column)}': name two columns")
    root, noun, inspect = folder.resolve(), find(kind).noun, find(kind).data.inspect

    def example(number: int, row_target: Any) -> Example | Unreadable:
        split, row_name = frame.splits[number], frame.places[number]
        try:
            path = _inside(root, names[number])
            return inspect(path, split=split, target=row_target, name=shown(path.relative_to(root)))
        except ZooError as error:
            return Unreadable(split, row_target, f"{row_name}, {_name_of(names[number], column)}", str(error))

    examples, unreadable = targets.examples(frame, example, functools.partial(map_ahead, ahead=AHEAD))
    if not examples:
        first_unreadable = unreadable[0]
        raise ZooError(
            f"none of the {len(unreadable)} rows names {with_article(noun)} "
            f"({first_unreadable.name}: {first_unreadable.reason}): name files below {shown(root)}"
        )
    return RawDataset(kind, targets.labels, examples, unreadable, targets.task, argument, data_dir, parts=targets.parts)


def _inside(root: Path, cell: Any) -> Path:
    """Return the file that a cell names, without links.

    Spaces around the name are ignored unless the file has them. The name may be in another form of Unicode than that of
    the file, because systems differ in the form that they write.

    Raises:
        ZooError: it is not a name, or the file is not below `root`.
    """
    if not isinstance(cell, str) or not cell.strip():
        raise ZooError("no name of a file")
    name = cell.strip()
    paths = []
    for spelling in dict.fromkeys((name, cell, composed(name), unicodedata.normalize("NFD", name))):
        try:
            path = (root / spelling).resolve()
            exists = path.exists()
        except (OSError, ValueError, RuntimeError):
            raise ZooError("no name of a file") from None
        if not path.is_relative_to(root):
            raise ZooError("outside of the table's folder")
        paths.append(path)
        if exists:
            return path
    return paths[0]


def _name_of(cell: Any, column: str) -> str:
    """Return the name of a file for messages."""
    return shown(cell.strip())[:80] if isinstance(cell, str) and cell.strip() else f"column '{shown(column)}' is empty"
