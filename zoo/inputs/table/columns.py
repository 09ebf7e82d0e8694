"""The columns of a table: their record, their types and how a cell of text is read.

A value of a table is a float, a string or None, which stands for a missing one. Numbers are floats; booleans, dates and
words are strings.
"""

from __future__ import annotations

import datetime
import keyword
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from zoo.data.names import column_name, shown
from zoo.errors import ZooError, did_you_mean, listed
from zoo.schema import record

Value = float | str | None
Row = Sequence[Value]
Kind = Literal["number", "boolean", "date", "word"]

MOST_WORDS = 1000
"""The most words of a column that have codes; rarer words are treated as words that were never seen."""

LONGEST_NAME = 200
"""The most characters of a column's name."""

FEWEST_IDENTIFIERS = 10
"""A column with fewer values never counts as a column of identifiers."""

MISSING = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?"))
"""Cells of a file that stand for a missing value, in lower case."""

BOOLEANS = {
    form: code
    for code, words in ((1.0, ("true", "yes", "t", "y")), (0.0, ("false", "no", "f", "n")))
    for word in words
    for form in (word, word.capitalize(), word.upper())
}
"""The words of booleans, each with its feature."""

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_SIGN = r"[$€£¥₹₽₩₺₪]|US\$"
_CODE = r"(?i:USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|KRW|SGD)"
_GROUPED = r"[0-9]{1,3}([.,' \u00a0\u202f][0-9]{3})+([.,][0-9]+)?|[0-9]{1,2}(,[0-9]{2})+,[0-9]{3}(\.[0-9]+)?"
_DECIMAL = r"([0-9]+([.,][0-9]*)?|[.,][0-9]+)"
_MARKED = rf"(({_SIGN})\s?|{_CODE}\s)[+-]?({_GROUPED}|{_DECIMAL})|({_GROUPED}|{_DECIMAL})(\s?({_SIGN}|%)|\s{_CODE})"
_AMOUNT = rf"({_MARKED}|{_GROUPED}|[0-9]*,[0-9]+([eE][+-]?[0-9]+)?)"
NOT_PLAIN = re.compile(rf"[+-]?{_AMOUNT}|[+-]?\(({_AMOUNT}|{_DECIMAL})\)|{_DECIMAL}-")
"""Numbers that people write and `NUMBER` does not match.

They have a decimal comma, groups of thousands, a percent sign, a currency, or parentheses or a minus at the end, which
mark losses.
"""

HOW_PLAIN = "write plain numbers, such as 1234.5"

DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2})?Z?)?"
"""ISO 8601: a date, or a date and a time of day in UTC to the minute or the second; for `re` and RE2."""

_DATE = re.compile(DATE)

OTHER_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?\s?(Z|UTC|[+-][0-9]{2}:?[0-9]{2})?"
)
"""Times that `DATE` does not match, because they have fractions of seconds or a time zone."""

_IDENTIFIER = re.compile(
    r"(.*[\W_])?(id|ids|index|key|uuid|guid|nr|no|rownames?)|.*[a-z](Id|ID)|row_?(id|number)|"
    r"__index_level_[0-9]+__|unnamed: [0-9]+",  # an index of pandas in Parquet, and in CSV that was read once more
    re.ASCII,
)

RESERVED = frozenset(("self", "cls", "args", "kwargs", "name", "training", "mask"))
"""Names that have a meaning in TensorFlow or Keras."""

SECONDS = 86_400
"""The seconds of a day."""


@record
class Column:
    """A column of a table, as the training rows have it.

    Attributes:
        name: its name in the header.
        kind: the type of its values.
        mean: the mean of the features that are not missing: numbers, booleans as 0 and 1, dates in days; 0 for words.
        std: the std of the same features; 1 where all are equal, and for words.
        missing: whether training rows lack a value.
        words: the words that have codes, the most frequent one first; for words only.
        knots: ascending quantiles of the features, for numbers and dates only.
    """

    name: Annotated[str, Field(max_length=LONGEST_NAME)]
    kind: Kind
    mean: float = 0.0
    std: Annotated[float, Field(gt=0)] = 1.0
    missing: bool = False
    words: Annotated[tuple[str, ...], Field(max_length=MOST_WORDS)] = ()
    knots: tuple[float, ...] = ()

    @property
    def is_constant(self) -> bool:
        """True if training rows have fewer than two different numbers: nothing can be learned from the column."""
        return self.kind != "word" and self.std == 1 and len(self.knots) < 2

    @property
    def scale(self) -> float:
        """The factor of the distance from the mean: 0 if the column is constant, whose weights are not learned."""
        return 0.0 if self.is_constant else 1 / self.std


@record
class TableSettings:
    """The columns of a table: those to `ignore`, and those whose numbers are `words`, such as postal codes.

    A column that is named in `words` is never refused as a column of identifiers.
    """

    kind: Literal["table"] = "table"
    ignore: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def is_missing(value: Value) -> bool:
    """Return whether a value is None, NaN or the empty string."""
    return value is None or value == "" or value != value


def row_number(place: int) -> str:
    """Return the name of a row by its index."""
    return f"row {place + 1}"


def infer(name: str, values: Sequence[Value], row_name: Callable[[int], str] = row_number) -> Kind:
    """Return the type of a column from its values, where numbers may be floats or strings.

    `row_name` turns the index of a value into the name of its row in messages.

    Raises:
        ZooError: it has no values, an infinite number among numbers, numbers that are not plain, or numbers and words
            in no clear proportion.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for index, value in enumerate(values):
        if value is None or is_missing(value):
            continue
        value_type = _value_type(value)
        counts[value_type] += 1
        if value_type not in examples:
            examples[value_type] = f"{value!r:.40} in {row_name(index)}"
    if not counts:
        raise ZooError(f"column '{shown(name)}' has no values: remove it, or --set table.ignore={shown(name)}")
    # Among words, INF is a word.
    if counts["infinite"] and 2 * counts["number"] >= counts.total() - counts["infinite"]:
        raise ZooError(
            f"column '{shown(name)}' has an infinite number, {examples['infinite']}: fix it, or leave it empty, "
            f"or --set table.words={shown(name)} if all are words"
        )
    if counts["not plain"] and 2 * (counts["not plain"] + counts["number"]) >= counts.total():
        raise ZooError(
            f"column '{shown(name)}' has numbers with commas, separators, currencies or percent signs, "
            f"{examples['not plain']}: {HOW_PLAIN}, or --set table.words={shown(name)} if they are words"
        )
    if counts["other time"] and 2 * (counts["other time"] + counts["date"]) >= counts.total():
        raise ZooError(
            f"column '{shown(name)}' has times with fractions of seconds or a zone, {examples['other time']}: write "
            f"them as 2024-12-31T23:59:59, in UTC, or --set table.words={shown(name)} if they are words"
        )
    for value_type in ("number", "boolean", "date"):
        if counts[value_type] == counts.total():
            return value_type  # type: ignore[return-value]
    if 2 * counts["number"] >= counts.total() or 2 * counts["date"] >= counts.total():
        main_type = max(("number", "date"), key=lambda value_type: counts[value_type])
        other_example = next(text for value_type, text in examples.items() if value_type != main_type)
        raise ZooError(
            f"column '{shown(name)}' has mostly {main_type}s, and {other_example}: fix that cell, "
            f"or --set table.words={shown(name)} if all are words"
        )
    return "word"


def _value_type(value: float | str) -> str:
    if not isinstance(value, str):
        return "number" if math.isfinite(value) else "infinite"
    if NUMBER.fullmatch(value):
        return "number" if math.isfinite(float(value)) else "infinite"
    if INFINITE.fullmatch(value):
        return "infinite"
    if value in BOOLEANS:
        return "boolean"
    if NOT_PLAIN.fullmatch(value):
        return "not plain"
    if days(value) is not None:
        return "date"
    return "other time" if OTHER_TIME.fullmatch(value) else "word"


def identifies(name: str, kind: Kind, values: Sequence[Value]) -> bool:
    """Return whether a column only names its rows: different words, or different integers under a name such as `id`."""
    present = [value for value in values if value is not None and not is_missing(value)]
    if len(present) < FEWEST_IDENTIFIERS or len(set(present)) < len(present):
        return False
    if kind == "number":
        return bool(_IDENTIFIER.fullmatch(name) or _IDENTIFIER.fullmatch(name.lower())) and all(
            float(value) == int(float(value)) for value in present
        )
    return kind == "word"


def inferred(
    names: Sequence[str],
    rows: Sequence[Row],
    settings: TableSettings,
    row_name: Callable[[int], str] = row_number,
    unreadable: Sequence[str] = (),
) -> list[Column]:
    """Return the columns of a table that a network may use, without statistics.

    Args:
        names: the names of all columns that can be read.
        rows: all rows, whose numbers may be floats or strings.
        settings: the columns that are ignored, and those that are words.
        row_name: turns the index of a row into its name in messages.
        unreadable: the names of further columns, which the settings may ignore, too.

    Raises:
        ZooError: a column cannot be used, or the settings name one that does not exist.
    """
    ignored, words = named(settings.ignore, (*names, *unreadable)), named(settings.words, names)
    check_names((*(name for name in ignored if name not in unreadable), *words), names, "table.ignore or table.words")
    columns = []
    for index, name in enumerate(names):
        if name in ignored:
            continue
        values = [row[index] for row in rows]
        value_type = "word" if name in words else infer(name, values, row_name)
        if name not in words and identifies(name, value_type, values):
            row_phrase = "row that has one" if any(map(is_missing, values)) else "row"
            raise ZooError(
                f"column '{shown(name)}' has a different {value_type} in each {row_phrase}, so that nothing can be "
                f"learned from it: --set table.ignore={shown(name)}"
            )
        columns.append(Column(name, value_type))
    if not columns:
        raise ZooError("no column is left to predict from: ignore fewer")
    return columns


def named(wanted: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the columns that settings name; a name that was cut at its commas is joined again."""
    named_columns, rest = [], list(wanted)
    while rest:
        candidates = [column_name(",".join(rest[:count])) for count in range(1, len(rest) + 1)]
        count = next((count for count in range(len(rest), 0, -1) if candidates[count - 1] in names), 1)
        named_columns.append(candidates[count - 1])
        del rest[:count]
    return named_columns


def check_names(wanted: Sequence[str], names: Sequence[str], where: str) -> None:
    """Raise ZooError when a column of `wanted`, which `where` asks for, is not among `names`."""
    for name in wanted:
        if column_name(name) not in names:
            raise ZooError(f"{where}: there is no column '{shown(name)}': {nearest(name, names)}")


def nearest(name: str, names: Sequence[str]) -> str:
    """Suggest the column whose name is most like `name`, or list the first columns if no name is like it."""
    shown_names = [shown(column) for column in names]
    suggestion = did_you_mean(name, shown_names)
    return suggestion if suggestion.startswith("did") else f"known: {listed(shown_names)}"


def days(text: str) -> float | None:
    """Return the days from the start of 1970 to a date of the form `DATE`, with the time as a fraction; else None."""
    if not _DATE.fullmatch(text):
        return None
    try:
        moment = datetime.datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return None
    elapsed = moment - datetime.datetime(1970, 1, 1)
    return (elapsed.days * SECONDS + elapsed.seconds) / SECONDS


def tensor_names(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return a name for the tensor of each column: an ASCII Python identifier; no two names differ only in case."""
    names: list[str] = []
    taken: set[str] = set()
    for column in columns:
        name = re.sub(r"\W", "_", column.name, flags=re.ASCII)
        if not name[:1].isalpha() or keyword.iskeyword(name) or name.lower() in RESERVED:
            name = f"column_{name}"
        unique = name
        number = 2
        while unique.lower() in taken:
            unique = f"{name}_{number}"
            number += 1
        taken.add(unique.lower())
        names.append(unique)
    return tuple(names)
