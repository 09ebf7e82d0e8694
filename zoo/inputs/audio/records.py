"""Clips in records of tf.Example: encoded files, or samples as numbers of an int64 or float list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.inputs.audio import wav

MOST_OVERSHOOT = 1.5
"""The largest float that is taken for a sample: decoders exceed 1 a little, and integers exceed it by far."""


@dataclass(frozen=True, slots=True)
class RecordClip:
    """A clip in a record file: the feature `key` of the tf.Example in the `length` bytes from `offset` on.

    `rate` and `channels` describe samples that are stored as numbers.
    """

    path: str
    offset: int
    length: int
    key: str
    rate: int
    channels: int

    def read(self) -> bytes:
        """Read the clip as an encoded file.

        Raises:
            ZooError: the file cannot be read any more.
        """
        import tensorflow as tf

        try:
            with Path(self.path).open("rb") as file:
                file.seek(self.offset)
                record = file.read(self.length)
        except OSError as error:
            raise ZooError(f"{self.path} can no longer be read ({error.strerror}): start again") from None
        value = tf.train.Example.FromString(record).features.feature[self.key]
        return encoded(value, self.rate, self.channels)


def encoded(value: Any, rate: int, channels: int) -> bytes:
    """Return a feature of a tf.Example as an encoded file; numbers become a 16-bit WAV.

    Raises:
        ZooError: integers are beyond 16 bits, floats are beyond `MOST_OVERSHOOT` or no numbers, or the channels are of
            different lengths.
    """
    if value.bytes_list.value:
        return bytes(value.bytes_list.value[0])
    integers = np.array(value.int64_list.value, np.int64)
    samples = integers / wav.FULL_SCALE if len(integers) else np.array(value.float_list.value, np.float32)
    if len(samples) % channels:
        raise ZooError(f"{len(samples)} samples are not of {channels} channels")
    if len(integers) and not (integers.min() >= -wav.FULL_SCALE and integers.max() < wav.FULL_SCALE):
        raise ZooError("samples beyond 16 bits")
    if not np.isfinite(samples).all():
        raise ZooError("samples that are not numbers")
    loudest = float(np.abs(samples).max(initial=0))
    if loudest > MOST_OVERSHOOT:
        raise ZooError(f"samples of up to {loudest:g} as floats, which should lie within 1: divide them by full scale")
    return wav.written(samples.reshape(-1, channels), rate)
