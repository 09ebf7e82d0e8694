"""Import TensorFlow and Keras silently, with the allocator and kernels that suit zoo, and with the backend it needs."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Iterator

from zoo.errors import ZooError, class_and_message

BACKEND = "tensorflow"
"""The Keras backend of all networks."""

ALLOCATOR = {"TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
"""oneDNN's own allocator (TensorFlow 2.21) keeps freed memory. Without it, an export of VGG-11 takes 3.6 GB instead of
4.5, and ResNet-18 trains a fifth faster, with results that are equal bit for bit. On a GPU, TensorFlow by default takes
all memory at the start, so that no other program can use the GPU; growing, it takes what it needs."""

KERNELS = {"TF_ENABLE_ONEDNN_OPTS": "1"} if platform.machine().lower() in ("x86_64", "amd64") else {}
"""TensorFlow (2.21) uses oneDNN by default only on processors with AVX-512 VNNI or AVX-VNNI. In single trials on Zen 3,
which has neither, ResNet-18 trained 1.5 times as fast with it, MobileNetV3 small 1.4 times, and ViT-S 1.2 times."""

_set_here: set[str] = set()
"""The names of the variables that this process has set itself."""


def import_tensorflow(as_a_server: bool = False) -> None:
    """Import TensorFlow without the messages that it prints before its log level takes effect.

    While it is imported, TensorFlow 2.21 writes about oneDNN and CUDA, whatever TF_CPP_MIN_LOG_LEVEL says.

    Args:
        as_a_server: leave allocator and kernels as TensorFlow Serving has them, for measurements. Otherwise they are
            those of `ALLOCATOR` and `KERNELS`, unless environment variables choose others.

    Raises:
        ModuleNotFoundError: TensorFlow is not installed.
        ZooError: it cannot be imported.
    """
    if not as_a_server:
        # TensorFlow reads the variables of `KERNELS` while it is imported: later values would have no effect.
        for name, value in (ALLOCATOR if "tensorflow" in sys.modules else ALLOCATOR | KERNELS).items():
            if name not in os.environ:
                os.environ[name] = value
                _set_here.add(name)
    with _import_errors(), _silenced(), _uncollected():
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
    # tf.lite and protobuf, which zoo does not use, warn on every import (TensorFlow 2.21).
    warnings.filterwarnings("ignore", module=r"tensorflow\.|google\.protobuf")


def server_environment() -> dict[str, str]:
    """Return the environment for a process that behaves as a server does: without the variables that zoo has set."""
    return {name: value for name, value in os.environ.items() if name not in _set_here}


def import_keras() -> None:
    """Import TensorFlow and Keras.

    Raises:
        ZooError: KERAS_BACKEND or a keras.json names another backend, or the import fails because of them.
    """
    if "keras" in sys.modules:
        _check_backend(sys.modules["keras"].config.backend())
        return
    # Keras 3.15 would first try to import the backend that is named.
    _check_backend(os.environ.get("KERAS_BACKEND", BACKEND))
    import_tensorflow()
    with _import_errors(), _silenced(), _uncollected():
        import keras
    _check_backend(keras.config.backend())


def _check_backend(name: str) -> None:
    if name != BACKEND:
        raise ZooError(
            f"Keras is set to the backend '{name:.40}', and zoo's networks need {BACKEND}: "
            f"set KERAS_BACKEND={BACKEND} before Keras is imported"
        )


@contextlib.contextmanager
def _import_errors() -> Iterator[None]:
    """Turn every error of an import into a ZooError, except for the error of a missing TensorFlow.

    TensorFlow 2.21 imports Keras, and Keras 3.15 asserts the content of a keras.json and imports the backend named
    there.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "tensorflow":
            raise
        reason = class_and_message(error, 160)
        raise ZooError(
            f"Keras and TensorFlow cannot be imported ({reason}): "
            "fix or remove keras.json in $KERAS_HOME or ~/.keras, "
            f"and set KERAS_BACKEND={BACKEND}"
        ) from None


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Switch the garbage collector off in the block: it takes a fifth of the time of TensorFlow 2.21's import."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Discard everything that is written to standard error, also by C++, while the block lasts."""
    standard_error = os.dup(2)
    try:
        with tempfile.TemporaryFile() as unread:
            os.dup2(unread.fileno(), 2)
            yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
