"""Folders of several runs that belong together: the request, the settings derived from it, and the results.

A request that is repeated on the same folder continues where the earlier one ended, however it ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from zoo import files, folder_kinds, provenance, run, schema
from zoo.data.source import absolute, absolute_path, moved, parse
from zoo.data.unlabeled import REST
from zoo.description import Provenance
from zoo.errors import ZooError
from zoo.schema import record
from zoo.stores import is_store
from zoo.text import Say

Kind = Literal["study", "sizes", "pruned", "scale"]

VERSION = 1
"""The version of these files."""


@record
class Experiment:
    """The content of the file that marks such a folder.

    `asked` is the request, by which a folder is recognized. `settled` holds the settings that were derived from the
    request at the start. `results` holds the figures; it is empty until the end.
    """

    schema: int
    asked: dict[str, Any]
    provenance: Provenance
    settled: dict[str, Any] = dataclasses.field(default_factory=dict)
    results: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """True if all runs are finished and the results are recorded."""
        return self.provenance.finished is not None


def _record_file(kind: Kind, folder: Path) -> Path:
    return folder / folder_kinds.KINDS[kind].marker


def holds(kind: Kind, folder: Path) -> bool:
    """Return whether a folder is of the given kind."""
    return _record_file(kind, folder).is_file()


def read(kind: Kind, folder: Path) -> Experiment:
    """Read the record of a folder.

    Raises:
        ZooError: it is of another kind, or its record is damaged.
    """
    path = _record_file(kind, folder)
    values = files.read_json(path, "name the folder that an earlier call of the same verb wrote")
    if isinstance(values, dict) and isinstance(values.get("schema"), int) and values["schema"] > VERSION:
        raise ZooError(f"{path} was written by a later version of zoo: update zoo")
    return schema.parse(Experiment, values, str(path))


def write(kind: Kind, folder: Path, experiment: Experiment) -> None:
    """Write the record of a folder, whole or not at all."""
    files.write_json(_record_file(kind, folder), schema.to_dict(experiment))


def end(kind: Kind, folder: Path, experiment: Experiment, results: dict[str, Any]) -> Experiment:
    """Record the results and the time of the end; return the record."""
    finished = dataclasses.replace(experiment.provenance, finished=provenance.now())
    done = dataclasses.replace(experiment, provenance=finished, results=results)
    write(kind, folder, done)
    return done


def say_finished(folder: Path, experiment: Experiment, say: Say) -> None:
    """Say that a folder was finished by an earlier call, whose figures a verb shows without training again."""
    if experiment.finished:
        when = experiment.provenance.finished
        say(f"{folder} was finished at {when}, and these are its figures: another --out trains again")


PLACES: dict[str, Callable[[str], str]] = {
    "data": absolute,
    "unlabeled": lambda text: text if text == REST else absolute(text),
    "data_dir": absolute_path,
    "teacher": absolute_path,
    "weights": absolute_path,
}
"""The arguments that name files or folders, with the functions that make them mean the same in every folder."""


def place(kind: Kind, out: Path | None, usual: Path, asked: dict[str, Any]) -> tuple[Path, Experiment | None]:
    """Return the folder of a request, and its record if an earlier call has begun it.

    Args:
        kind: the kind of folder.
        out: the folder that the caller named; None for the first of `usual`, `usual-2`, … that does not exist or
            belongs to this request.
        usual: the default folder.
        asked: the request.

    Raises:
        ZooError: `out` exists and does not belong to this request.
    """
    asked = json.loads(json.dumps(asked))
    others = (usual.with_name(f"{usual.name}-{number}") for number in itertools.count(2))
    for folder in [out] if out else itertools.chain([usual], others):
        if not folder.exists():
            folder_kinds.check_new(folder)
            return folder, None
        if holds(kind, folder):
            experiment = read(kind, folder)
            recorded = everywhere(experiment.asked)  # earlier versions recorded paths as they were typed
            different = [key for key in {**recorded, **asked} if recorded.get(key) != asked.get(key)]
            if not different:
                return folder, experiment
            if out:
                raise ZooError(
                    f"{folder} belongs to a call with other {', '.join(different)}: "
                    "choose another --out, or continue it with --resume"
                )
    raise ZooError(f"{out} exists already: choose another --out, or remove it first")


def everywhere(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request whose files and folders mean the same in every current folder."""
    return {name: PLACES[name](value) if value and name in PLACES else value for name, value in asked.items()}


def move_data(kind: Kind, folder: Path, experiment: Experiment, data_dir: Path | None) -> Experiment:
    """Record where the data of a request are now, and return the record; nothing changes without a `data_dir`.

    Raises:
        ZooError: the data have no folder, or nothing exists at `data_dir`.
    """
    if data_dir is None:
        return experiment
    data_dir = Path(absolute_path(str(data_dir)))
    request = experiment.asked
    data = request.get("data") or _data_of_weights(folder, request)
    source = parse(data)[0] if data else None
    if data is None or source is None or not (source.argument_is_path or "data_dir" in source.options):
        raise ZooError(f"the data of {folder} are not read from a folder: leave --data-dir out")
    text, where = moved(data, request.get("data_dir"), data_dir)
    if request.get("data"):
        changed_request = {**request, "data": text, **({} if where is None else {"data_dir": str(where)})}
    else:  # the request names no data, and `data_dir` replaces the folder of those that belong to the weights
        changed_request = {**request, "data_dir": str(data_dir)}
    experiment = dataclasses.replace(experiment, asked=changed_request)
    write(kind, folder, experiment)
    return experiment


def _data_of_weights(folder: Path, asked: Mapping[str, Any]) -> str | None:
    """Return the data of the run that a request takes weights from; None if it takes none.

    The runs in the folder have the same data, and still exist if the run with the weights was removed.

    Raises:
        ZooError: there is no such run, or it is damaged.
    """
    if not asked.get("weights"):
        return None
    begun = sorted(path.parent for path in folder.glob(f"*/{run.DESCRIPTION}") if not path.parent.name.startswith("."))
    this = run.read(begun[0] if begun else Path(asked["weights"]))
    return this.data.source if this.data else None


def place_of_data(asked: Mapping[str, Any]) -> Path | None:
    """Return the `--data-dir` with which runs of a request find their data; None if they need none."""
    if asked.get("data"):
        source, argument = parse(asked["data"])
        if source.argument_is_path:
            return None if is_store(argument) else Path(argument)
    return Path(asked["data_dir"]) if asked.get("data_dir") else None


def begin(
    kind: Kind,
    folder: Path,
    asked: dict[str, Any],
    settled: dict[str, Any],
    seed: int,
    fill: Callable[[Path], None] = lambda folder: None,
) -> Experiment:
    """Make the folder of a request, whole or not at all; `fill` writes all files but the record."""
    experiment = Experiment(VERSION, json.loads(json.dumps(asked)), provenance.here(seed), settled)
    with files.staged_folder(folder) as staging:
        fill(staging)
        write(kind, staging, experiment)
    return experiment


@contextlib.contextmanager
def withdrawn_if_refused(folder: Path, begun: bool) -> Iterator[None]:
    """Remove a new folder if the block refuses the request before it has made a run.

    `begun` is True for a folder that an earlier call made: it stays.
    """
    try:
        yield
    except ZooError:
        if not begun and not any(folder.rglob(run.DESCRIPTION)):
            shutil.rmtree(folder)
        raise
