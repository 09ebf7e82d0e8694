"""TensorFlow and Keras without their greetings, with the system's allocator, and with the backend that zoo needs."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

from zoo.errors import ZooError

BACKEND = "tensorflow"
"""The backend of Keras that every network of zoo is built on."""


def wake_tensorflow() -> None:
    """Import TensorFlow, keeping from standard error what it prints before its log level counts.

    tensorflow 2.21 writes of oneDNN and CUDA while it is imported, whatever TF_CPP_MIN_LOG_LEVEL says.

    Raises:
        ModuleNotFoundError: TensorFlow is not installed.
        ZooError: it cannot be imported.
    """
    # oneDNN's own allocator (tensorflow 2.21) keeps what was freed. Without it an export of VGG-11 takes 3.6 GB, not
    # 4.5, and ResNet-18 trains a fifth faster, to the same bits.
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    with _imported(), _unheard():
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
    # tf.lite and protobuf warn of themselves on every import (tensorflow 2.21); nothing here uses them.
    warnings.filterwarnings("ignore", module=r"tensorflow\.|google\.protobuf")


def wake_keras() -> None:
    """Import TensorFlow, and Keras on top of it.

    Raises:
        ZooError: KERAS_BACKEND or a keras.json asks for another backend, or Keras cannot be imported with what they
            say.
    """
    if "keras" in sys.modules:
        _check_backend(sys.modules["keras"].config.backend())
        return
    # Keras 3.15 would first try to import whatever is asked for.
    _check_backend(os.environ.get("KERAS_BACKEND", BACKEND))
    wake_tensorflow()
    with _imported(), _unheard():
        import keras
    _check_backend(keras.config.backend())


def _check_backend(name: str) -> None:
    if name != BACKEND:
        raise ZooError(
            f"Keras is set to the backend '{name:.40}', and zoo's networks need {BACKEND}: "
            f"set KERAS_BACKEND={BACKEND}, before Keras is imported"
        )


@contextlib.contextmanager
def _imported() -> Iterator[None]:
    """Make a ZooError of all that goes wrong in an import, but for a TensorFlow that is not installed.

    tensorflow 2.21 imports keras, and keras 3.15 asserts what a keras.json holds and imports the backend named there.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "tensorflow":
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise ZooError(
            f"Keras and TensorFlow cannot be imported ({reason}): "
            "mend or remove keras.json in $KERAS_HOME or ~/.keras, "
            f"and set KERAS_BACKEND={BACKEND}"
        ) from None


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Standard error, of C++ too, goes nowhere."""
    standard_error = os.dup(2)
    try:
        with tempfile.TemporaryFile() as unread:
            os.dup2(unread.fileno(), 2)
            yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
