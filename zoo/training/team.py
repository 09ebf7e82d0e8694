"""The team of a training's workers: they watch each other, end together, and get shared state from the chief.

In addition to TensorFlow's own connections, every worker has a connection to the chief. It carries a line of JSON each
second, so that a worker that is killed, hangs or is cut off is noticed and named: TensorFlow's collectives would wait
for it without saying so.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from zoo.errors import ZooError, one_line
from zoo.training import worker_limits as limits
from zoo.training.cluster import Cluster
from zoo.training.interruption import EndRequest, Interrupted
from zoo.training.worker_connection import Connection


class WorkerLost(ZooError):
    """Another worker has ended, was killed, or hangs."""

    def __init__(self, message: str, status: int = limits.LOST) -> None:
        super().__init__(message)
        self.exit_status = status


class Team:
    """The team of a training with a single worker, its chief."""

    index, count = 0, 1

    @property
    def chief(self) -> bool:
        """True if this process is the chief, which writes the run."""
        return self.index == 0

    def broadcast(self, text: str | None = None) -> str:
        """Return the chief's text on every worker."""
        assert text is not None, "a chief has a text"
        return text

    def spare_while(self, writing: Callable[[], bool]) -> None:
        """Give this worker more time to end after the loss of another one, while `writing` returns True."""

    def collective(self) -> AbstractContextManager[None]:
        """Mark a block that all workers enter together, and in which each waits for the others."""
        return contextlib.nullcontext()

    def asked(self, request: EndRequest) -> bool:
        """Return whether the training ends here, because a signal asked some worker to end.

        All workers make the same sequence of calls, and the same call returns True on all of them.
        """
        return bool(request)


ALONE = Team()
"""The team of a process that trains alone."""


class Workers(Team):
    """The team of several workers, seen from one of them.

    The workers end together as follows. When a signal asks a worker to end, that worker tells the chief. The chief
    holds each worker at its next call of `asked`, and learns how many calls each worker has passed. The numbers can
    differ, because a worker may already wait for the others in the next step. All workers therefore continue until
    each has passed the largest of these numbers of calls, and end there.
    """

    def __init__(self, cluster: Cluster, connections: dict[int, Connection]) -> None:
        self.index, self.count = cluster.index, len(cluster.workers)
        self.cluster, self._connections = cluster, connections
        self._changed = threading.Condition()
        self._signal: int | None = None  # that asked one of the workers to end
        self._passed, self._held = 0, False  # the calls of `asked`
        self._end: int | None = None
        self._passed_by: dict[int, int] = {}
        self._steps, self._inside = 0, False  # the blocks of `collective`
        self._steps_of: dict[int, int] = {}
        self._texts: deque[str] = deque()
        self._lost: WorkerLost | None = None
        self._gone: set[int] = set()
        self._leaving = False
        self._writing: Callable[[], bool] = lambda: False
        self._heard = dict.fromkeys(connections, time.monotonic())
        for index in connections:
            threading.Thread(target=self._listen, args=[index], daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def broadcast(self, text: str | None = None) -> str:
        """Return the chief's text on every worker; the others wait for it."""
        if self.chief:
            self._tell(share=super().broadcast(text))
            return super().broadcast(text)
        with self._changed:
            self._changed.wait_for(lambda: self._texts or self._lost)
            self._refuse_lost()
            return self._texts.popleft()

    def spare_while(self, writing: Callable[[], bool]) -> None:
        """Give this worker more time to end after the loss of another one, while `writing` returns True."""
        self._writing = writing

    @contextlib.contextmanager
    def collective(self) -> Iterator[None]:
        """Mark a block that all workers enter together, and in which each waits for the others.

        Raises:
            WorkerLost: a worker was lost before or in the block.
        """
        with self._changed:
            self._refuse_lost()
            self._steps += 1
            self._inside = True
        try:
            yield
        finally:
            self._inside = False

    def asked(self, request: EndRequest) -> bool:
        """Return whether the training ends here; `request` then has the signal that asked one of the workers to end."""
        with self._changed:
            if request and self._signal is None:
                self._ask(request.number)
            self._changed.wait_for(lambda: not self._held or self._lost)
            self._refuse_lost()
            if self._end is None or self._passed < self._end:
                self._passed += 1
                return False
            request.number, self._leaving = self._signal, True
            if not self.chief:
                # A scheduler may end all workers as soon as the first one has ended, so the chief must save first.
                self._changed.wait_for(lambda: 0 in self._gone)
            return True

    def cause(self, error: BaseException) -> BaseException:
        """Return the loss of another worker if that caused an error, otherwise the error itself."""
        if isinstance(error, Exception) and not isinstance(error, ZooError):
            # TensorFlow may notice first that a worker is gone, but does not know which one.
            with self._changed:
                self._changed.wait_for(lambda: self._lost, limits.GRACE_SECONDS)
                return self._lost or error
        return error

    def leave(self, error: BaseException | None) -> None:
        """Tell the others that this worker ends, with the reason if it ends before its work is done."""
        with self._changed:
            reason_known, self._leaving = self._leaving or isinstance(error, Interrupted | WorkerLost), True
        if error is None or reason_known:
            self._tell(bye=True)
        else:
            status = getattr(error, "exit_status", 130 if isinstance(error, KeyboardInterrupt) else limits.LOST)
            why = one_line(error, 500)
            self._tell(ended=f"{self.cluster.name(self.index)} ended: {why}", status=status)
        for connection in self._connections.values():
            connection.close()

    def _tell(self, **message: Any) -> None:
        for connection in self._connections.values():
            connection.send(**message)

    def _refuse_lost(self) -> None:
        if self._lost:
            raise self._lost

    def _listen(self, index: int) -> None:
        """Handle the messages of another worker until it leaves."""
        while message := self._connections[index].read():
            with self._changed:
                self._heard[index] = time.monotonic()
                if "bye" in message:
                    break
                if "ended" in message:
                    self._lose(message["ended"], message["status"])
                if "steps" in message:
                    self._steps_of[index] = message["steps"]
                if "share" in message:
                    self._texts.append(message["share"])
                if "ask" in message:
                    self._hold(message["ask"])
                if "hold" in message:
                    self._held, self._signal = True, message["hold"]
                    self._connections[index].send(passed=self._passed)
                if "passed" in message:
                    self._settle(index, message["passed"])
                if "end" in message:
                    self._held, self._end = False, message["end"]
                self._changed.notify_all()
        self._connections[index].close(reading=True)
        with self._changed:
            self._gone.add(index)
            self._changed.notify_all()
        if not message:
            self._lose(f"{self.cluster.name(index)} is gone: it was killed, or its machine failed")

    def _hold(self, number: int) -> None:
        """Hold all workers at their next call of `asked`, as the chief, because a signal asked one of them to end."""
        if self._signal is None:
            self._signal, self._held = number, True
            self._tell(hold=number)
            self._settle(self.index, self._passed)

    def _settle(self, index: int, passed: int) -> None:
        """Let all workers continue to the same call of `asked`, once each has said how many calls it has passed."""
        self._passed_by[index] = passed
        if len(self._passed_by) == self.count:
            self._end, self._held = max(self._passed_by.values()), False
            self._tell(end=self._end)
            self._changed.notify_all()

    def _lose(self, why: str, status: int = limits.LOST) -> None:
        """End this worker because another one is lost; the chief also ends all others."""
        with self._changed:
            if self._lost or self._leaving:
                return
            self._lost = WorkerLost(why, status)
            self._changed.notify_all()
        if self.chief:
            self._tell(ended=why, status=status)
        threading.Thread(target=self._end_process, daemon=True).start()

    def _end_process(self) -> None:
        """End this process if it does not end by itself: a thread that waits in a collective cannot be interrupted."""
        assert self._lost is not None
        inside, until = 0.0, time.monotonic() + limits.HARD_SECONDS
        # Outside of a collective, and while it writes a checkpoint, it may take longer.
        while inside < limits.GRACE_SECONDS and time.monotonic() < until:
            time.sleep(0.1)
            if self._leaving:
                return
            inside = inside + 0.1 if self._inside and not self._writing() else 0.0
        print(f"zoo: {self._lost}", file=sys.stderr, flush=True)
        os._exit(self._lost.exit_status)

    def _watch(self) -> None:
        """Send a line each second, and look for workers that hang."""
        woken = moved = time.monotonic()
        steps: dict[int, int] = {}
        while not self._leaving:
            time.sleep(limits.BEAT_SECONDS)
            now = time.monotonic()
            self._tell(steps=self._steps)
            with self._changed:
                if now - woken > limits.SILENT_SECONDS / 2:
                    # This process itself was stopped, and has not yet read the lines that the others sent.
                    self._heard, moved = dict.fromkeys(self._heard, now), now
                woken = now
                for index, heard in self._heard.items():
                    if index not in self._gone and now - heard > limits.SILENT_SECONDS:
                        name = self.cluster.name(index)
                        self._lose(f"{name} sends nothing for {limits.SILENT_SECONDS:g} s: it hangs, or is cut off")
                present = {**self._steps_of, self.index: self._steps}
                if present != steps:
                    steps, moved = present, now
                if self.chief and now - moved > limits.STALL_SECONDS:
                    self._lose_last(steps)

    def _ask(self, number: int | None) -> None:
        """Ask the chief to hold all workers, and hold this one from now on."""
        assert number is not None
        if self.chief:
            self._hold(number)
        else:
            self._held, self._signal = True, number
            self._tell(ask=number)

    def _lose_last(self, steps: dict[int, int]) -> None:
        """Declare the workers lost that the others wait for, unless all of them are in the same step.

        A worker that has come only to the first collective reads its data, which may take hours.
        """
        last = [index for index in sorted(steps) if 1 < steps[index] < max(steps.values())]
        if last and not self._gone:
            names = ", ".join(self.cluster.name(index) for index in last)
            self._lose(
                f"{names} did not come to the step in which the others have waited for {limits.STALL_SECONDS:g} s: "
                "it hangs"
            )


Within = Callable[[], AbstractContextManager[None]]
"""Marks a block in which workers wait for each other, as `Team.collective` does."""
