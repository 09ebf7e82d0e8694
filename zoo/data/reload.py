"""Load the data of an earlier run again, and check that they have not changed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from zoo import files
from zoo.artifact import Manifest
from zoo.data import digests
from zoo.data.dataset import Dataset
from zoo.data.load import load
from zoo.data.names import column_name, shown
from zoo.data.source import moved
from zoo.description import Data
from zoo.errors import MissingFile, Refused, ZooError, listed
from zoo.recipe import Split
from zoo.run import Run


def load_again(data: Data, kind: str, split: Split, data_dir: Path | None = None) -> Dataset:
    """Load the dataset that a run or an artifact describes.

    Args:
        data: the description.
        kind: the kind of input of its examples.
        split: how the run drew its splits.
        data_dir: the folder that the data are in now, None if they were not moved.

    Raises:
        ZooError: the dataset cannot be read, or its examples or labels have changed.
    """
    source, folder = moved(data.source, data.data_dir, data_dir)
    # With `skip`, an example that has become unreadable changes the fingerprint, which is refused below.
    try:
        dataset = load(
            source, kind, split=split, data_dir=folder, options=data.options, bad_examples="skip", again=True
        )
    except MissingFile as error:
        raise ZooError(f"{error}: say with --data-dir in which folder the data are now") from None
    if dataset.fingerprint != data.fingerprint:
        skipped_before = {line.partition(": ")[0] for line in data.skipped}
        broken = [line for line in dataset.skipped if line.partition(": ")[0] not in skipped_before]
        raise ZooError(
            f"{source}{_moved_to(folder)} has changed since it was trained on "
            f"({_described_change(data.loaded or data.counts, dataset.loaded)}"
            + (f"; {len(broken)} cannot be read now: {listed(broken, most=3)}" if broken else "")
            + "): restore it, say with --data-dir where it is now, or train again"
        )
    columns = dataset.description().columns
    # Earlier versions recorded names as the file has them.
    columns_before = tuple(map(column_name, data.columns))
    if columns_before and columns != columns_before:
        # Columns that no network can take have no part in the fingerprint: there may be more or fewer of them.
        pairs = itertools.zip_longest(columns, columns_before, fillvalue="")
        new = [name or old for name, old in pairs if name != old]
        raise ZooError(
            f"{source} has the same rows as when it was trained on, under other columns ({listed(new, most=3)}): "
            "restore its header, or train again"
        )
    return dataset


def _moved_to(folder: Path | None) -> str:
    return f", read in {shown(folder)}," if folder else ""


def _described_change(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """Say in words how the splits have changed, from the number of examples of each split when it was loaded."""
    changed = [f"{now[name]:,} {name} examples, {before[name]:,} before" for name in now if now[name] != before[name]]
    return listed(changed) if changed else "as many examples, with other bytes or targets, or in another order"


def digests_for(
    folder: Path, description: Run | Manifest, dataset: Dataset | None = None
) -> tuple[digests.Digests | None, str | None]:
    """Return the digests of the examples that a model was trained on, and why some or all of them are unknown.

    Args:
        folder: the folder of the run or artifact.
        description: the content of its `run.json` or `manifest.json`.
        dataset: its data, if they are loaded already. A run of an older version has no file of digests: its data are
            then loaded again, unless they are given.

    Returns:
        The digests, None if nothing is known; and the reason why some or all are unknown, None if all are known.

    Raises:
        Refused: the file of digests is damaged, or is not the one that the artifact's manifest lists.
    """
    path = digests.found(folder)
    if isinstance(description, Manifest):
        _refuse_other_file(path, description)
    if path.exists():
        model_digests = digests.read(path)
    elif description.data is None or description.recipe is None:
        return None, f"{folder.absolute().name} was trained elsewhere"
    elif dataset is None and isinstance(description, Manifest):
        name = folder.absolute().name
        return None, f"{name} was exported before zoo kept digests of the examples that a model was trained on"
    else:
        try:
            dataset = dataset or load_again(
                description.data, description.model.preprocessing.kind, description.recipe.split
            )
        except ZooError as error:
            return None, str(error)
        alone = isinstance(description, Run) and not (description.initial or description.teacher)
        model_digests = digests.digests_of(dataset, origins=() if alone else (None,))
    if model_digests.complete:
        return model_digests, None
    return model_digests, "some or all examples that its initial weights or its teacher were trained on are unknown"


def _refuse_other_file(path: Path, manifest: Manifest) -> None:
    listed = manifest.files.get(path.name)
    if listed and not (path.is_file() and files.sha256(path) == listed.sha256):
        raise Refused(f"{path} is not the file that the manifest lists: export again, or fetch the artifact again")
