"""The whole state of a training in one file, from which an interrupted run continues bit for bit."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import run, schema, weights_file
from zoo.errors import ZooError
from zoo.schema import record
from zoo.text import Say

NEXT = "checkpoints/next.safetensors"
"""A checkpoint that is whole and has not taken the place of the last one yet."""


@record
class State:
    """The progress of a training.

    Attributes:
        epochs_done: the number of finished epochs.
        history: a row of metrics for each finished epoch.
        best_score: the best value of the task's best metric among them.
        best_epoch: the epoch that had it, counted from 1.
        steps_done: the steps of the epoch that is not finished.
        sums: the sums of the task over these steps.
        seconds: the time that these steps took.
    """

    epochs_done: int = 0
    history: tuple[dict[str, float], ...] = ()
    best_score: float | None = None
    best_epoch: int = 0
    steps_done: int = 0
    sums: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0

    def within(self, steps_done: int, sums: Mapping[str, float], seconds: float) -> State:
        """Return the state after so many steps of the epoch that is not finished."""
        return dataclasses.replace(self, steps_done=steps_done, sums=sums, seconds=seconds)

    def after(self, row: dict[str, float], best: str, higher_is_better: bool) -> State:
        """Return the state after one more epoch; the best epoch has the best value of the metric `best`."""
        state = dataclasses.replace(
            self.within(0, {}, 0.0), epochs_done=self.epochs_done + 1, history=(*self.history, row)
        )
        score = row[f"val_{best}"]
        if self.best_score is None or (score > self.best_score if higher_is_better else score < self.best_score):
            state = dataclasses.replace(state, best_score=score, best_epoch=state.epochs_done)
        return state


class Checkpoints:
    """The last two checkpoints of the run at `folder`, one of which is due every so many minutes.

    A worker beside the chief goes through the same, and does not write (`writes`).

    Whenever the process is killed, or the disk fills up, there is a whole checkpoint that is as new as the last that
    was saved, and another one before it.
    """

    def __init__(self, folder: Path, variables: Mapping[str, Any], minutes: float, writes: bool = True) -> None:
        self._next, self._last, self._previous = (folder / name for name in (NEXT, run.LAST, run.PREVIOUS))
        self._variables = variables
        self._minutes, self._time, self._writes = minutes, time.monotonic(), writes
        self._saved: State | None = None

    def due(self) -> bool:
        """Return whether the last checkpoint is old enough for another one."""
        return time.monotonic() - self._time >= 60 * self._minutes

    def save(self, state: State) -> None:
        """Write all variables and the state of the loop, unless that was the last to be saved.

        Raises:
            OSError: the disk is full or fails; the checkpoints that were there are there.
        """
        if state != self._saved and self._writes:
            weights_file.save(self._next, self._variables, {"state": json.dumps(schema.to_dict(state))})
            self._move_up()
        self._saved, self._time = state, time.monotonic()

    def restore(self, say: Say) -> State | None:
        """Set all variables to the last checkpoint and return the state of the loop; None where there is none.

        A last checkpoint that is damaged gives way to the one before it, and `say` is told.

        Raises:
            ZooError: all checkpoints are damaged, or of another network.
        """
        for left_over in self._last.parent.glob(f".*-{self._next.name}"):
            left_over.unlink()
        self._move_up()
        if not self._last.exists() and self._previous.exists():
            self._previous.replace(self._last)
        if not self._last.exists():
            return None
        try:
            arrays, text = weights_file.read(self._last)
        except ZooError as damage:
            try:
                arrays, text = weights_file.read(self._previous)
            except ZooError:
                raise damage from None
            say(f"{self._last} is damaged: {self._previous.name}, the checkpoint before it, takes its place")
            self._previous.replace(self._last)
        weights_file.assign(self._variables, arrays, str(self._last))
        self._saved = schema.parse(State, json.loads(text.get("state", "{}")), str(self._last))
        return self._saved

    def _move_up(self) -> None:
        """Let the next checkpoint, if there is one, become the last, and the last the previous one."""
        if not self._next.exists():
            return
        if self._last.exists():
            self._last.replace(self._previous)
        self._next.replace(self._last)
