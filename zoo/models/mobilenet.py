"""MobileNetV3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.registry import Family, Size, register
from zoo.structure import Structure, strides

if TYPE_CHECKING:
    from zoo.layers import Activation, Network, Tensor

Block = tuple[int, int, float, int, bool, "Activation"]
"""Kernel, whether it halves (2) or not (1), expansion, channels, squeeze-and-excitation, activation."""

# Tables 1 and 2 of the paper; expansions are the rows' expanded channels over those that come in.
SMALL: tuple[tuple[Block, ...], ...] = (
    ((3, 2, 1, 16, True, "relu"),),
    ((3, 2, 4.5, 24, False, "relu"), (3, 1, 3.67, 24, False, "relu")),
    ((5, 2, 4, 40, True, "hard_swish"), *2 * ((5, 1, 6, 40, True, "hard_swish"),)),
    2 * ((5, 1, 3, 48, True, "hard_swish"),),
    ((5, 2, 6, 96, True, "hard_swish"), *2 * ((5, 1, 6, 96, True, "hard_swish"),)),
)
LARGE: tuple[tuple[Block, ...], ...] = (
    ((3, 1, 1, 16, False, "relu"),),
    ((3, 2, 4, 24, False, "relu"), (3, 1, 3, 24, False, "relu")),
    ((5, 2, 3, 40, True, "relu"), *2 * ((5, 1, 3, 40, True, "relu"),)),
    (
        (3, 2, 6, 80, False, "hard_swish"),
        (3, 1, 2.5, 80, False, "hard_swish"),
        *2 * ((3, 1, 2.3, 80, False, "hard_swish"),),
    ),
    2 * ((3, 1, 6, 112, True, "hard_swish"),),
    ((5, 2, 6, 160, True, "hard_swish"), *2 * ((5, 1, 6, 160, True, "hard_swish"),)),
)


def build(
    image: Tensor,
    classes: int,
    structure: Structure,
    *,
    stages: tuple[tuple[Block, ...], ...],
    last: int,
    hidden: int,
    width: float = 1.0,
) -> Network:
    """A stem, inverted residual blocks, a layer of `last` channels, an average, `hidden` units and the logits.

    `width` scales the channels of everything before the average.
    """
    import keras

    from zoo import layers

    stem, *halvings = strides(structure, 5)
    x = layers.convolution(image, _channels(16 * width), 3, stride=stem, name="stem")
    x = layers.batch_norm(x, name="stem_norm")
    x = layers.activation(x, "hard_swish", name="stem_hard_swish")
    stride, features = stem, {"stem": layers.Feature(x, stem)}
    for stage, blocks in enumerate(stages, start=1):
        for number, (kernel, halving, expansion, channels, excite, act) in enumerate(blocks, start=1):
            step = halvings.pop(0) if halving == 2 else 1
            x = _block(
                x,
                kernel,
                step,
                expansion,
                _channels(channels * width),
                excite=excite,
                act=act,
                name=f"stage{stage}_block{number}",
            )
            stride *= step
        features[f"stage{stage}"] = layers.Feature(x, stride)
    name = f"stage{len(stages) + 1}_block1"
    x = layers.convolution(x, _channels(last * width), 1, name=f"{name}_conv")
    x = layers.batch_norm(x, name=f"{name}_norm1")
    x = layers.activation(x, "hard_swish", name=f"{name}_hard_swish")
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool")(x)
    x = layers.convolution(x, hidden, 1, bias=True, name="head")
    x = layers.activation(x, "hard_swish", name="head_hard_swish")
    x = layers.Flatten(name="flatten")(x)
    x = keras.layers.Dropout(0.2, name="dropout")(x)
    return layers.Network(layers.logits(x, classes), features)


def _block(
    x: Tensor, kernel: int, stride: int, expansion: float, channels: int, *, excite: bool, act: Activation, name: str
) -> Tensor:
    """Widen (unless the expansion is 1), convolve each channel, excite, narrow; a shortcut where the shape stays."""
    from zoo import layers

    widened = _channels(x.shape[-1] * expansion)
    y, norms, narrow = x, iter((1, 2, 3)), "narrow" if expansion > 1 else "pointwise"
    if expansion > 1:
        y = layers.convolution(y, widened, 1, name=f"{name}_pointwise")
        y = layers.batch_norm(y, name=f"{name}_norm{next(norms)}")
        y = layers.activation(y, act, name=f"{name}_pointwise_{act}")
    y = layers.depthwise(y, kernel, stride=stride, name=f"{name}_depthwise")
    y = layers.batch_norm(y, name=f"{name}_norm{next(norms)}")
    y = layers.activation(y, act, name=f"{name}_depthwise_{act}")
    if excite:
        y = layers.squeeze_excite(y, _channels(widened / 4), act="relu", gate="hard_sigmoid", name=name)
    y = layers.convolution(y, channels, 1, name=f"{name}_{narrow}")
    y = layers.batch_norm(y, name=f"{name}_norm{next(norms)}")
    return layers.residual(x, y, name=name) if stride == 1 and x.shape[-1] == channels else y


def _channels(wanted: float) -> int:
    """The nearest multiple of 8, not below 9/10 of what is wanted."""
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * wanted else nearest + 8


_LARGE = {"stages": LARGE, "last": 960, "hidden": 1280}

FAMILY = register(
    Family(
        name="mobilenet",
        title="MobileNetV3",
        reference="Howard et al. 2019, arXiv:1905.02244, small 1.0, large 0.75 and large 1.0, as timm's "
        "mobilenetv3_small_100, mobilenetv3_large_075, mobilenetv3_large_100",
        small_images="halvings go, the first ones first, while the last map is under 4 pixels",
        # Published: 57 million multiply-adds and 217 (torchvision's weights of mobilenet_v3_small, mobilenet_v3_large),
        # 155 (tensorflow/models, research/slim/nets/mobilenet/README.md).
        sizes=(
            Size(
                "small",
                ("mobilenetv3_small_100",),
                {"stages": SMALL, "last": 576, "hidden": 1024},
                2_542_856,
                56_510_400,
            ),
            Size("base", ("mobilenetv3_large_075",), {**_LARGE, "width": 0.75}, 3_993_528, 154_560_624),
            Size("large", ("mobilenetv3_large_100",), _LARGE, 5_483_032, 216_589_760),
        ),
        build=build,
    )
)
