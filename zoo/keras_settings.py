"""zoo's own settings of Keras and TensorFlow, so that a keras.json or a notebook's settings change no network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from zoo.errors import ZooError, did_you_mean
from zoo.tensorflow_setup import wake_keras

DATA_FORMAT, FLOAT_TYPE, EPSILON = "channels_last", "float32", 1e-7
"""The defaults of Keras 3.15."""

RUN_FUNCTIONS_EAGERLY, JIT = False, ""
"""The defaults of TensorFlow 2.21: functions are compiled, without XLA."""

POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
    "float64": "float64",
}
"""Keras' dtype policy for each precision: weights are float32 where layers compute in half of that."""


@contextlib.contextmanager
def own_settings(precision: str = FLOAT_TYPE) -> Iterator[None]:
    """Give Keras and TensorFlow zoo's settings, and the dtype policy of `precision`, while the block lasts.

    Also a decorator. The earlier settings return however the block ends.

    Raises:
        ZooError: there is no such precision, or Keras runs on another backend than TensorFlow.
    """
    if precision not in POLICIES:
        raise ZooError(f"there is no precision '{precision:.40}': {did_you_mean(precision, POLICIES)}")
    wake_keras()
    before = _settings()
    _set(DATA_FORMAT, FLOAT_TYPE, EPSILON, POLICIES[precision], RUN_FUNCTIONS_EAGERLY, JIT)
    try:
        yield
    finally:
        _set(*before)


def _settings() -> tuple[Any, ...]:
    import tensorflow as tf
    from keras import config

    return (
        config.image_data_format(),
        config.floatx(),
        config.epsilon(),
        config.dtype_policy(),
        tf.config.functions_run_eagerly(),
        tf.config.optimizer.get_jit(),
    )


def _set(data_format: str, float_type: str, epsilon: float, policy: object, eagerly: bool, jit: str) -> None:
    import tensorflow as tf
    from keras import config

    config.set_image_data_format(data_format)
    config.set_floatx(float_type)
    config.set_epsilon(epsilon)
    config.set_dtype_policy(policy)
    tf.config.run_functions_eagerly(eagerly)
    tf.config.optimizer.set_jit(jit)
