"""Keras with zoo's own settings: what a keras.json or a notebook says must not change a network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from zoo.tensorflow_setup import wake_keras

DATA_FORMAT, FLOAT_TYPE, EPSILON = "channels_last", "float32", 1e-7
"""Keras' own defaults (3.15)."""


@contextlib.contextmanager
def own_settings(precision: str = FLOAT_TYPE) -> Iterator[None]:
    """Keras with zoo's data format, float type and epsilon, and with `precision` as dtype policy; also a decorator.

    The settings of before are back afterwards, however the block ends.

    Raises:
        ZooError: Keras runs on another backend than TensorFlow.
    """
    wake_keras()
    from keras import config

    before = (config.image_data_format(), config.floatx(), config.epsilon(), config.dtype_policy())
    _set(DATA_FORMAT, FLOAT_TYPE, EPSILON, precision)
    try:
        yield
    finally:
        _set(*before)


def _set(data_format: str, float_type: str, epsilon: float, policy: object) -> None:
    from keras import config

    config.set_image_data_format(data_format)
    config.set_floatx(float_type)
    config.set_epsilon(epsilon)
    config.set_dtype_policy(policy)
