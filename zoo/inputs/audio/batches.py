"""Batches of clips by tf.data, for training and evaluating networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.reading import PREFETCHED
from zoo.data.share import WHOLE, Share, check_batch
from zoo.inputs.audio.augment import RANDOM_NUMBERS, augmented, mask_numbers, masked
from zoo.inputs.audio.client import LOG_MEL, WAVEFORM, encode
from zoo.inputs.audio.features import network_inputs
from zoo.inputs.audio.preprocessing import AudioPreprocessing
from zoo.inputs.audio.settings import AudioSettings
from zoo.provenance import usable_cpus


def training_batches(
    clips: Examples,
    preprocessing: AudioPreprocessing,
    settings: AudioSettings,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    start: int = 0,
    share: Share = WHOLE,
) -> Any:
    """Return one epoch as a tf.data.Dataset of (network inputs by name, targets [batch]).

    The order of the clips depends on (seed, epoch), and the augmentation of a clip on (seed, epoch, its draw). So the
    same arguments give the same batches in any process, with any number of threads. A last, smaller batch is left out,
    and so are the first `start` batches, whose clips are not read.

    Raises:
        ZooError: there are fewer clips than `batch_size`.
    """
    check_batch(batch_size, len(clips))
    generator = np.random.default_rng((seed, epoch))
    order, drawn = clips.epoch(generator, batch_size)
    order = share.of(order[start * batch_size :], batch_size)
    index = drawn[order]
    random = generator.random((len(clips), RANDOM_NUMBERS), np.float32)
    masks = generator.random((len(clips), mask_numbers(settings)), np.float32)
    read = _reader(clips, preprocessing)

    def load(index: Any, target: Any, random: Any, masks: Any) -> tuple[Any, ...]:
        return augmented(read(index), settings, random), target, masks

    def finish(waveform: Any, target: Any, masks: Any) -> tuple[Any, ...]:
        inputs = network_inputs(waveform, preprocessing)
        if LOG_MEL in inputs:
            inputs[LOG_MEL] = masked(inputs[LOG_MEL], settings, masks)
        return inputs, target

    columns = (index, clips.targets[index], random[order], masks[order])
    return _batches(columns, load, finish, share.size(batch_size))


def evaluation_batches(
    clips: Examples, preprocessing: AudioPreprocessing, *, batch_size: int, share: Share = WHOLE
) -> Any:
    """Return every clip in order, as a tf.data.Dataset of (inputs, targets, weights float32 [batch]).

    Inputs and targets are as in `training_batches`. The last batch is filled up to `batch_size` with copies of the
    first clip. Their weight is 0, that of all other clips 1.
    """
    index, weights = share.filled(len(clips), batch_size)
    read = _reader(clips, preprocessing)

    def load(index: Any, target: Any, weight: Any) -> tuple[Any, ...]:
        return read(index), target, weight

    def finish(waveform: Any, target: Any, weight: Any) -> tuple[Any, ...]:
        return network_inputs(waveform, preprocessing), target, weight

    return _batches((index, clips.targets[index], weights), load, finish, share.size(batch_size))


def _batches(
    columns: tuple[np.ndarray, ...],
    load: Callable[..., tuple[Any, ...]],
    finish: Callable[..., tuple[Any, ...]],
    batch_size: int,
) -> Any:
    """Apply `load` to each row of `columns`, then `finish` to each batch of results; batches have a static shape."""
    import tensorflow as tf

    plain = tf.autograph.experimental.do_not_convert
    # Without this pin, a machine with a GPU would copy every tensor there and back.
    with tf.device("CPU"):
        return (
            tf.data.Dataset.from_tensor_slices(columns)
            .map(plain(load), num_parallel_calls=usable_cpus(), deterministic=True)
            .batch(batch_size, drop_remainder=True)
            .map(plain(finish))
            .prefetch(PREFETCHED)
        )


def _reader(clips: Examples, preprocessing: AudioPreprocessing) -> Callable[[Any], Any]:
    """Return a function that takes an index, an int64 scalar tensor, and returns the waveform, float32 [samples].

    Where a network takes clips of any length, all clips of a batch must have the same length.
    """
    import tensorflow as tf

    def waveform(index: Any) -> np.ndarray:
        return encode([clips.read(int(index))], preprocessing)[WAVEFORM][0]

    return lambda index: tf.ensure_shape(
        tf.numpy_function(waveform, [index], tf.float32, stateful=False), [preprocessing.samples or None]
    )
