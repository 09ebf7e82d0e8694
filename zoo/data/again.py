"""The data of an earlier run, found again and known to be the same."""

from __future__ import annotations

from pathlib import Path

from zoo.data.load import load
from zoo.data.pictures import Dataset
from zoo.description import Data
from zoo.errors import ZooError
from zoo.recipe import Split


def load_again(data: Data, split: Split, data_dir: Path | None = None) -> Dataset:
    """The data set that a run or an artifact describes; `data_dir` says where it is now, if not where it was.

    Raises:
        ZooError: it cannot be read, or its pictures or labels have changed since.
    """
    where = data_dir or (Path(data.data_dir) if data.data_dir else None)
    dataset = load(data.source, split=split, data_dir=where, bad_images="skip" if data.skipped else "error")
    if dataset.fingerprint != data.fingerprint:
        raise ZooError(
            f"{data.source} has changed since it was trained on ({dataset.description().counts}, then {data.counts}): "
            "restore it, or train again"
        )
    return dataset
