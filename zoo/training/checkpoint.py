"""The whole state of a training in one file, from which an interrupted run continues with identical results."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import run, schema, weights_file
from zoo.errors import ZooError
from zoo.schema import record
from zoo.text import Say

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np

NEXT, NEXT_BEST = "checkpoints/next.safetensors", "checkpoints/next_best.safetensors"
"""A checkpoint that is complete, but has not replaced the last one yet; and the weights of its epoch, if that is the
best one."""


@record
class State:
    """The progress of a training.

    Attributes:
        epochs_done: the number of finished epochs.
        history: a row of metrics for each finished epoch.
        best_score: the best value among these epochs of the metric that chooses the best epoch.
        best_epoch: the epoch with this value, counted from 1.
        steps_done: the number of steps done in the unfinished epoch.
        sums: the sums of the task over these steps.
        seconds: the time that these steps took.
        stopped: a callback has stopped the training. An unfinished epoch is then still evaluated.
    """

    epochs_done: int = 0
    history: tuple[dict[str, float], ...] = ()
    best_score: float | None = None
    best_epoch: int = 0
    steps_done: int = 0
    sums: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    stopped: bool = False

    def within(self, steps_done: int, sums: Mapping[str, float], seconds: float) -> State:
        """Return the state after `steps_done` steps of the unfinished epoch."""
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
    """The last two checkpoints of the run at `folder`, and the best weights; one is due every `minutes` minutes.

    The training stops only while all variables are copied; a thread writes the copies while it goes on. As a context
    manager, it waits at its end until the last checkpoint is written.

    Workers other than the chief make the same calls, but do not write (`writes` is False).

    If the process is killed or the disk fills up at any moment, the last checkpoint that was saved is still complete,
    and so is the one before it. The best weights are always those of the epoch that the last checkpoint calls the best.
    """

    def __init__(self, folder: Path, variables: Mapping[str, Any], minutes: float, writes: bool = True) -> None:
        self._next, self._last, self._previous = (folder / name for name in (NEXT, run.LAST, run.PREVIOUS))
        self._next_best, self._best = folder / NEXT_BEST, folder / run.BEST
        self._variables = variables
        self._minutes, self._time, self._writes = minutes, time.monotonic(), writes
        self._saved: State | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def __enter__(self) -> Checkpoints:
        """Return the checkpoints."""
        return self

    def __exit__(
        self, error_class: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until the last checkpoint is written; raise OSError if that fails and nothing else was raised."""
        try:
            self.wait()
        except OSError:
            if error is None:
                raise
        finally:
            self._thread.shutdown()

    def due(self) -> bool:
        """Return whether a new checkpoint is due, or writing the last one has failed, which `save` then raises."""
        failed = self._writing is not None and self._writing.done() and self._writing.exception() is not None
        return failed or time.monotonic() - self._time >= 60 * self._minutes

    def save(self, state: State, best: Mapping[str, Any] | None = None) -> None:
        """Begin to write all variables and the state of the loop, unless this state was the last to be saved.

        Args:
            state: the state of the loop.
            best: the weights to evaluate, by name, if they are the best so far; else None.

        Raises:
            OSError: the checkpoint before this one could not be written: the disk is full or fails. The earlier
                checkpoints and the best weights are unchanged.
        """
        if state == self._saved:
            return
        self.wait()
        if self._writes:
            arrays = weights_file.values(self._variables)
            best_arrays = None if best is None else weights_file.values(best)
            self._writing = self._thread.submit(self._write, state, arrays, best_arrays)
        self._saved, self._time = state, time.monotonic()

    def writing(self) -> bool:
        """Return whether a checkpoint is being written."""
        return self._writing is not None and not self._writing.done()

    def wait(self) -> None:
        """Wait until the last checkpoint is written.

        Raises:
            OSError: it could not be written, see `save`.
        """
        writing, self._writing = self._writing, None
        if writing is None:
            return
        try:
            writing.result()
        except BaseException:
            self._saved = None
            raise

    def _write(self, state: State, arrays: Mapping[str, np.ndarray], best: Mapping[str, np.ndarray] | None) -> None:
        """Write a checkpoint, and the best weights if it has them, in place of the last one."""
        if best is not None:
            weights_file.save(self._next_best, best)
        weights_file.save(self._next, arrays, {"state": json.dumps(schema.to_dict(state))})
        self._move_up()

    def restore(self, say: Say) -> State | None:
        """Set all variables to the last checkpoint and return the state of the loop; None if there is no checkpoint.

        If the last checkpoint is damaged, the one before it is used, and `say` is called with a line about it.

        Raises:
            ZooError: all checkpoints are damaged, or belong to another network.
            OSError: the last checkpoint could not be written, see `save`.
        """
        self.wait()
        for name in (self._next.name, self._next_best.name):
            for left_over in self._last.parent.glob(f".*-{name}"):
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
            self._next_best.unlink(missing_ok=True)
            return
        if self._last.exists():
            self._last.replace(self._previous)
        if self._next_best.exists():
            self._next_best.replace(self._best)
        self._next.replace(self._last)
