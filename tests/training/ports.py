"""Clusters of workers on the loopback interface, for tests."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket

from zoo.training.cluster import Cluster

_next = itertools.count(os.getpid() % 700 * 16)


def on_loopback(count: int) -> Cluster:
    """A cluster of the given number of workers, as the chief sees it, with free ports for workers and their watch.

    The ports are below those that the system assigns by itself, so that no other program takes them meanwhile.
    """
    while True:
        first = 20000 + next(_next) * 8 % 12000
        ports = range(first, first + count + 1)
        with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
            for port in ports:
                opened.enter_context(socket.create_server(("127.0.0.1", port)))
            return Cluster(tuple(f"127.0.0.1:{port}" for port in ports[:-1]), 0)
