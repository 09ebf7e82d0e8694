"""Clusters on the loopback."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket

from zoo.training.cluster import Cluster

_next = itertools.count(os.getpid() % 700 * 16)


def on_loopback(count: int) -> Cluster:
    """A cluster of so many workers, as the chief sees it, whose ports and whose watch's are free.

    They are below those that the system hands out by itself, so that nobody takes them meanwhile.
    """
    while True:
        first = 20000 + next(_next) * 8 % 12000
        ports = range(first, first + count + 1)
        with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
            for port in ports:
                opened.enter_context(socket.create_server(("127.0.0.1", port)))
            return Cluster(tuple(f"127.0.0.1:{port}" for port in ports[:-1]), 0)
