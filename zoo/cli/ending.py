"""SIGTERM and SIGHUP end a command as Ctrl-C does: half-written files are removed and one line is printed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Ended(BaseException):
    """A signal asked this process to end. Not an `Exception`, so that code that handles errors does not catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `Ended` at the first signal of `SIGNALS` within the block, and ask the child processes to end.

    Signals that are ignored, as `nohup` does with SIGHUP, stay ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled_signals = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    received: list[int] = []

    def end(number: int, frame: Any) -> None:
        # A second signal must not interrupt the clean-up.
        for handled_signal in handled_signals:
            signal.signal(handled_signal, signal.SIG_IGN)
        received.append(number)
        _end_children()
        raise Ended(number)

    for number in handled_signals:
        signal.signal(number, end)
    try:
        yield
    except Exception as error:
        # Code in C that calls Python may turn `Ended` into an error of its own (tensorflow 2.21).
        if received:
            raise Ended(received[0]) from error
        raise
    finally:
        for number in handled_signals:
            signal.signal(number, signal.SIG_DFL)


def _end_children() -> None:
    """Terminate the child processes, so that code that waits for one continues and cleans up."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.terminate()
