"""The data of an earlier run, found again and known to be the same."""

from __future__ import annotations

from pathlib import Path

from zoo import artifact, files, run
from zoo.artifact import Manifest
from zoo.data import seen
from zoo.data.dataset import Dataset
from zoo.data.load import load
from zoo.description import Data
from zoo.errors import Refused, ZooError, listed
from zoo.recipe import Split
from zoo.run import Run

FOLDER = "folder:"


def load_again(data: Data, split: Split, data_dir: Path | None = None) -> Dataset:
    """The data set that a run or an artifact describes; `data_dir` says where it is now, if not where it was.

    Raises:
        ZooError: it cannot be read, or its images or labels have changed since.
    """
    source, where = _place(data, data_dir)
    # What cannot be read any more is a change like others, which no option mends.
    dataset = load(source, split=split, data_dir=where, bad_images="skip")
    if dataset.fingerprint != data.fingerprint:
        known = {line.partition(": ")[0] for line in data.skipped}
        broken = [line for line in dataset.skipped if line.partition(": ")[0] not in known]
        raise ZooError(
            f"{source} has changed since it was trained on ({dataset.description().counts}, then {data.counts}"
            + (f"; {len(broken)} cannot be read now: {listed(broken, most=3)}" if broken else "")
            + "): restore it, say with --data-dir where it is now, or train again"
        )
    return dataset


def images_known(
    folder: Path, this: Run | Manifest, dataset: Dataset | None = None
) -> tuple[seen.Digests | None, str | None]:
    """What the run or artifact at `folder` has seen; and what is not known of that, and why.

    Of runs that are older than the file of digests, the data are loaded again where they are not given: `dataset`.

    Raises:
        Refused: the file of digests is damaged, or not the one that the artifact was closed with.
    """
    path = folder / run.IMAGES
    if isinstance(this, Manifest):
        _refuse_another(path, this)
    if path.exists():
        images = seen.read(path)
    elif this.data is None or this.recipe is None:
        return None, f"{folder.name} was trained elsewhere"
    elif dataset is None and isinstance(this, Manifest):
        return None, f"{folder.name} was exported before zoo kept what a model has seen"
    else:
        try:
            dataset = dataset or load_again(this.data, this.recipe.split)
        except ZooError as error:
            return None, str(error)
        images = seen.images_of(dataset, complete=isinstance(this, Run) and this.initial is None)
    return images, None if images.complete else "what its initial weights had seen is not known, or not all of it"


def _refuse_another(path: Path, manifest: Manifest) -> None:
    listed = manifest.files.get(artifact.IMAGES)
    if listed and not (path.is_file() and files.sha256(path) == listed.sha256):
        raise Refused(f"{path} is not the file that the manifest lists: export again, or fetch the artifact anew")


def _place(data: Data, data_dir: Path | None) -> tuple[str, Path | None]:
    """The source and the folder of prepared data to load from."""
    if not data.source.startswith(FOLDER):
        return data.source, data_dir or (Path(data.data_dir) if data.data_dir else None)
    place = data_dir or Path(data.source.removeprefix(FOLDER))
    if not place.is_dir():
        raise ZooError(f"the data are not in {place}: say with --data-dir in which folder they are now")
    return f"{FOLDER}{place}", None
