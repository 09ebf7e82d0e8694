"""Servers of TensorFlow's tf.data service, which make the batches of trainings on other machines."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from zoo.errors import ZooError
from zoo.tensorflow_setup import import_tensorflow

LAST_PORT = 65_535
"""The highest port of TCP."""

SECONDS_BETWEEN_LOOKS = 60.0

KEPT_SECONDS = 3600
"""The time after which a dataset is removed from a dispatcher's folder; its worker reads it within seconds."""


@dataclass(frozen=True)
class DataServers:
    """Servers that run in this process until the block of `serving` ends.

    Attributes:
        addresses: the addresses for `--tf-data-service`, which takes them separated by commas.
        folder: the folder in which the dispatchers keep datasets.
    """

    addresses: tuple[str, ...]
    folder: Path

    def wait(self) -> NoReturn:
        """Serve until an exception such as KeyboardInterrupt is raised."""
        while True:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            self.forget(time.time() - KEPT_SECONDS)

    def forget(self, oldest: float) -> None:
        """Remove the datasets that came before the time `oldest`: each epoch of a training sends another one."""
        for path in self.folder.glob("*/datasets/*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


@contextlib.contextmanager
def serving(host: str, port: int, count: int) -> Iterator[DataServers]:
    """Run `count` servers until the block ends.

    Args:
        host: the name by which trainings reach this machine.
        port: the port of the first server; its worker uses the next one, and so on, two ports for each server.
        count: the number of servers.

    Raises:
        ZooError: a port is taken or above the last one, or no machine has that name.
    """
    ports = range(port, port + 2 * count)
    if count < 1:
        raise ZooError(f"--servers {count}: at least 1 is needed")
    if ports[0] < 1 or ports[-1] > LAST_PORT:
        raise ZooError(f"--port {port}: {count} servers take {2 * count} ports from 1 to {LAST_PORT}, two each")
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise ZooError(f"--host {host!r:.60} is not the name of a machine ({error.strerror})") from None
    for server_port in ports:
        _refuse_taken(server_port)
    import_tensorflow()
    from tensorflow.data.experimental import service

    with contextlib.ExitStack() as stack:
        # With a folder, dispatchers keep datasets on disk instead of in memory.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="zoo-data-", ignore_cleanup_errors=True))
        addresses = []
        for number in range(count):
            dispatcher_port, worker_port = ports[2 * number], ports[2 * number + 1]
            dispatcher = service.DispatchServer(
                service.DispatcherConfig(
                    port=dispatcher_port, protocol="grpc", work_dir=str(Path(folder) / str(number))
                )
            )
            stack.callback(dispatcher.stop)
            worker = service.WorkerServer(
                service.WorkerConfig(
                    dispatcher_address=f"localhost:{dispatcher_port}",
                    worker_address=f"{host}:{worker_port}",
                    port=worker_port,
                    protocol="grpc",
                )
            )
            stack.callback(worker.stop)
            addresses.append(f"{host}:{dispatcher_port}")
        yield DataServers(tuple(addresses), Path(folder))


def _refuse_taken(port: int) -> None:
    try:
        socket.create_server(("", port)).close()
    except OSError as error:
        raise ZooError(f"port {port} cannot be used ({os.strerror(error.errno or 0)}): choose another --port") from None
