"""SIGTERM and SIGHUP end a command as Ctrl-C does: what it was writing is removed, and it says one line."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Ended(BaseException):
    """A signal asked this process to end; as it is no `Exception`, nobody takes it for an error of theirs."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block, the first such signal raises `Ended` in the main thread, and ends the child processes.

    Signals that are ignored, as `nohup` has it, stay ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_DFL]

    def end(number: int, frame: Any) -> None:
        # A second one must not interrupt the removing.
        for one in taken:
            signal.signal(one, signal.SIG_IGN)
        _end_children()
        raise Ended(number)

    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _end_children() -> None:
    """Ask them to end: whoever waits for one goes on, and removes what it has made."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.terminate()
