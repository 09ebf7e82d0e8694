"""TensorFlow without its greeting, and with the system's allocator."""

from __future__ import annotations

import os
import tempfile
import warnings


def wake_tensorflow() -> None:
    """Import TensorFlow and Keras, keeping from standard error what they print before their log level counts.

    tensorflow 2.21 writes of oneDNN and CUDA while it is imported, whatever TF_CPP_MIN_LOG_LEVEL says. If the import
    fails, the exception says why.
    """
    # oneDNN's own allocator (tensorflow 2.21) keeps what was freed. Without it an export of VGG-11 takes 3.6 GB, not
    # 4.5, and ResNet-18 trains a fifth faster, to the same bits.
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    standard_error = os.dup(2)
    try:
        with tempfile.TemporaryFile() as unread:
            os.dup2(unread.fileno(), 2)
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
            import keras

            assert keras.backend.backend() == "tensorflow", "zoo needs KERAS_BACKEND=tensorflow"
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
    # tf.lite and protobuf warn of themselves on every import (tensorflow 2.21); nothing here uses them.
    warnings.filterwarnings("ignore", module=r"tensorflow\.|google\.protobuf")
