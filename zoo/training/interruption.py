"""Signals that ask a training to end, deferred until its state is saved."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupted(KeyboardInterrupt):
    """A training has saved its state and ends, because a signal asked it to."""


class EndRequest:
    """The request of a signal that the training should end; it is false until a signal comes."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __bool__(self) -> bool:
        """Return whether the training should end."""
        return self.number is not None


@contextlib.contextmanager
def deferred() -> Iterator[EndRequest]:
    """Yield the request that the first signal within the block makes; raise that signal again after the block.

    A second signal takes effect at once. Signals that are ignored, as `nohup` does with SIGHUP, stay ignored. Outside
    of the main thread, where Python allows no signal handlers, nothing is deferred.
    """
    request = EndRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    # None stands for a handler that was not set from Python, and could not be restored.
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    handlers = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}

    def put_back() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    def defer(number: int, frame: FrameType | None) -> None:
        if not request:
            request.number = number
            return
        put_back()
        signal.raise_signal(number)

    for number in handlers:
        signal.signal(number, defer)
    try:
        yield request
    finally:
        put_back()
        if request.number is not None:
            signal.raise_signal(request.number)
