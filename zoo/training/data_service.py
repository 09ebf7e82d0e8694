"""The batches of a training from servers of TensorFlow's tf.data service.

A server is a dispatcher with one worker, as `zoo data serve` starts it, because TensorFlow 2.21 keeps batches in order
only within one worker. With several workers, either each makes every batch (`ShardingPolicy.OFF`), or batches come in
the order in which workers are ready (`DYNAMIC`). So the servers take turns: of N servers, each makes every Nth batch,
and this process takes them in order. The batches equal those that this process would make, bit for bit.
"""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from zoo.data.reading import each_batch, reason, untuned
from zoo.data.share import Share
from zoo.errors import ZooError
from zoo.training.cluster import ADDRESS

SECONDS = 5.0
"""The longest wait for the answer of a server."""

PATIENCE = 2.0
"""The longest wait for a batch before this process checks whether its servers answer."""

PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""The operations that call Python."""

IGNORE_STATE = 1
"""The external-state policy of `tf.raw_ops.DatasetToGraphV2` that ignores state, since the graph is only inspected."""

OUT_OF_ORDER = "a batch was lost, or a worker was started again"

GO_ON = "continue with 'zoo train --resume RUN', with servers that answer or without --tf-data-service"

Make = Callable[[Share], Any]
"""Makes a share of the batches of an epoch, as a tf.data.Dataset."""


def connect(text: str | None) -> DataService | None:
    """Return the service at `ADDRESS[,ADDRESS…]`; None if no address is given.

    Raises:
        ZooError: an address is malformed or named twice, does not answer, or has no worker or several.
    """
    if text is None:
        return None
    addresses = tuple(text.split(","))
    for address in addresses:
        if not ADDRESS.fullmatch(address):
            raise ZooError(f"--tf-data-service {address!r:.60}: write HOST:PORT, or several of them with commas")
        if addresses.count(address) > 1:
            raise ZooError(f"--tf-data-service names {address} twice: name each server once")
    service = DataService(addresses)
    service.refuse_silent("start 'zoo data serve' there, or leave --tf-data-service out")
    return service


@dataclass(frozen=True)
class DataService:
    """Servers of one worker each, which make the batches of a training in turns."""

    addresses: tuple[str, ...]

    def batches(self, make: Make, share: Share) -> Any:
        """Let the servers make the batches that `make` returns for a share.

        Raises:
            ZooError: a server no longer answers, or refuses the batches.
        """
        import tensorflow as tf

        requests = [*zip(self.addresses, self._turns(make, share), strict=True)]
        streams = self._arrived(_in_thread(lambda: [_served(address, batches) for address, batches in requests]))
        if len(streams) == 1:
            return streams[0]
        return tf.data.Dataset.choose_from_datasets(streams, tf.data.Dataset.range(len(streams)).repeat())

    def arriving(self, batches: Iterable[Any], before_end: Callable[[], None] = lambda: None) -> Iterator[Any]:
        """Yield batches as they come from the servers.

        Args:
            batches: the result of `batches`, possibly distributed by a strategy.
            before_end: called before an error is raised.

        Raises:
            ZooError: a server no longer answers, or has failed.
        """
        nothing = object()
        try:
            iterator = self._arrived(_in_thread(lambda: iter(batches)))
            while (batch := self._arrived(_in_thread(lambda: next(iterator, nothing)))) is not nothing:
                yield batch
        except ZooError:
            before_end()
            raise

    def _arrived(self, future: Future[Any]) -> Any:
        """Wait for the result of a thread that asks the servers, and check meanwhile that they answer.

        TensorFlow itself waits forever for a server that is gone.
        """
        from tensorflow.errors import OpError

        while True:
            try:
                return future.result(PATIENCE)
            except TimeoutError:
                self.refuse_silent(GO_ON)
            except OpError as error:
                where = ", ".join(self.addresses)
                raise ZooError(f"the tf.data service at {where} failed ({reason(error)}): {GO_ON}") from None

    def try_out(self, make: Make, share: Share, plural: str) -> None:
        """Compare the first batch of each server with that of this process.

        Args:
            make: makes a share of the batches.
            share: the share of this worker.
            plural: the word for the examples in messages.

        Raises:
            ZooError: the examples are read by Python, which servers do not run, or a batch differs.
        """
        for address, batches in zip(self.addresses, self._turns(make, share), strict=True):
            if _runs_python(batches):
                raise ZooError(
                    f"--tf-data-service: these {plural} are read by Python, which servers do not run: use folders of "
                    "gray or RGB JPEG files and of PNG files without color profiles and compressed or international "
                    "texts, small images in memory, tables or texts, or leave it out"
                )
            first = batches.take(1)
            if _values(first) != _values(self.arriving(_served(address, first))):
                raise ZooError(
                    f"the first batch of the tf.data service at {address} differs from that of this machine: install "
                    "the same versions of zoo and TensorFlow there, and let it see the same files at the same paths"
                )

    def refuse_silent(self, how_to_mend: str) -> None:
        """Raise ZooError when a server does not answer in time, or does not have one worker that can be reached."""
        for address in self.addresses:
            workers = _workers(address)
            if workers is None:
                raise ZooError(f"the tf.data service at {address} does not answer: {how_to_mend}")
            if len(workers) != 1:
                raise ZooError(
                    f"the tf.data service at {address} has {len(workers)} workers, and only a single one keeps batches "
                    f"in order: {how_to_mend}"
                )
            if not _listens(workers[0]):
                raise ZooError(
                    f"the worker of the tf.data service at {address} does not answer at {workers[0]}, which --host of "
                    f"'zoo data serve' named: {how_to_mend}"
                )

    def _turns(self, make: Make, share: Share) -> list[Any]:
        count = len(self.addresses)
        return [make(dataclasses.replace(share, turn=turn, turns=count)) for turn in range(count)]


def arriving(
    service: DataService | None, batches: Iterable[Any], before_end: Callable[[], None] = lambda: None
) -> Iterator[Any]:
    """Yield batches as they come from the servers, or from this process if there is no service.

    Args:
        service: the service.
        batches: the batches of an epoch, possibly distributed by a strategy.
        before_end: called before an error is raised.

    Raises:
        ZooError: the service fails, or an example can no longer be read.
    """
    return service.arriving(batches, before_end) if service else each_batch(batches, before_end)


def _served(address: str, batches: Any) -> Any:
    """Return batches that a server makes; a missing or repeated batch is an error when the dataset is read."""
    import tensorflow as tf
    from tensorflow.data.experimental import service

    def in_order(position: Any, numbered: tuple[Any, Any]) -> Any:
        number, batch = numbered
        # After a failed connection, TensorFlow asks again, but the worker may have discarded the batch that was sent.
        with tf.control_dependencies([tf.debugging.assert_equal(number, position, OUT_OF_ORDER)]):
            return tf.nest.map_structure(tf.identity, batch)

    count = int(batches.cardinality())
    try:
        sent = untuned(batches).enumerate()
        received = sent.apply(service.distribute(service.ShardingPolicy.OFF, f"grpc://{address}"))
    except tf.errors.OpError as error:
        raise ZooError(f"the tf.data service at {address} refuses the batches ({reason(error)}): {GO_ON}") from None
    with tf.device("CPU"):
        received = received.enumerate().map(tf.autograph.experimental.do_not_convert(in_order))
    return received.apply(tf.data.experimental.assert_cardinality(count)) if count >= 0 else received


def _runs_python(batches: Any) -> bool:
    """Return whether any operation that makes the batches calls Python."""
    import tensorflow as tf

    variant = tf.data.experimental.to_variant(batches)
    text = tf.raw_ops.DatasetToGraphV2(input_dataset=variant, external_state_policy=IGNORE_STATE)
    graph = tf.compat.v1.GraphDef.FromString(text.numpy())
    graphs = (graph.node, *(function.node_def for function in graph.library.function))
    return any(node.op in PYTHON for nodes in graphs for node in nodes)


def _values(batches: Iterable[Any]) -> list[list[tuple[str, bytes]]]:
    """Return dtype, shape and bytes of all tensors of batches."""
    import tensorflow as tf

    arrays = ([tensor.numpy() for tensor in tf.nest.flatten(batch)] for batch in batches)
    return [[(f"{array.dtype}{array.shape}", array.tobytes()) for array in batch] for batch in arrays]


def _workers(address: str) -> list[str] | None:
    """Return the addresses of a dispatcher's workers; None if it does not answer.

    TensorFlow has no function for this. Both messages of the answer have the wire format of a BytesList: a list of
    workers, and for each worker a text, its address (tensorflow/core/data/service/dispatcher.proto).
    """
    import grpc
    import tensorflow as tf

    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary("/tensorflow.data.DispatcherService/GetWorkers")
        try:
            answer = ask(b"", timeout=SECONDS)
        except grpc.RpcError:
            return None
    workers = tf.train.BytesList.FromString(answer).value
    return [tf.train.BytesList.FromString(worker).value[0].decode() for worker in workers]


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def _in_thread(function: Callable[[], Any]) -> Future[Any]:
    """Call a function in a daemon thread, which does not keep the process from ending."""
    future: Future[Any] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future
