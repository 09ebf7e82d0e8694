"""The choice of the devices that train together, before the first use of TensorFlow fixes its devices."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from zoo.data.reading import untuned
from zoo.data.share import Share
from zoo.errors import ZooError
from zoo.training.cluster import Cluster, Kind
from zoo.training.team import ALONE, Team, Workers

MOST_LOGICAL_DEVICES = 16

NOT_REDUCED = {"uint32": "int64", "uint64": "int64", "bool": "int32", "uint8": "int32"}
"""The dtypes that TensorFlow's collectives (2.21) do not support, and the dtypes used instead."""

GENERATOR = "seed_generator_state"
"""The name of the state of Keras' random generators: a seed below 2³², and the number of draws so far."""


def choose(kind: Kind = "auto", logical_cpus: int | None = None, team: Team = ALONE) -> Any:
    """Choose the `tf.distribute` strategy of a training.

    Args:
        kind: `single` trains on the first device, `mirrored` on all devices of this machine, `multiworker` on all
            devices of all workers; `auto` on all available devices.
        logical_cpus: split the CPU into this many logical devices and train only on these, for trying and testing.
        team: the workers that train together.

    Raises:
        ZooError: the devices are not available.
    """
    import tensorflow as tf

    if isinstance(team, Workers):
        if logical_cpus is not None:
            raise ZooError(f"--devices {logical_cpus} is for a single machine: leave it out with several workers")
        return _of_workers(team)
    if logical_cpus is not None:
        if not 1 <= logical_cpus <= MOST_LOGICAL_DEVICES:
            raise ZooError(f"--devices {logical_cpus}: 1 to {MOST_LOGICAL_DEVICES} logical CPU devices can be made")
        if kind == "single" and logical_cpus > 1:
            raise ZooError(f"--devices {logical_cpus} with --strategy single: one device trains, leave one of them out")
        devices = _split_cpu(logical_cpus)
    else:
        devices = [f"GPU:{number}" for number in range(len(tf.config.list_physical_devices("GPU")))] or ["CPU:0"]
    if kind == "mirrored" or (kind != "single" and len(devices) > 1):
        return _mirrored(tuple(devices))
    return tf.distribute.OneDeviceStrategy(devices[0])


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> Any:
    """Return the strategy of these devices, the same one in all trainings of this process.

    A second strategy would number its collective operations as the first one did (tensorflow 2.21), so that
    operations of the second training would meet those of the first, with other shapes.
    """
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices)


def _split_cpu(count: int) -> list[str]:
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError:
        raise ZooError(
            "TensorFlow has started already, and its devices are fixed: use --devices in a new process"
        ) from None
    return [f"CPU:{number}" for number in range(count)]


def _of_workers(team: Workers) -> Any:
    import tensorflow as tf

    cluster: Cluster = team.cluster
    gpus = len(tf.config.list_physical_devices("GPU"))
    check_gpus(team, gpus)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": [*cluster.workers]}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": gpus},
        rpc_layer="grpc",
    )
    try:
        with team.collective():
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:
        raise ZooError(f"TensorFlow cannot join the workers ({error}): train in a new process") from None


def check_gpus(team: Team, gpus: int) -> None:
    """Compare the number of GPUs of this worker with the chief's: TensorFlow (2.21) does not notice a difference.

    Raises:
        ZooError: they differ.
    """
    chiefs = int(team.broadcast(str(gpus) if team.chief else None))
    if gpus != chiefs:
        raise ZooError(
            f"this worker has {gpus} GPUs, and the chief {chiefs}: give all workers the same number of GPUs, for "
            "example with CUDA_VISIBLE_DEVICES"
        )


def share_of(strategy: Any) -> Share:
    """Return the share of every batch that this worker reads."""
    count = strategy.num_replicas_in_sync // len(strategy.extended.worker_devices)
    return Share(strategy.cluster_resolver.task_id, count) if count > 1 else Share()


def distributed(strategy: Any, batches: Any, batch_size: int) -> Any:
    """Return this worker's share of batches of `batch_size` examples, distributed to its replicas.

    For GPUs, TensorFlow (2.21) makes a dataset for each device, which it tunes in spite of `untuned`.
    """
    batches = untuned(batches)
    devices = strategy.extended.worker_devices
    cpus = "CPU" in devices[0]
    if cpus and len(devices) == 1:
        # Making the iterator of a strategy takes 0.1 s, for every epoch and every evaluation (TensorFlow 2.21).
        return batches
    if not cpus and len(devices) == strategy.num_replicas_in_sync:
        return strategy.experimental_distribute_dataset(batches)
    smaller = batches.rebatch(batch_size // strategy.num_replicas_in_sync, drop_remainder=True)
    return _OnCpus(strategy, smaller) if cpus else strategy.distribute_datasets_from_function(lambda context: smaller)


class _OnCpus:
    """Batches for several logical CPU devices, made of the parts for their replicas without datasets of the devices."""

    def __init__(self, strategy: Any, parts: Any) -> None:
        self._strategy, self._parts = strategy, parts

    @property
    def element_spec(self) -> Any:
        """The type of a batch."""
        return self._strategy.distribute_datasets_from_function(lambda context: self._parts).element_spec

    def __iter__(self) -> Iterator[Any]:
        """Yield batches."""
        parts = iter(self._parts)
        for batch in zip(*[parts] * self._strategy.num_replicas_in_sync, strict=True):
            yield self._strategy.experimental_distribute_values_from_function(
                lambda context, batch=batch: batch[context.replica_id_in_sync_group]
            )


def draw_apart(strategy: Any, variables: Mapping[str, Any]) -> None:
    """Let every replica draw random numbers of its own, such as for dropout.

    Keras (3.15) gives all replicas the same state, so that each would drop the same units of its part of a batch. Here
    the number of a replica is added to its seed, above the 32 bits that the seed takes. The state of the first one does
    not change, so that any number of replicas continues from its checkpoint.

    Args:
        strategy: as `choose` returns it.
        variables: all variables of the network, by `layer/variable`.
    """
    if strategy.num_replicas_in_sync == 1:
        return
    first = share_of(strategy).index * len(strategy.extended.worker_devices)
    for name, variable in variables.items():
        if name.endswith(f"/{GENERATOR}"):
            for replica, state in enumerate(strategy.experimental_local_results(variable.value), start=first):
                seed, draws = state.numpy().tolist()
                state.assign([seed % 2**32 + replica * 2**32, draws])


def take_from_chief(strategy: Any, variables: Iterable[Any]) -> None:
    """Give variables on all workers the values that they have on the chief."""
    import tensorflow as tf

    def on_replica(values: list[Any]) -> list[Any]:
        context = tf.distribute.get_replica_context()
        first = tf.equal(context.replica_id_in_sync_group, 0)
        kept = [tf.where(first, value, tf.zeros_like(value)) for value in values]
        return context.all_reduce(tf.distribute.ReduceOp.SUM, kept)

    @tf.function
    def from_chief(values: list[Any]) -> Any:
        return strategy.run(on_replica, (values,))

    # Tensors of one dtype are reduced together.
    groups: dict[str, list[Any]] = {}
    for variable in variables:
        groups.setdefault(variable.numpy().dtype.name, []).append(variable)
    for name, group in groups.items():
        values = [tf.constant(variable.numpy(), NOT_REDUCED.get(name, name)) for variable in group]
        for variable, chief_value in zip(group, from_chief(values), strict=True):
            variable.assign(strategy.experimental_local_results(chief_value)[0].numpy().astype(name))
