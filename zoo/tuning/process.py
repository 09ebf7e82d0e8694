"""The processes that train trials, seen from the process that searches.

Both sides write lines of JSON in turn: each message gets one answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any

from zoo.child_process import PYTHON_MODULE, raise_error
from zoo.errors import ZooError

MODULE = "zoo.verbs.trial_process"
"""The module that runs in the process. It imports the export, which this package must not do."""

SECONDS_TO_END = 10.0
"""The time that a process gets to end by itself when it is no longer needed, before it is killed."""


class Died(Exception):
    """The process ended without an answer."""

    def __init__(self, status: int) -> None:
        hint = ", perhaps because memory is short" if status < 0 else ""
        super().__init__(f"its process ended with status {status}{hint}")


class StudyEnds(ZooError):
    """No trial can be trained now, for a reason that has nothing to do with the values of the trial."""


class TrialProcess:
    """A process that carries out messages. It ends with the process that started it, however that one ends."""

    def __init__(self, threads: int | None = None, lock: int | None = None) -> None:
        """Start the process.

        Args:
            threads: the number of TensorFlow's threads in each of several processes; None for a process that is alone.
            lock: the descriptor of a lock that the process holds as long as it lives.
        """
        environment = dict(os.environ)
        if threads is not None:
            environment |= {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": str(threads)}
        # The process is not in the terminal's process group: Ctrl-C reaches this process only, which then ends it.
        self._process = subprocess.Popen(
            [*PYTHON_MODULE, MODULE, json.dumps(sys.argv)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
        )

    def __enter__(self) -> TrialProcess:
        return self

    def __exit__(
        self, error_class: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, at once if there was an error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if error_class:
            self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def fileno(self) -> int:
        """Return the descriptor that can be read when there is an answer."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def send(self, **message: Any) -> None:
        """Send a message; its only key names the request."""
        assert self._process.stdin is not None
        # If the process has died, `answer` reports it.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Wait for an answer.

        Raises:
            Died: the process has ended without an answer.
            StudyEnds: no message of this kind can be carried out now.
            ZooError: the process refused the message.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise Died(self._process.wait())
        answer: dict[str, Any] = json.loads(line)
        if "ends" in answer:
            raise StudyEnds(answer["ends"])
        raise_error(answer)
        return answer
