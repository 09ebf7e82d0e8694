"""The builder of MobileNetV3."""

from __future__ import annotations

import keras

from zoo import layers
from zoo.blocks import Excitation, inverted_residual
from zoo.dropout import Dropout
from zoo.layers import Outputs, Tensor
from zoo.models.mobilenet import Stages
from zoo.structure import Structure, strides


def build(
    image: Tensor, classes: int, structure: Structure, *, stages: Stages, last: int, hidden: int, width: float = 1.0
) -> Outputs:
    """Build a stem, inverted residual blocks, a layer of `last` channels, an average, `hidden` units and the logits.

    `width` scales the channels of everything before the average.
    """
    stride, *halvings = strides(structure, 5)
    entering = _channels(16 * width)
    x = layers.convolution(image, entering, 3, stride=stride, name="stem")
    x = layers.batch_norm(x, name="stem_norm")
    x = layers.activation(x, "hard_swish", name="stem_hard_swish")
    maps = {"stem": layers.FeatureMap(x, stride)}
    for stage, blocks in enumerate(stages, start=1):
        for number, (kernel, halving, expansion, channels, excite, act) in enumerate(blocks, start=1):
            block_stride = halvings.pop(0) if halving == 2 else 1
            widened, leaving = _channels(entering * expansion), _channels(channels * width)
            x = inverted_residual(
                x,
                leaving,
                kernel,
                entering=entering,
                stride=block_stride,
                widened=widened,
                excite=Excitation(_channels(widened / 4), "relu", "hard_sigmoid") if excite else None,
                act=act,
                name=f"stage{stage}_block{number}",
            )
            stride *= block_stride
            entering = leaving
        maps[f"stage{stage}"] = layers.FeatureMap(x, stride)
    name = f"stage{len(stages) + 1}_block1"
    x = layers.convolution(x, _channels(last * width), 1, name=f"{name}_conv")
    x = layers.batch_norm(x, name=f"{name}_norm1")
    x = layers.activation(x, "hard_swish", name=f"{name}_hard_swish")
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool")(x)
    x = layers.convolution(x, hidden, 1, bias=True, name="head")
    x = layers.activation(x, "hard_swish", name="head_hard_swish")
    x = layers.Flatten(name="flatten")(x)
    x = Dropout(0.2, name="dropout")(x)
    return Outputs(layers.logits(x, classes), maps)


def _channels(count: float) -> int:
    """Return the multiple of 8 that is nearest to `count`, but not below 9/10 of it."""
    nearest = max(8, int(count + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * count else nearest + 8
