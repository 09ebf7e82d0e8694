"""zoo's own settings of Keras and TensorFlow, so that a keras.json or a notebook's settings change no network.

The earlier settings, and the earlier states of random number generators, return when zoo has done its work.
"""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Iterator
from typing import Any

from zoo.errors import ZooError, did_you_mean
from zoo.tensorflow_setup import import_keras

DATA_FORMAT, FLOAT_TYPE, EPSILON = "channels_last", "float32", 1e-7
"""The defaults of Keras 3.15."""

RUN_FUNCTIONS_EAGERLY, JIT = False, ""
"""The defaults of TensorFlow 2.21: functions are compiled, without XLA."""

TENSOR_FLOAT_32 = False
"""TensorFlow 2.21 enables it by default. NVIDIA GPUs since Ampere then round the factors of float32 products to 10
bits: logits of ResNet-18 on an H200 differed from those of an exported file by 3e-4 of the largest, and every gate of
the export failed.
"""

POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
    "float64": "float64",
}
"""Keras' dtype policy for each precision: weights stay in float32 where layers compute in 16 bits."""


@contextlib.contextmanager
def own_settings(precision: str = FLOAT_TYPE) -> Iterator[None]:
    """Give Keras and TensorFlow zoo's settings, and the dtype policy of `precision`, while the block lasts.

    Also a decorator. The earlier settings return however the block ends.

    Raises:
        ZooError: there is no such precision, or Keras runs on another backend than TensorFlow.
    """
    if precision not in POLICIES:
        raise ZooError(f"there is no precision '{precision:.40}': {did_you_mean(precision, POLICIES)}")
    import_keras()
    before = _settings()
    _set(DATA_FORMAT, FLOAT_TYPE, EPSILON, POLICIES[precision], RUN_FUNCTIONS_EAGERLY, JIT, TENSOR_FLOAT_32)
    try:
        yield
    finally:
        _set(*before)


@contextlib.contextmanager
def own_randomness() -> Iterator[None]:
    """Let a block seed Python, NumPy, TensorFlow and Keras, and enable op determinism, without any effect after it.

    The earlier states return however the block ends.
    """
    import numpy as np
    import tensorflow as tf

    # TensorFlow 2.21 and Keras 3.15 have no public functions that return these states, or that disable op determinism.
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
    from keras.src.utils.rng_utils import GLOBAL_RANDOM_SEED
    from tensorflow.python.eager import context
    from tensorflow.python.framework import config

    eager = context.context()
    of_python, of_numpy, deterministic = random.getstate(), np.random.get_state(), config.is_op_determinism_enabled()
    # TensorFlow draws the seeds of operations from `_rng`, which is missing until someone sets a seed.
    seed, seeds_of_operations = context.global_seed(), copy.deepcopy(getattr(eager, "_rng", None))
    of_keras = {name: global_state.get_global_attribute(name) for name in (GLOBAL_RANDOM_SEED, GLOBAL_SEED_GENERATOR)}
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        tf.random.set_seed(seed)
        if seeds_of_operations is not None:
            eager._rng = seeds_of_operations
        for name, value in of_keras.items():
            global_state.set_global_attribute(name, value)
        if not deterministic:
            config.disable_op_determinism()


@contextlib.contextmanager
def tensor_float_32() -> Iterator[None]:
    """Let GPUs multiply float32 numbers as TensorFloat-32, several times faster, while the block lasts.

    Also a decorator. Training in float32 uses it, as in Keras; evaluating and exporting do not.
    """
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(True)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


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
        tf.config.experimental.tensor_float_32_execution_enabled(),
    )


def _set(
    data_format: str, float_type: str, epsilon: float, policy: object, eagerly: bool, jit: str, tensor_float_32: bool
) -> None:
    import tensorflow as tf
    from keras import config

    config.set_image_data_format(data_format)
    config.set_floatx(float_type)
    config.set_epsilon(epsilon)
    config.set_dtype_policy(policy)
    tf.config.run_functions_eagerly(eagerly)
    tf.config.optimizer.set_jit(jit)
    tf.config.experimental.enable_tensor_float_32_execution(tensor_float_32)
