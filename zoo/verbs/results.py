"""The folders that verbs return, each with its description. Every verb accepts them in place of a path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zoo.artifact import Manifest
from zoo.errors import ZooError
from zoo.run import Run
from zoo.task import Score, task_of


@dataclass(frozen=True)
class Folder(os.PathLike[str]):
    """A folder that a verb wrote. It can be used as a path, such as in `Path(folder)`."""

    folder: Path

    def __fspath__(self) -> str:
        return str(self.folder)


@dataclass(frozen=True)
class RunFolder(Folder):
    """A run folder and the content of its `run.json`."""

    run: Run

    @property
    def test_score(self) -> Score:
        """The score on the test split.

        Raises:
            ZooError: the run has no score, because it was pulled or pretrained.
        """
        if task_of(self.run.model).pretext:
            raise ZooError(f"{self.folder} is pretrained and has no score: train it with 'zoo train --weights' first")
        if self.run.score is None:
            raise ZooError(f"{self.folder} has no score: 'zoo evaluate {self.folder} --data …' measures one")
        return self.run.score


@dataclass(frozen=True)
class ArtifactFolder(Folder):
    """An artifact folder and the content of its `manifest.json`."""

    manifest: Manifest
