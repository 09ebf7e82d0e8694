"""Messages of errors that libraries raise."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import tensorflow as tf
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

from zoo import formats
from zoo.errors import class_and_message, one_line, out_of_memory


@tf.function
def _reshaped(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [tf.cast(tf.reduce_sum(values), tf.int32)])


def test_the_reason_of_tensorflows_error_comes_first() -> None:
    """TensorFlow writes the whole Python stack before it, so that a line of 200 characters would end before it."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="Detected at node") as raised:
        _reshaped(2 * tf.ones([3, 4]))
    reason = "Input to reshape is a tensor with 12 values, but the requested shape has 24"
    assert one_line(raised.value) == reason
    assert class_and_message(raised.value) == f"InvalidArgumentError: {reason}"


def test_errors_of_other_libraries_keep_their_message() -> None:
    assert one_line(ValueError('a\n  File "x.py", line 1\nb')) == 'a File "x.py", line 1 b'


def test_used_up_memory_is_recognized() -> None:
    # NumPy asks the system for 728 TiB, and TensorFlow its own allocator.
    with pytest.raises(MemoryError) as of_numpy:
        np.ones([10**6, 10**7, 10])
    with pytest.raises(tf.errors.ResourceExhaustedError) as of_tensorflow:
        tf.ones([10**6, 10**7, 10])
    assert out_of_memory(of_numpy.value)
    assert out_of_memory(of_tensorflow.value)
    assert re.match(r"OOM when allocating tensor with shape\[1000000,", one_line(of_tensorflow.value))


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        # What TensorFlow 2.21 said on an H200 whose memory another process held.
        (tf.errors.InternalError(None, None, "cudaSetDevice() on GPU:0 failed. Status: out of memory"), True),
        (tf.errors.InvalidArgumentError(None, None, "Graph execution error:\n\nNo DNN in stream executor."), True),
        (tf.errors.InternalError(None, None, "No blas support for stream"), True),
        (RuntimeException("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc"), True),
        (RuntimeException("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Invalid rank"), False),
        # TensorFlow's error of a full disk has the class of one of a full memory.
        (tf.errors.ResourceExhaustedError(None, None, "/runs/a; No space left on device"), False),
        (RuntimeError("the toomb is out of memory of man"), False),
    ],
)
def test_used_up_memory_of_a_gpu_is_recognized(error: Exception, memory: bool) -> None:
    assert out_of_memory(error) is memory


def test_a_file_that_memory_does_not_suffice_for_is_not_called_damaged(tmp_path: Path) -> None:
    def full(path: Path, threads: int | None) -> NoReturn:
        raise RuntimeException("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory")

    row = dataclasses.replace(formats.find("onnx"), open=full)
    with pytest.raises(RuntimeException, match="Failed to allocate memory"):
        formats.open_session(tmp_path, row)
