"""Read the columns that a network predicts, as classes or values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from zoo.data.example import UNLABELED, Example, RawDataset, Unreadable
from zoo.data.names import column_name, composed, natural, quoted, shown
from zoo.errors import ZooError, listed
from zoo.inputs.table.cells import as_word, present
from zoo.inputs.table.columns import HOW_PLAIN, INFINITE, MISSING, NOT_PLAIN, NUMBER, Value, check_names
from zoo.inputs.table.frame import Frame
from zoo.inputs.table.preprocessing import TOO_LARGE, TOO_LARGE_FROM

if TYPE_CHECKING:
    from zoo.description import Model, Part

MOST_TARGETS = 16
"""The most columns that one network predicts."""

MOST_CLASSES, ROWS_A_CLASS = 20, 5
"""Integers are read as classes if at most 20 differ and each is in at least 5 rows on average, else as values."""

NO_WORD = frozenset(("",))
"""Cells that stand for a missing class."""


@dataclass(frozen=True)
class TargetColumn:
    """A column to predict.

    Attributes:
        task: classes or values.
        labels: the names of the classes, in natural order; empty for values.
        values: the index of each row's class in `labels`, or its value; None where it is missing.
    """

    task: Literal["classes", "values"]
    labels: tuple[str, ...]
    values: list[int | float | None]


@dataclass(frozen=True)
class Targets:
    """The columns to predict: one, or several.

    Attributes:
        names: the names of the columns.
        task: classes or values; `several` where there are several columns, `unlabeled` where there is none.
        labels: the names of the classes, or the name of the value; with several columns, the labels of all of them.
        parts: the targets where there are several.
        values: for each row its target, as `zoo.data.example.Example` has it, or the name of a column that is empty.
    """

    names: tuple[str, ...]
    task: str
    labels: tuple[str, ...]
    parts: tuple[Part, ...]
    values: list[int | tuple[float, ...] | str]

    def examples(
        self,
        frame: Frame,
        described: Callable[[int, int | tuple[float, ...]], Example | Unreadable],
        each: Callable[..., Iterable[Example | Unreadable]] = map,
    ) -> tuple[list[Example], tuple[Unreadable, ...]]:
        """Describe the rows of a frame by their number and target; those without a target are unreadable.

        `each` calls a function with each item and yields the results in order, as `map` does.
        """

        def of_row(number: int) -> Example | Unreadable:
            target = self.values[number]
            if isinstance(target, str):
                return Unreadable(frame.splits[number], None, frame.places[number], _empty(target))
            return described(number, target)

        results = [*each(of_row, range(len(self.values)))]
        return (
            [result for result in results if isinstance(result, Example)],
            tuple(result for result in results if isinstance(result, Unreadable)),
        )


def _empty(name: str) -> str:
    return f"column '{shown(name)}', the target, is empty"


def read_targets(frame: Frame, target: str | None, model: Model | None = None) -> Targets:
    """Read the columns that `--target` names, with commas between several; `read_target_column` reads each.

    If it names none, all rows are of one class, as in a folder of files without classes.

    `COLUMN:classes` and `COLUMN:values` state the task of a column, unless a column has that whole name. If a `model`
    is to be measured on the columns, they have the tasks of its targets.

    Raises:
        ZooError: there is no such column, a column is named twice, there are too many, or one cannot be a target.
    """
    if target is None:
        return Targets((), UNLABELED, (UNLABELED,), (), [0] * len(frame.places))
    stated_tasks = stated_targets(target, frame.names)
    names = tuple(name for name, _ in stated_tasks)
    repeated_names = [shown(name) for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated_names:
        raise ZooError(f"--target names a column twice: {listed(repeated_names, most=3)}: name each once")
    if len(names) > MOST_TARGETS:
        raise ZooError(f"--target names {len(names)} columns, and {MOST_TARGETS} are the most: leave some out")
    frame.check_readable(names, "--target")
    check_names(names, frame.names, "--target")
    columns = [
        read_target_column(frame, name, _task(frame, name, len(names), model) or task) for name, task in stated_tasks
    ]
    rows = zip(*(column.values for column in columns), strict=True)
    empty_columns = [next((name for name, cell in zip(names, row, strict=True) if cell is None), None) for row in rows]
    if len(names) > 1 and any(empty_columns) and not all(empty_columns):
        # Only complete rows are examples: a class that no other row has is not a label.
        complete_rows = [number for number, name in enumerate(empty_columns) if name is None]
        complete_frame = dataclasses.replace(
            frame,
            rows=[frame.rows[number] for number in complete_rows],
            places=[frame.places[number] for number in complete_rows],
            splits=[frame.splits[number] for number in complete_rows],
        )
        values: Any = list(empty_columns)
        complete_targets = read_targets(complete_frame, target, model)
        for number, row_target in zip(complete_rows, complete_targets.values, strict=True):
            values[number] = row_target
        return dataclasses.replace(complete_targets, values=values)
    if len(names) == 1:
        (only_column,) = columns
        cells = [cell if only_column.task == "classes" else (cell,) for cell in only_column.values]
        values = [cell if name is None else name for name, cell in zip(empty_columns, cells, strict=True)]
        return Targets(names, only_column.task, only_column.labels or names, (), values)
    from zoo.description import Part, labels_of

    parts = tuple(
        Part(name, column.task, column.labels or (name,)) for name, column in zip(names, columns, strict=True)
    )
    labels = labels_of(parts)
    repeated_labels = [shown(label) for label in dict.fromkeys(labels) if labels.count(label) > 1]
    if repeated_labels:
        raise ZooError(f"--target: '{repeated_labels[0]}' is a label of two targets: rename a column")
    rows = zip(*(column.values for column in columns), strict=True)
    values = [
        tuple(float(cell) for cell in row) if name is None else name
        for name, row in zip(empty_columns, rows, strict=True)
    ]
    return Targets(names, "several", labels, parts, values)


def classes_like_missing(data: RawDataset) -> Iterator[str]:
    """Say which names of classes usually mark a missing value, because only an empty cell has no class."""
    parts = [(part.labels, f" {quoted(part.name)}") for part in data.parts if part.task == "classes"]
    for labels, name in [(data.labels, "")] if data.task == "classes" else parts:
        confusing = [quoted(label) for label in labels if label.lower() in MISSING]
        if confusing:
            yield (
                f"{listed(confusing, most=3)} {'is a class' if len(confusing) == 1 else 'are classes'} of the "
                f"target{name}: leave the cell empty where it is missing"
            )


def stated_targets(target: str, columns: Sequence[str]) -> list[tuple[str, Literal["classes", "values"] | None]]:
    """Return the names in `--target`, each with its stated task, if any; a name need not be that of a column.

    Raises:
        ZooError: another task is stated.
    """
    words = [target] if column_name(target) in columns else target.split(",")
    return [_stated(column_name(word), columns) for word in words]


def _stated(word: str, columns: Sequence[str]) -> tuple[str, Literal["classes", "values"] | None]:
    """Return the column that a part of `--target` names, and the task that it states for it, if any."""
    name, _, task = word.rpartition(":")
    if word in columns or name not in columns:
        return word, None
    if task == "classes":
        return name, "classes"
    if task == "values":
        return name, "values"
    raise ZooError(f"--target {shown(word)}: write {shown(name)}:classes, {shown(name)}:values, or {shown(name)}")


def _task(frame: Frame, name: str, count: int, model: Model | None) -> Literal["classes", "values"] | None:
    """Return the task of a target, one of `count`, if the source or a model states it; else None."""
    tasks: dict[str, Any] = {name: "classes"} if name in frame.classes else {}
    if model and model.parts:
        tasks |= {column_name(part.name): part.task for part in model.parts}
    elif model and count == 1 and model.task in ("classes", "values"):
        tasks[name] = model.task
    return tasks.get(name)


def read_target_column(frame: Frame, name: str, task: Literal["classes", "values"] | None = None) -> TargetColumn:
    """Read a column as the target.

    Without a `task`, numbers are values, except for at most `MOST_CLASSES` integers that repeat; everything else is a
    class. Names of classes are in Unicode's form NFC. A class may be called None or NA, unless all others are numbers.

    Raises:
        ZooError: there is no such column, it has no values, or values are not numbers or too large for float32.
    """
    cells = frame.column(name, "--target")
    numbers = None if task == "classes" else _numbers(cells, frame.places, name, required=task == "values")
    if numbers is not None and (task == "values" or not _few([number for number in numbers if number is not None])):
        for number, row_name in zip(numbers, frame.places, strict=True):
            if number is not None and abs(number) >= TOO_LARGE_FROM:
                raise ZooError(f"{row_name}: {TOO_LARGE.format(shown(name))}: scale the target, or remove the row")
        return TargetColumn("values", (), numbers)
    missing = MISSING if name not in frame.classes and _are_numbers(cells) else NO_WORD
    words = [as_word(present(cell, missing)) for cell in cells]
    words = [word if word is None else composed(word) for word in words]
    labels = tuple(sorted({word for word in words if word is not None}, key=natural))
    if not labels:
        raise ZooError(f"--target {shown(name)}: the column has no values: name another")
    indices = {label: index for index, label in enumerate(labels)}
    return TargetColumn("classes", labels, [None if word is None else indices[word] for word in words])


def _are_numbers(cells: Sequence[Value]) -> bool:
    """Return whether all cells that are not missing are numbers, of which there is at least one."""
    values = [value for value in map(present, cells) if value is not None]
    return bool(values) and all(not isinstance(value, str) or NUMBER.fullmatch(value) for value in values)


def _numbers(
    cells: Sequence[Value], row_names: Sequence[str], name: str, *, required: bool
) -> list[float | None] | None:
    """Return the numbers of a target; None if at least half of its cells are words, or all are missing.

    Infinite numbers are words where most of the other cells are.

    Raises:
        ZooError: a number is infinite or not plain, a cell among numbers is not a number, or numbers are required and
            there are none.
    """
    numbers: list[float | None] = []
    words: list[str] = []
    not_plain: list[str] = []
    infinite: list[str] = []
    for cell, row_name in zip(cells, row_names, strict=True):
        value = present(cell)
        if value is None:
            numbers.append(None)
        elif isinstance(value, str) and not NUMBER.fullmatch(value) and not INFINITE.fullmatch(value):
            words.append(f"{value!r:.40} ({row_name})")
            if NOT_PLAIN.fullmatch(value):
                not_plain.append(words[-1])
        elif not math.isfinite(float(value)):
            infinite.append(row_name)
        else:
            numbers.append(float(value))
    if not_plain and 2 * (len(not_plain) + sum(number is not None for number in numbers)) > len(cells):
        raise ZooError(
            f"--target {shown(name)}: the column has numbers with commas, separators, currencies or percent signs, "
            f"{not_plain[0]}: {HOW_PLAIN}, or {shown(name)}:classes if they are classes"
        )
    present_numbers = [number for number in numbers if number is not None]
    if infinite and (required or len(present_numbers) >= len(words)):
        raise ZooError(
            f"{infinite[0]}: the target '{shown(name)}' is infinite: fix or remove it, or --target "
            f"{shown(name)}:classes if all are classes"
        )
    if required and not present_numbers:
        raise ZooError(f"--target {shown(name)}: the column has no numbers: choose another")
    if words and (required or len(present_numbers) > len(words)):
        raise ZooError(
            f"--target {shown(name)}: the column should have only numbers, and has {words[0]}: fix that cell, or "
            "choose another column"
        )
    return numbers if present_numbers and not words else None


def _few(numbers: Sequence[float]) -> bool:
    different = set(numbers)
    few = len(different) <= MOST_CLASSES and len(different) * ROWS_A_CLASS <= len(numbers)
    return few and all(number.is_integer() for number in different)
