"""Operations with custom gradients, with which layers train faster on CPUs than with TensorFlow's own.

They are for training only: exported networks use the operations in `zoo.layers`.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import tensorflow as tf

COLUMNS = 3
"""The widest depthwise filter for which oneDNN's gradient is fast."""


def depthwise(x: Any, kernel: Any, stride: int, padding: Literal["SAME", "VALID"]) -> Any:
    """Convolve each channel of [batch, height, width, channels] with a kernel [rows, columns, channels, 1].

    TensorFlow 2.21 computes both gradients with oneDNN. oneDNN's kernel for the gradient of depthwise filters takes
    filters of up to three columns; for wider ones, it uses the kernel for groups of 16 channels, which multiplies 16
    times as much. For the gradient of the input, it has no fast kernel in bfloat16 with a stride above 1.
    """
    strides = [1, stride, stride, 1]

    @tf.custom_gradient
    def convolved(x: Any, kernel: Any) -> Any:
        def gradients(change: Any) -> tuple[Any, Any]:
            exact = change.dtype == tf.bfloat16 and stride > 1
            of_input = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(x),
                filter=tf.cast(kernel, tf.float32) if exact else kernel,
                out_backprop=tf.cast(change, tf.float32) if exact else change,
                strides=strides,
                padding=padding,
            )
            return tf.cast(of_input, x.dtype), _of_kernel(x, kernel, change, stride, padding)

        return tf.raw_ops.DepthwiseConv2dNative(input=x, filter=kernel, strides=strides, padding=padding), gradients

    return convolved(x, kernel)


def _of_kernel(x: Any, kernel: Any, change: Any, stride: int, padding: str) -> Any:
    """Return the gradient of the kernel, computed for at most `COLUMNS` of its columns at a time."""
    rows, columns, *channels = kernel.shape
    strides = [1, stride, stride, 1]
    if columns <= COLUMNS:
        return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=x, filter_sizes=kernel.shape, out_backprop=change, strides=strides, padding=padding
        )
    if padding == "SAME":
        edges = [_edges(*sizes, stride) for sizes in zip(x.shape[1:3], change.shape[1:3], (rows, columns), strict=True)]
        x = tf.pad(x, [(0, 0), *edges, (0, 0)])
    parts = []
    for first in range(0, columns, COLUMNS):
        width = min(COLUMNS, columns - first)
        window = x[:, :, first : first + (change.shape[2] - 1) * stride + width]
        parts.append(
            tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=window,
                filter_sizes=[rows, width, *channels],
                out_backprop=change,
                strides=strides,
                padding="VALID",
            )
        )
    return tf.concat(parts, 1)


def _edges(side: int, result: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many pixels TensorFlow pads a side with before and after."""
    total = max((result - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def gelu(x: Any) -> Any:
    """Compute x · Φ(x) in float32, or in float64 if `x` is float64.

    XLA fuses each direction, eight or more operations that are bound by memory bandwidth, into one pass over the
    tensor. It needs a shape that is fully known. With GPUs, TensorFlow's own kernels are used.
    """
    compiled = x.shape.is_fully_defined() and not tf.config.list_logical_devices("GPU")
    forward, backward = _GELU_COMPILED if compiled else _GELU

    @tf.custom_gradient
    def computed(x: Any) -> Any:
        return forward(x), lambda change: backward(x, change)

    return computed(x)


def _gelu(x: Any) -> Any:
    exact = _exact(x)
    return tf.cast(exact * _normal(exact), x.dtype)


def _gelu_gradient(x: Any, change: Any) -> Any:
    exact = _exact(x)
    density = tf.exp(exact * exact * -0.5) * (1 / math.sqrt(2 * math.pi))
    return tf.cast(_exact(change) * (_normal(exact) + exact * density), x.dtype)


def _normal(x: Any) -> Any:
    return (tf.math.erf(x * math.sqrt(0.5)) + 1.0) * 0.5


_GELU = (_gelu, _gelu_gradient)
_GELU_COMPILED = (tf.function(_gelu, jit_compile=True), tf.function(_gelu_gradient, jit_compile=True))


def layer_norm(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Normalize the last axis of a tensor in the precision of `gamma`; return the result in the tensor's dtype."""

    @tf.custom_gradient
    def normalized(x: Any, gamma: Any, beta: Any) -> Any:
        exact = tf.cast(x, gamma.dtype)
        difference = exact - tf.reduce_mean(exact, -1, keepdims=True)
        rate = tf.math.rsqrt(tf.reduce_mean(tf.square(difference), -1, keepdims=True) + epsilon)
        unit = difference * rate

        def gradients(change: Any) -> tuple[Any, Any, Any]:
            change = tf.cast(change, gamma.dtype)
            axes = [*range(len(x.shape) - 1)]
            of_unit, along = change * gamma, change * unit
            turned = tf.reduce_mean(along * gamma, -1, keepdims=True)
            of_x = (of_unit - tf.reduce_mean(of_unit, -1, keepdims=True) - unit * turned) * rate
            return tf.cast(of_x, x.dtype), tf.reduce_sum(along, axes), tf.reduce_sum(change, axes)

        return tf.cast(unit * gamma + beta, x.dtype), gradients

    return normalized(x, gamma, beta)


def _exact(x: Any) -> Any:
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
