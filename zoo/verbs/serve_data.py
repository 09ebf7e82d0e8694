"""`zoo.serve_data`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from zoo.data.servers import DataServers, serving


@contextlib.contextmanager
def serve_data(*, host: str = "localhost", port: int = 5050, servers: int = 1) -> Iterator[DataServers]:
    """Run servers of TensorFlow's tf.data service in this process, which make the batches of trainings.

    A context manager: the servers end with its block. `zoo.train(tf_data_service=...)` names their addresses.

    Args:
        host: the name by which trainings reach this machine.
        port: the first port; each server takes two.
        servers: the number of servers. One uses all processors of the machine.

    Raises:
        ZooError: a port is taken or above the last one, or no machine has that name.
    """
    with serving(host, port, servers) as running:
        yield running
