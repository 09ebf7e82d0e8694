"""Which devices train together. Called before anything else touches TensorFlow, for devices are fixed at its start."""

from __future__ import annotations

from typing import Any, Literal

from zoo.errors import ZooError

Kind = Literal["auto", "single", "mirrored"]
MOST_LOGICAL_DEVICES = 16


def choose(kind: Kind = "auto", logical_cpus: int | None = None) -> Any:
    """The `tf.distribute` strategy to train under.

    `auto` mirrors when there are several devices: the GPUs, or the logical ones that `logical_cpus` splits the CPU
    into (for trying and testing; GPUs are then left alone). `single` uses the first device.

    Raises:
        ZooError: the devices cannot be had.
    """
    import tensorflow as tf

    if logical_cpus is not None:
        if not 1 <= logical_cpus <= MOST_LOGICAL_DEVICES:
            raise ZooError(f"--devices {logical_cpus}: 1 to {MOST_LOGICAL_DEVICES} logical CPU devices can be made")
        if kind == "single" and logical_cpus > 1:
            raise ZooError(f"--devices {logical_cpus} with --strategy single: one device trains, leave one of them out")
        devices = _split_cpu(logical_cpus)
    else:
        devices = [f"GPU:{number}" for number in range(len(tf.config.list_physical_devices("GPU")))] or ["CPU:0"]
    if kind == "mirrored" or (kind == "auto" and len(devices) > 1):
        return tf.distribute.MirroredStrategy(devices)
    return tf.distribute.OneDeviceStrategy(devices[0])


def _split_cpu(count: int) -> list[str]:
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError:
        raise ZooError(
            "TensorFlow has started already: the CPU is split into devices before, or in a process of its own"
        ) from None
    return [f"CPU:{number}" for number in range(count)]
