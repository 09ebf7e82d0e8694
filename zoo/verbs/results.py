"""The folders that verbs return, each with its description. Every verb takes them where it takes a path."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import artifact
from zoo.artifact import Manifest
from zoo.errors import ZooError, listed
from zoo.run import Run
from zoo.stores import refuse_store
from zoo.task import Score
from zoo.text import Say
from zoo.training.request import DataRequest

if TYPE_CHECKING:
    from zoo.data.load import BadExamples

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Folder(os.PathLike[str]):
    """A folder that a verb wrote. It is a path: `Path(folder)` and `open(folder)` see where it lies."""

    folder: Path

    def __fspath__(self) -> str:
        return str(self.folder)


@dataclass(frozen=True)
class RunFolder(Folder):
    """A run folder and what its `run.json` says."""

    run: Run

    @property
    def test_score(self) -> Score:
        """The score on the test split.

        Raises:
            ZooError: there is none, because the run was pulled.
        """
        if self.run.score is None:
            raise ZooError(f"{self.folder} has no score: 'zoo evaluate {self.folder} --data …' measures one")
        return self.run.score


@dataclass(frozen=True)
class ArtifactFolder(Folder):
    """An artifact folder and what its `manifest.json` says."""

    manifest: Manifest


def local_path(path: StrPath) -> Path:
    """Return `path` as a `Path`.

    Raises:
        ZooError: it names a place in an object store.
    """
    refuse_store(path)
    return Path(path)


def optional_path(path: StrPath | None) -> Path | None:
    """Return `path` as a `Path`, and None as None; `local_path` says which are refused."""
    return None if path is None else local_path(path)


def several_paths(paths: StrPath | Iterable[StrPath]) -> list[Path]:
    """Return one path or several as a list; `local_path` says which are refused."""
    return [local_path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]


def artifact_or_newest(place: StrPath | None, say: Say) -> Path:
    """Return `place`, or the newest artifact below `artifacts` where it is None, and say which.

    Raises:
        ZooError: there is no artifact below `artifacts`.
    """
    if place is not None:
        return local_path(place)
    newest = artifact.newest(Path("artifacts"))
    say(f"the newest artifact: {newest}")
    return newest


def column_options(**columns: str | None) -> dict[str, str]:
    """Return the names of columns that are given, as options of a data source."""
    return {name: value for name, value in columns.items() if value is not None}


def data_request(
    *,
    data: str | None,
    data_dir: StrPath | None,
    target_column: str | None,
    text_column: str | None,
    image_column: str | None,
    bad_examples: BadExamples | None,
) -> DataRequest:
    """Return the data that these arguments of a verb ask for."""
    options = column_options(target=target_column, text=text_column, image=image_column)
    return DataRequest(data, optional_path(data_dir), options, bad_examples or "error")


def settings_of(changes: Mapping[str, object] | Iterable[str], shorthands: Mapping[str, object]) -> list[str]:
    """Return changes of a recipe as `KEY=VALUE`, and those that have options of their own; a value of None is none."""
    written = _written(changes) if isinstance(changes, Mapping) else [*changes]
    return [*written, *_written(shorthands)]


def _written(changes: Mapping[str, object]) -> list[str]:
    return [f"{key}={value}" for key, value in changes.items() if value is not None]


def refuse_beside_resume(arguments: Mapping[str, object], allowed: Collection[str]) -> None:
    """Raise ZooError where `resume` comes with arguments that were decided when the run or the study was begun.

    Args:
        arguments: those of a verb, by name; None, False and empty ones are not given.
        allowed: the names of those that may come with `resume`.
    """
    given = [
        name
        for name, value in arguments.items()
        if name not in allowed and not (value is None or value is False or value in ((), [], {}))
    ]
    if given:
        raise ZooError(f"--resume goes on with what was asked for at the start: leave {listed(given)} out")
