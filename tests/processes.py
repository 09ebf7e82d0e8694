"""Processes that start with TensorFlow already imported, which saves four seconds of processor time.

Each process is forked from one that has only run its imports. It has its own process id, signals, exit status, folder,
environment variables and output. Tests of the imports themselves, and of `zoo` as a shell starts it, start a fresh
Python instead.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from multiprocessing import reduction
from pathlib import Path
from typing import Any

from zoo.tensorflow_setup import KERNELS

LIMIT = 240.0
"""The longest time in seconds that a test waits for what a process does within a moment."""

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["tests.preloaded"])


class Process:
    """`python -m PROGRAM ARGUMENT …`, or `python PROGRAM ARGUMENT …` where the program is a path.

    Its output goes to files that `communicate` reads, or to a terminal.

    Args:
        program: a module, or the path of a script.
        arguments: they become text.
        cwd: the working folder of the process.
        env: variables to change in the environment of this process; None removes one.
        terminal: the file descriptor of a terminal for all three streams.
        before: is called in the process before the program; it has to be picklable.
    """

    def __init__(
        self,
        program: str | Path,
        *arguments: object,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        terminal: int | None = None,
        before: Callable[[], object] | None = None,
    ) -> None:
        self._streams = [tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(3 if terminal is None else 0)]  # noqa: SIM115
        descriptors = [stream.fileno() for stream in self._streams] if terminal is None else [terminal] * 3
        # The fork server has imported TensorFlow with these variables, which zoo can no longer set in the process.
        variables = {**KERNELS, **os.environ, **(env or {})}
        folder = str(cwd or Path.cwd())
        self._process = _FORKED.Process(
            target=_run,
            args=(program, [str(one) for one in arguments], folder, variables, _Descriptors(descriptors), before),
        )
        self._process.start()
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit status, or minus the number of the signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same, as `subprocess.Popen` has it."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal to it, unless it has ended."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return the exit status.

        Raises:
            TimeoutError: it runs for longer than `timeout` seconds, and is killed.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            self.send_signal(signal.SIGKILL)
            raise TimeoutError(f"process {self.pid} did not end within {timeout:g} s")
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end, and return what it wrote to standard output and to standard error."""
        self.wait(timeout)
        said = []
        for stream in self._streams[1:]:
            stream.seek(0)
            said.append(stream.read())
        return said[0], said[1]


def run(program: str | Path, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a process as for `Process` to its end, at most 900 seconds."""
    process = Process(program, *arguments, **options)
    out, err = process.communicate(timeout=900)
    return subprocess.CompletedProcess([str(program), *map(str, arguments)], process.wait(), out, err)


def wait_for(happened: Callable[[], bool], process: Process | subprocess.Popen[str]) -> None:
    """Wait at most `LIMIT` seconds until something has happened, which a running process does."""
    end = time.monotonic() + LIMIT
    while not happened():
        # It may have happened just before the process ended.
        assert process.poll() is None or happened(), process.communicate()[1]
        if time.monotonic() > end:
            process.send_signal(signal.SIGKILL)
            raise TimeoutError(f"it has not happened within {LIMIT:g} s")
        time.sleep(0.02)


class _Descriptors:
    """File descriptors that another process gets copies of."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    def __reduce__(self) -> Any:
        return _detached, tuple(reduction.DupFd(number) for number in self.numbers)


def _detached(*copies: Any) -> list[int]:
    return [copy.detach() for copy in copies]


def _run(
    program: str | Path,
    arguments: list[str],
    folder: str,
    variables: dict[str, str | None],
    descriptors: list[int],
    before: Callable[[], object] | None,
) -> None:
    """In the new process: become the program."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    for descriptor in {*descriptors} - {0, 1, 2}:
        os.close(descriptor)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", closefd=False)
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    os.chdir(folder)
    sys.argv = [str(program), *arguments]
    if before:
        before()
    if isinstance(program, Path):
        runpy.run_path(str(program), run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__")
