"""A connection between two workers of a training, which carries one JSON object per line."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Any

LONGEST_LINE = 1 << 24
"""The longest line in bytes."""


class Connection:
    """A connection that carries one JSON object per line."""

    def __init__(self, stream: socket.socket) -> None:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream, self._file, self._lock = stream, stream.makefile("rb"), threading.Lock()

    def send(self, **message: Any) -> None:
        """Send a message; if that fails, the message is lost, and this side notices the failure when it reads."""
        with contextlib.suppress(OSError), self._lock:
            self.stream.sendall(json.dumps(message).encode() + b"\n")

    def read(self) -> dict[str, Any]:
        """Wait for a message and return it; return an empty one if the other side is gone."""
        try:
            value = json.loads(self._file.readline(LONGEST_LINE) or "{}")
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def close(self, reading: bool = False) -> None:
        """End the connection; with `reading`, also close the file, which no other thread may be reading."""
        with contextlib.suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)
        self.stream.close()
        if reading:
            self._file.close()
