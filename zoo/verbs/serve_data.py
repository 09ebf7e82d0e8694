"""`zoo.serve_data`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from zoo.data.servers import DataServers, serving


@contextlib.contextmanager
def serve_data(*, host: str = "localhost", port: int = 5050, workers: int = 1) -> Iterator[DataServers]:
    """Run servers of TensorFlow's tf.data service in this process, which make the batches of trainings.

    A context manager: the servers end with its block. `zoo.train(tf_data_service=...)` names their addresses.

    Args:
        host: the name by which trainings reach this machine.
        port: the port of the first dispatcher; its worker uses the next one, and so on, two ports for each worker.
        workers: the number of workers, each with its own dispatcher.

    Raises:
        ZooError: a port is taken or above the last one, or no machine has that name.
    """
    with serving(host, port, workers) as servers:
        yield servers
