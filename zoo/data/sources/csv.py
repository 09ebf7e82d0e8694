"""The source `csv`: your own tables, in CSV files, also compressed with gzip, or in Parquet files.

A column may contain texts, or name image or sound files; the examples are then these instead of the rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo import input as inputs
from zoo.data.example import RawDataset
from zoo.data.names import shown
from zoo.data.source import Source, absolute_path
from zoo.data.splits import SPLIT_NAMES
from zoo.errors import ZooError, listed
from zoo.files import exists, expanded
from zoo.stores import is_store
from zoo.text import Say

if TYPE_CHECKING:
    from zoo.description import Model


def read(
    argument: str,
    say: Say,
    kind: str,
    target: str | None = None,
    text: str | None = None,
    image: str | None = None,
    audio: str | None = None,
    data_dir: Path | None = None,
    model: Model | None = None,
    labeled: bool = True,
) -> RawDataset:
    """Read all rows of files; `target` names the column of their targets, or several, separated by commas.

    Without `target`, texts and files have no labels, which is refused if `labeled`.

    Texts are read from the column `text`; the columns `image` and `audio` name files. If a `model` is to be measured on
    the rows, their targets are classes or values as the model's are.

    Files that are called train, val and test are splits. Files none of which looks like a split are one table without
    splits; a mixture is refused.

    Raises:
        ZooError: a needed column is not named, or one is named that is not needed; or a file cannot be read, or has no
            such column; or only some files look like splits.
    """
    from zoo.inputs.table.frame import files, read_frame
    from zoo.inputs.table.targets import classes_like_missing

    if target is None and (labeled or kind == "table"):
        raise ZooError(f"--data csv:{argument}: say with --target which column to predict")
    for option, column, role in (
        ("text", text, "holds the texts"),
        ("image", image, "names the image files"),
        ("audio", audio, "names the sound files"),
    ):
        if kind == option and column is None:
            raise ZooError(f"--data csv:{argument}: say with --{option} which column {role}")
        if kind != option and column is not None:
            inputs_taken = "rows of all columns" if kind == "table" else inputs.find(kind).plural
            raise ZooError(f"--{option} {column}: the network takes {inputs_taken}: leave it out")
    tables, names_files = files(argument, data_dir, say), image or audio
    folders = {path.parent for path in tables.values()}
    if names_files and (len(folders) > 1 or any(map(is_store, tables))):
        raise ZooError(
            f"--data csv:{argument}: with --{kind}, cells are paths below the folder of the table: "
            "put all tables into one folder of this machine"
        )
    frame, joined_paths = read_frame([*tables.values()], [*tables]), ",".join(tables)
    if len(tables) > 1 and {*frame.splits} == {"train"}:
        say(f"{len(tables)} files are read as one table, because none is called after a split")
    if kind == "table" and frame.unreadable:
        skipped_columns = [f"{shown(name)} ({of_type})" for name, of_type in frame.unreadable.items()]
        say(f"left out: columns that are not numbers, text, dates or booleans: {listed(skipped_columns, most=5)}")
    recorded_dir = str(expanded(data_dir).resolve()) if data_dir else None
    if names_files:
        from zoo.inputs.table.listed import dataset_of_frame as files_of_frame

        data = files_of_frame(frame, kind, names_files, target, folders.pop(), joined_paths, recorded_dir, model)
    elif text is not None:
        from zoo.inputs.text.data import dataset_of_frame as texts_of_frame

        data = texts_of_frame(frame, text, target, joined_paths, recorded_dir, model)
    else:
        assert target is not None, "rows without a target were refused"
        from zoo.inputs.table.data import dataset_of_frame

        data = dataset_of_frame(frame, target, joined_paths, recorded_dir, model)
    for line in classes_like_missing(data):
        say(line)
    return data


def _short_name(argument: str) -> str:
    """Return the name of the first file without its ending, or that of its folder if the file is a split."""
    first = Path(argument.split(",")[0])
    name = first.name.partition(".")[0]
    return first.parent.name or name if name.lower() in SPLIT_NAMES else name


def _absolute(argument: str) -> str:
    """Return the absolute paths of files; the name of one file may contain commas."""
    paths = [argument] if exists(expanded(argument)) else argument.split(",")
    return ",".join(map(absolute_path, paths))


SOURCE = Source(
    scheme="csv",
    argument="FILE[,FILE…]",
    kinds=("table", "text", "image", "audio"),
    summary="your own tables, or texts or names of image or sound files in one of their columns, as CSV or Parquet",
    read=read,
    absolute=_absolute,
    infers_targets=True,
    labels_optional=True,
    options={
        "target": "the column to predict, or several, separated by commas; a name may end with :classes or :values",
        "text": "the column with the texts, for networks of texts",
        "image": "the column that names the image files, for networks of images",
        "audio": "the column that names the sound files, for networks of sound",
        "data_dir": "the folder that the files are in now [default: where they were]",
    },
    short_name=_short_name,
)
