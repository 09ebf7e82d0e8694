"""The functions of `zoo.input.Client` for texts; a raw example is a string."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo.data.named_files import named_files
from zoo.data.names import column_name, shown
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.input import NamedExample
from zoo.inputs.text.preprocessing import (
    TEXT,
    TextPreprocessing,
    encode,
    network_tensors,
    noise,
    random,
    raw_arrays,
    raw_tensors,
    refusal,
    tensors,
    tokenizer_json,
)
from zoo.inputs.text.text_files import read_text_file

__all__ = [
    "catalog",
    "encode",
    "facts",
    "files",
    "named_examples",
    "network_tensors",
    "noise",
    "problems",
    "published",
    "python",
    "random",
    "raw_arrays",
    "raw_tensors",
    "rest",
    "tensors",
]

PARQUET = ".parquet"
TABLES = (".csv", ".csv.gz", ".tsv", PARQUET)
"""The ends of the names of files that have one text in each row."""

EXAMPLE = "An example of what people write."
"""The text that the examples of a model card send."""

TOKENIZER = "tokenizer.json"
"""The file with which the library tokenizers makes the ids that the network takes."""


def named_examples(
    paths: Sequence[Path], preprocessing: TextPreprocessing, leave_out: Callable[[Path, str], None]
) -> Iterator[NamedExample]:
    """Read text files, which hold a text each, and tables with a column of texts; a folder stands for its text files.

    The column is the only column of the table, or the column that the network was trained on.

    Raises:
        ZooError: there is no text, or a table has no column of texts.
    """
    files = [
        path for argument in paths for path in named_files(argument, "text", "texts", _reason_for_no_text, leave_out)
    ]
    # All tables are read before the network answers the first text, so that a wrong table ends the command at once.
    tables = {path: _texts(path, preprocessing, leave_out) for path in files if path.name.lower().endswith(TABLES)}
    for path in files:
        if path in tables:
            yield from tables[path]
            continue
        try:
            yield NamedExample(str(path), read_text_file(path))
        except ZooError as error:
            yield NamedExample(str(path), None, f"it is {error}")


def _reason_for_no_text(path: Path) -> str | None:
    """Return the reason why a file holds no text and no table of texts; None if it holds one."""
    if path.name.lower().endswith(TABLES):
        return None
    try:
        read_text_file(path)
    except ZooError as error:
        return str(error)
    return None


def _texts(path: Path, preprocessing: TextPreprocessing, leave_out: Callable[[Path, str], None]) -> list[NamedExample]:
    """Return the texts of a table."""
    from zoo.inputs.table.columns import nearest
    from zoo.inputs.table.frame import read_file

    trained_column = column_name(preprocessing.column)
    frame = read_file(path, shown(path), (trained_column,))
    frame.check_readable((trained_column,), shown(path))
    column = frame.names[0] if len(frame.names) == 1 else trained_column
    if column not in frame.names:
        hint = nearest(column, frame.names)
        raise ZooError(
            f"{path} has several columns, and none is called '{shown(column)}', the column that the network reads: "
            f"{hint}"
        )
    if column != trained_column and not path.name.lower().endswith(PARQUET):
        # The file may have no header.
        leave_out(path, f"line 1, which was read as the name of the column: '{shown(column):.60}'")
    texts = ["" if cell is None else cell for cell in frame.column(column, "the texts")]
    reasons = map(refusal, texts)
    return [
        NamedExample(row_name, text, f"it is {reason}" if reason else None)
        for row_name, text, reason in zip(frame.places, texts, reasons, strict=True)
    ]


def catalog(family: Family, size: Size) -> dict[str, Any]:
    """Return the most tokens of a text, where the network limits them."""
    longest = size.options.get("longest")
    return {"limits": {"input": f"texts of up to {longest} tokens" if longest else "texts of any length"}}


def published(wanted: Any) -> dict[str, Any]:
    """Return nothing: weights are read from files, which describe their input."""
    return {"input": ""}


def facts(preprocessing: TextPreprocessing) -> dict[str, str]:
    """Return the most tokens of a text, and the size of the vocabulary."""
    case = "uncased" if preprocessing.lowercase else "cased"
    vocabulary = f"a vocabulary of {len(preprocessing.vocabulary):,}, {case}"
    return {"input": f"up to {preprocessing.max_length} WordPiece tokens of {vocabulary}"}


def problems(preprocessing: TextPreprocessing) -> list[str]:
    """Return nothing: the record itself refuses contradictions."""
    return []


def python(preprocessing: TextPreprocessing) -> str:
    """Return an expression for `EXAMPLE`."""
    return f'"{EXAMPLE}"'


def rest(preprocessing: TextPreprocessing) -> dict[str, Any]:
    """Return `EXAMPLE`."""
    return {TEXT: EXAMPLE}


def files(preprocessing: TextPreprocessing) -> dict[str, str]:
    """Return `TOKENIZER`."""
    return {TOKENIZER: tokenizer_json(preprocessing)}
