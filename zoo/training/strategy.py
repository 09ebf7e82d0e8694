"""The devices that train together. Chosen before anything else uses TensorFlow, whose start fixes its devices."""

from __future__ import annotations

from typing import Any, Literal

from zoo.errors import ZooError

Kind = Literal["auto", "single", "mirrored"]
MOST_LOGICAL_DEVICES = 16


def choose(kind: Kind = "auto", logical_cpus: int | None = None) -> Any:
    """Choose the `tf.distribute` strategy of a training.

    Args:
        kind: `single` trains on the first device, `mirrored` on all, `auto` on all when there are several.
        logical_cpus: split the CPU into this many logical devices and train on these alone, for trying and testing.

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
            "TensorFlow has started already, and its devices are fixed: use --devices in a new process"
        ) from None
    return [f"CPU:{number}" for number in range(count)]
