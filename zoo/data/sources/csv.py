"""The source `csv`: your own tables, in CSV files, also compressed by gzip, or in Parquet files."""

from __future__ import annotations

from pathlib import Path

from zoo.data.example import RawDataset
from zoo.data.source import Say, Source
from zoo.errors import ZooError


def read(argument: str, say: Say, kind: str, target: str | None = None, data_dir: Path | None = None) -> RawDataset:
    """Read all rows of files with the column `target` as their targets.

    Files that are called train, val and test are splits; all others are one table without splits.

    Raises:
        ZooError: no target is named, or a file cannot be read or has no such column.
    """
    from zoo.inputs.table.data import dataset_of_frame
    from zoo.inputs.table.read import files, read_frame

    if target is None:
        raise ZooError(f"--data csv:{argument}: say with --target which column to predict")
    paths = files(argument, data_dir)
    return dataset_of_frame(read_frame(paths), target, ",".join(map(str, paths)), str(data_dir) if data_dir else None)


SOURCE = Source(
    scheme="csv",
    argument="FILE[,FILE…]",
    kinds=("table",),
    summary="your own tables, as CSV or Parquet",
    read=read,
    options={
        "target": "the column to predict",
        "data_dir": "the folder that the files are in now [default: where they were]",
    },
    short_name=lambda argument: Path(argument.split(",")[0]).name.partition(".")[0],
)
