"""The start of a training on several workers: they wait for each other and connect to the chief."""

from __future__ import annotations

import contextlib
import importlib.metadata
import socket
import time
from collections.abc import Iterator
from typing import Any

from zoo.errors import ZooError
from zoo.text import Say, silent
from zoo.training import worker_limits as limits
from zoo.training.cluster import Cluster
from zoo.training.team import ALONE, Team, WorkerLost, Workers
from zoo.training.worker_connection import Connection


@contextlib.contextmanager
def gathered(cluster: Cluster | None, say: Say = silent) -> Iterator[Team]:
    """Wait for all workers of a cluster, and yield their team; this worker leaves it when the block ends.

    Raises:
        ZooError: a worker does not come in time, or has another version or cluster.
        WorkerLost: another worker ended first; the message and the exit status are those of that worker.
    """
    if cluster is None:
        yield ALONE
        return
    say(f"waiting for {len(cluster.workers)} workers")
    team = Workers(cluster, _accept_workers(cluster) if cluster.chief else {0: _connect_to_chief(cluster)})
    try:
        yield team
    except BaseException as error:
        cause = team.cause(error)
        team.leave(cause)
        if cause is error:
            raise
        raise cause from None
    team.leave(None)


def _hello(cluster: Cluster) -> dict[str, Any]:
    return {
        "zoo": importlib.metadata.version("keras-zoo"),
        "worker": cluster.index,
        "workers": [*cluster.workers],
    }


def _accept_workers(cluster: Cluster) -> dict[int, Connection]:
    """Wait for the other workers, as the chief; return the connection to each, by index."""
    _, port = cluster.watch()
    connections: dict[int, Connection] = {}
    until = time.monotonic() + limits.JOIN_SECONDS
    try:
        dual = socket.has_dualstack_ipv6()
        server = socket.create_server(
            ("", port), family=socket.AF_INET6 if dual else socket.AF_INET, dualstack_ipv6=dual
        )
    except OSError as error:
        raise ZooError(
            f"port {port}, on which the chief listens to the other workers, cannot be used ({error.strerror}): "
            "free it, or give the workers other ports"
        ) from None
    with server:
        while len(connections) < len(cluster.workers) - 1:
            server.settimeout(max(0.01, until - time.monotonic()))
            try:
                stream, _ = server.accept()
            except TimeoutError:
                missing = [cluster.name(index) for index in range(1, len(cluster.workers)) if index not in connections]
                raise _refusal(
                    connections, f"{', '.join(missing)} did not come within {limits.JOIN_SECONDS:g} s"
                ) from None
            stream.settimeout(limits.GRACE_SECONDS)
            connection = Connection(stream)
            hello = connection.read()
            stream.settimeout(None)
            index = hello.get("worker")
            if not isinstance(index, int) or index not in range(1, len(cluster.workers)):
                connection.close(reading=True)
                continue
            connections[index] = connection
            if hello != {**_hello(cluster), "worker": index}:
                raise _refusal(
                    connections, f"{cluster.name(index)} has another version of zoo, or other workers than the chief"
                )
    for connection in connections.values():
        connection.send(go=True)
    return connections


def _refusal(connections: dict[int, Connection], why: str) -> ZooError:
    """Tell all workers that have come why the team cannot be formed, and return the error to raise."""
    why = f"{why}: start all workers with the same command and version"
    for connection in connections.values():
        connection.send(ended=why, status=limits.LOST)
        connection.close(reading=True)
    return WorkerLost(why)


def _connect_to_chief(cluster: Cluster) -> Connection:
    """Connect to the chief, as another worker; return the connection."""
    host, port = cluster.watch()
    until = time.monotonic() + limits.JOIN_SECONDS
    while time.monotonic() < until:
        try:
            connection = Connection(socket.create_connection((host, port), timeout=5))
        except OSError:
            time.sleep(0.2)
            continue
        connection.send(**_hello(cluster))
        connection.stream.settimeout(max(0.01, until - time.monotonic()))
        answer = connection.read()
        if "ended" in answer:
            connection.close(reading=True)
            raise WorkerLost(answer["ended"], answer["status"])
        if answer:
            connection.stream.settimeout(None)
            return connection
        # The chief has ended before all workers came, and may be started again.
        connection.close(reading=True)
        time.sleep(0.2)
    raise WorkerLost(
        f"{cluster.name(0)}, the chief, cannot be reached on port {port} for {limits.JOIN_SECONDS:g} s: "
        "start it, and let the workers reach that port"
    )
