"""The builder of the keyword networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo import blocks, layers
from zoo.dropout import Dropout
from zoo.inputs.audio.preprocessing import AudioPreprocessing
from zoo.layers import Outputs, Tensor

HALVINGS = 4
"""The number of first convolutions that halve bands and frames. With three, an element of the last map would see less
than half a second."""

DROPOUT, BLOCK_DROPOUT = 0.2, 0.1
"""The rates of dropout before the logits and within MatchboxNet."""


@keras.saving.register_keras_serializable("zoo")
class AsMap(keras.layers.Layer):
    """A spectrogram [batch, frames, bands] as a map: of one channel, or of one row with the bands as channels.

    Keras' own Reshape (3.15) would read the size of the batch each time.
    """

    channels_last = True

    def __init__(self, bands_as_channels: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.bands_as_channels = bands_as_channels

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, frames, bands, 1] or [batch, 1, frames, bands]."""
        _, frames, bands = x.shape
        return ops.reshape(x, (-1, 1, frames, bands) if self.bands_as_channels else (-1, frames, bands, 1))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "bands_as_channels": self.bands_as_channels}


def build(
    log_mel: Tensor,
    count: int,
    preprocessing: AudioPreprocessing,
    *,
    filters: Sequence[int] = (),
    kernels: Sequence[int] = (),
    repeats: int = 1,
    width: int = 64,
) -> Outputs:
    """Build a network on spectrograms: MatchboxNet where `kernels` are named, else convolutions of `filters`.

    Args:
        log_mel: symbolic float32 [batch, frames, bands].
        count: the number of classes or values.
        preprocessing: the preprocessing of the clips.
        filters: the number of filters of each convolution in frequency and time.
        kernels: the kernel of each of MatchboxNet's blocks, in frames.
        repeats: the number of convolutions of a block.
        width: the number of channels of a block.
    """
    if kernels:
        return _matchbox(log_mel, count, kernels, repeats, width)
    return _convolutions(log_mel, count, filters)


def _convolutions(log_mel: Tensor, count: int, filters: Sequence[int]) -> Outputs:
    x, stride, maps = AsMap(name="map")(log_mel), 1, {}
    for number, channels in enumerate(filters, start=1):
        halve = number <= HALVINGS
        x = blocks.convolution_norm_relu(x, channels, 3, stride=1 + halve, name=f"conv{number}")
        stride *= 1 + halve
        maps[f"stage{number}"] = layers.FeatureMap(x, stride)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = Dropout(DROPOUT, name="dropout")(x)
    return Outputs(layers.logits(x, count), maps)


def _matchbox(log_mel: Tensor, count: int, kernels: Sequence[int], repeats: int, width: int) -> Outputs:
    x = AsMap(bands_as_channels=True, name="map")(log_mel)
    x = _separable(x, 2 * width, 11, stride=2, name="prologue")
    x = _relu_dropout(x, name="prologue")
    maps = {"prologue": layers.FeatureMap(x, 2)}
    for number, kernel in enumerate(kernels, start=1):
        name = f"block{number}"
        y = _separable(x, width, kernel, name=f"{name}_1")
        for repeat in range(2, repeats + 1):
            y = _relu_dropout(y, name=f"{name}_{repeat - 1}")
            y = _separable(y, width, kernel, name=f"{name}_{repeat}")
        x = layers.convolution(x, width, 1, name=f"{name}_shortcut")
        x = layers.batch_norm(x, name=f"{name}_shortcut_norm")
        x = _relu_dropout(blocks.residual(x, y, name=name), name=name)
        maps[name] = layers.FeatureMap(x, 2)
    x = _relu_dropout(_separable(x, 2 * width, 29, name="epilogue"), name="epilogue")
    x = blocks.convolution_norm_relu(x, 2 * width, 1, name="last")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return Outputs(layers.logits(x, count), maps)


def _separable(x: Tensor, channels: int, kernel: int, *, stride: int = 1, name: str) -> Tensor:
    """Convolve each channel of [batch, 1, frames, channels] along time, then mix the channels, then normalize."""
    if stride > 1:
        x = keras.layers.ZeroPadding2D((0, kernel // 2), name=f"{name}_pad")(x)
    # Keras' he_normal (3.15) takes the inputs of all channels for its fan-in, though an output sees one channel.
    start = keras.initializers.RandomNormal(stddev=kernel**-0.5)
    # Keras takes one stride for both sides; the only row stays as it is.
    x = keras.layers.DepthwiseConv2D(
        (1, kernel),
        strides=stride,
        padding="valid" if stride > 1 else "same",
        use_bias=False,
        depthwise_initializer=start,
        name=f"{name}_depthwise",
    )(x)
    x = layers.convolution(x, channels, 1, name=f"{name}_pointwise")
    return layers.batch_norm(x, name=f"{name}_norm")


def _relu_dropout(x: Tensor, *, name: str) -> Tensor:
    x = keras.layers.ReLU(name=f"{name}_relu")(x)
    return Dropout(BLOCK_DROPOUT, name=f"{name}_dropout")(x)
