"""The source `csv`: your own tables, in CSV files, also compressed by gzip, or in Parquet files."""

from __future__ import annotations

from pathlib import Path

from zoo.data.example import RawDataset
from zoo.data.source import Say, Source
from zoo.errors import ZooError


def read(
    argument: str,
    say: Say,
    kind: str,
    target: str | None = None,
    text: str | None = None,
    data_dir: Path | None = None,
) -> RawDataset:
    """Read all rows of files with the column `target` as their targets, and for texts the column `text`.

    Files that are called train, val and test are splits; all others are one table without splits.

    Raises:
        ZooError: a column is not named or one too many, or a file cannot be read or has no such column.
    """
    from zoo.inputs.table.read import files, read_frame

    if target is None:
        raise ZooError(f"--data csv:{argument}: say with --target which column to predict")
    if kind == "text" and text is None:
        raise ZooError(f"--data csv:{argument}: say with --text which column holds the texts")
    if kind != "text" and text is not None:
        raise ZooError(f"--text {text}: the network takes rows of all columns: leave it out")
    found = files(argument, data_dir, say)
    frame, named, where = read_frame([*found.values()]), ",".join(found), str(data_dir) if data_dir else None
    if text is not None:
        from zoo.inputs.text.data import dataset_of_frame as texts_of_frame

        return texts_of_frame(frame, text, target, named, where)
    from zoo.inputs.table.data import dataset_of_frame

    return dataset_of_frame(frame, target, named, where)


SOURCE = Source(
    scheme="csv",
    argument="FILE[,FILE…]",
    kinds=("table", "text"),
    summary="your own tables, or texts in one of their columns, as CSV or Parquet",
    read=read,
    options={
        "target": "the column to predict",
        "text": "the column with the texts, for networks of texts",
        "data_dir": "the folder that the files are in now [default: where they were]",
    },
    short_name=lambda argument: Path(argument.split(",")[0]).name.partition(".")[0],
)
