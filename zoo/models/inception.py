"""Inception v3, Inception v4 and Inception-ResNet v2: three networks of one kind, each a table of parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zoo.registry import Family, Size, register
from zoo.structure import Structure, strides

if TYPE_CHECKING:
    from zoo.layers import Network, Padding, Tensor

EPSILON = 1e-3


@dataclass(frozen=True)
class Convolution:
    """A convolution, batch normalization, ReLU; `inside`: windows stay inside the map, as those of stride 2 do."""

    filters: int
    kernel: int | tuple[int, int]
    stride: int = 1
    inside: bool = False


Pool = Literal["max", "average"]
"""Windows of 3×3: `max` with stride 2, inside the map; `average` with stride 1."""

Step = Convolution | Pool | tuple[Convolution, Convolution]
"""One step of a branch; a pair is two convolutions of the same map, side by side."""

Branches = Mapping[str, tuple[Step, ...]]
"""Branches by name; what comes of them is put side by side."""


@dataclass(frozen=True)
class Residual:
    """Branches, brought to the map's channels by a convolution, scaled, added to the map; a ReLU except at the end."""

    scale: float
    branches: Branches
    relu: bool = True


Part = Convolution | Pool | Branches | Residual
Stage = tuple[str, Mapping[str, Part]]
"""The name of the feature map that it ends with, and its parts by name. Five parts halve the map, one a stage."""

C = Convolution
ROW, COLUMN = (1, 7), (7, 1)
SHORT_ROW, SHORT_COLUMN = (1, 3), (3, 1)


def _v3() -> tuple[Stage, ...]:
    def a(pool: int) -> Branches:
        return {
            "1x1": (C(64, 1),),
            "5x5": (C(48, 1), C(64, 5)),
            "3x3dbl": (C(64, 1), C(96, 3), C(96, 3)),
            "pool": ("average", C(pool, 1)),
        }

    def c(width: int) -> Branches:
        return {
            "1x1": (C(192, 1),),
            "7x7": (C(width, 1), C(width, ROW), C(192, COLUMN)),
            "7x7dbl": (C(width, 1), C(width, COLUMN), C(width, ROW), C(width, COLUMN), C(192, ROW)),
            "pool": ("average", C(192, 1)),
        }

    b: Branches = {"3x3": (C(384, 3, 2),), "3x3dbl": (C(64, 1), C(96, 3), C(96, 3, 2)), "pool": ("max",)}
    d: Branches = {
        "3x3": (C(192, 1), C(320, 3, 2)),
        "7x7x3": (C(192, 1), C(192, ROW), C(192, COLUMN), C(192, 3, 2)),
        "pool": ("max",),
    }
    ends = (C(384, SHORT_ROW), C(384, SHORT_COLUMN))
    e: Branches = {
        "1x1": (C(320, 1),),
        "3x3": (C(384, 1), ends),
        "3x3dbl": (C(448, 1), C(384, 3), ends),
        "pool": ("average", C(192, 1)),
    }
    return (
        *_STEM,
        ("stage3", {"pool2": "max", "mixed5b": a(32), "mixed5c": a(64), "mixed5d": a(64)}),
        ("stage4", {"mixed6a": b, "mixed6b": c(128), "mixed6c": c(160), "mixed6d": c(160), "mixed6e": c(192)}),
        ("stage5", {"mixed7a": d, "mixed7b": e, "mixed7c": e}),
    )


def _v4() -> tuple[Stage, ...]:
    mixed3: Branches = {"pool": ("max",), "conv": (C(96, 3, 2),)}
    mixed4: Branches = {
        "branch0": (C(64, 1), C(96, 3, inside=True)),
        "branch1": (C(64, 1), C(64, ROW), C(64, COLUMN), C(96, 3, inside=True)),
    }
    mixed5: Branches = {"conv": (C(192, 3, 2),), "pool": ("max",)}
    a: Branches = {
        "branch0": (C(96, 1),),
        "branch1": (C(64, 1), C(96, 3)),
        "branch2": (C(64, 1), C(96, 3), C(96, 3)),
        "branch3": ("average", C(96, 1)),
    }
    after_a: Branches = {
        "branch0": (C(384, 3, 2),),
        "branch1": (C(192, 1), C(224, 3), C(256, 3, 2)),
        "branch2": ("max",),
    }
    b: Branches = {
        "branch0": (C(384, 1),),
        "branch1": (C(192, 1), C(224, ROW), C(256, COLUMN)),
        "branch2": (C(192, 1), C(192, COLUMN), C(224, ROW), C(224, COLUMN), C(256, ROW)),
        "branch3": ("average", C(128, 1)),
    }
    after_b: Branches = {
        "branch0": (C(192, 1), C(192, 3, 2)),
        "branch1": (C(256, 1), C(256, ROW), C(320, COLUMN), C(320, 3, 2)),
        "branch2": ("max",),
    }
    ends = (C(256, SHORT_ROW), C(256, SHORT_COLUMN))
    c: Branches = {
        "branch0": (C(256, 1),),
        "branch1": (C(384, 1), ends),
        "branch2": (C(384, 1), C(448, SHORT_COLUMN), C(512, SHORT_ROW), ends),
        "branch3": ("average", C(256, 1)),
    }
    return (
        _STEM[0],
        ("stage2", {"mixed3": mixed3, "mixed4": mixed4}),
        ("stage3", {"mixed5": mixed5, **{f"mixed{number}": a for number in range(6, 10)}}),
        ("stage4", {"mixed10": after_a, **{f"mixed{number}": b for number in range(11, 18)}}),
        ("stage5", {"mixed18": after_b, **{f"mixed{number}": c for number in range(19, 22)}}),
    )


def _resnet_v2() -> tuple[Stage, ...]:
    mixed5b: Branches = {
        "branch0": (C(96, 1),),
        "branch1": (C(48, 1), C(64, 5)),
        "branch2": (C(64, 1), C(96, 3), C(96, 3)),
        "branch3": ("average", C(64, 1)),
    }
    a: Branches = {
        "branch0": (C(32, 1),),
        "branch1": (C(32, 1), C(32, 3)),
        "branch2": (C(32, 1), C(48, 3), C(64, 3)),
    }
    mixed6a: Branches = {
        "branch0": (C(384, 3, 2),),
        "branch1": (C(256, 1), C(256, 3), C(384, 3, 2)),
        "branch2": ("max",),
    }
    b: Branches = {"branch0": (C(192, 1),), "branch1": (C(128, 1), C(160, ROW), C(192, COLUMN))}
    mixed7a: Branches = {
        "branch0": (C(256, 1), C(384, 3, 2)),
        "branch1": (C(256, 1), C(288, 3, 2)),
        "branch2": (C(256, 1), C(288, 3), C(320, 3, 2)),
        "branch3": ("max",),
    }
    c: Branches = {"branch0": (C(192, 1),), "branch1": (C(192, 1), C(224, SHORT_ROW), C(256, SHORT_COLUMN))}
    blocks35 = {f"block35_{number}": Residual(0.17, a) for number in range(1, 11)}
    blocks17 = {f"block17_{number}": Residual(0.1, b) for number in range(1, 21)}
    blocks8 = {f"block8_{number}": Residual(0.2, c) for number in range(1, 10)}
    last: dict[str, Part] = {
        "mixed7a": mixed7a,
        **blocks8,
        "block8_10": Residual(1.0, c, relu=False),
        "conv7b": C(1536, 1),
    }
    return (
        *_STEM,
        ("stage3", {"pool2": "max", "mixed5b": mixed5b, **blocks35}),
        ("stage4", {"mixed6a": mixed6a, **blocks17}),
        ("stage5", last),
    )


_STEM: tuple[Stage, Stage] = (
    ("stage1", {"conv1a": C(32, 3, 2), "conv2a": C(32, 3, inside=True), "conv2b": C(64, 3)}),
    ("stage2", {"pool1": "max", "conv3b": C(80, 1), "conv4a": C(192, 3, inside=True)}),
)


def build(
    image: Tensor,
    classes: int,
    structure: Structure,
    *,
    stages: tuple[Stage, ...],
    dropout: float,
    average_counts_edges: bool = False,
) -> Network:
    """The stages, an average and the logits; `average_counts_edges`: averages count the pixels beyond an edge as 0."""
    import keras

    from zoo import layers

    halvings = strides(structure, len(stages))
    # A network that has lost a halving would have no pixels left if its windows stayed inside the map.
    edges: Padding = "none" if min(halvings) == 2 else "half"
    x, stride, features = image, 1, {}
    for (feature, parts), halving in zip(stages, halvings, strict=True):
        how = _How(halving, edges, average_counts_edges)
        for name, part in parts.items():
            if isinstance(part, Residual):
                x = _residual(x, part, how, name=name)
            elif isinstance(part, Mapping):
                x = _branches(x, part, how, name=name)
            else:
                x = _step(x, part, how, name=name)
        stride *= halving
        features[feature] = layers.Feature(x, stride)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return layers.Network(layers.logits(x, classes), features)


@dataclass(frozen=True)
class _How:
    """What becomes of a stride of 2 in this stage, of windows that should stay inside, and of averages at edges."""

    halving: int
    edges: Padding
    average_counts_edges: bool


def _step(x: Tensor, step: Step, how: _How, *, name: str) -> Tensor:
    import keras

    from zoo import layers

    if step == "max":
        edges = "valid" if how.edges == "none" else "same"
        return keras.layers.MaxPooling2D(3, strides=how.halving, padding=edges, name=name)(x)
    if step == "average":
        edges = "same"
        if how.average_counts_edges:
            x, edges = keras.layers.ZeroPadding2D(1, name=f"{name}_pad")(x), "valid"
        return keras.layers.AveragePooling2D(3, strides=1, padding=edges, name=name)(x)
    if isinstance(step, tuple):
        sides = [_step(x, side, how, name=f"{name}{letter}") for side, letter in zip(step, "ab", strict=True)]
        return keras.layers.Concatenate(name=name)(sides)
    return layers.convolution_norm_relu(
        x,
        step.filters,
        step.kernel,
        stride=how.halving if step.stride == 2 else 1,
        padding=how.edges if step.stride == 2 or step.inside else "half",
        epsilon=EPSILON,
        name=name,
    )


def _branches(x: Tensor, branches: Branches, how: _How, *, name: str) -> Tensor:
    import keras

    ends = []
    for branch, steps in branches.items():
        y = x
        for number, step in enumerate(steps, start=1):
            y = _step(y, step, how, name=f"{name}_{branch}_{number}")
        ends.append(y)
    return keras.layers.Concatenate(name=name)(ends)


def _residual(x: Tensor, part: Residual, how: _How, *, name: str) -> Tensor:
    import keras

    from zoo import layers

    y = _branches(x, part.branches, how, name=name)
    y = layers.convolution(y, x.shape[-1], 1, bias=True, name=f"{name}_join")
    if part.scale != 1:
        y = keras.layers.Rescaling(part.scale, name=f"{name}_scale")(y)
    x = layers.residual(x, y, name=name)
    return layers.activation(x, "relu", name=f"{name}_relu") if part.relu else x


FAMILY = register(
    Family(
        name="inception",
        title="Inception v3, v4 and Inception-ResNet v2",
        reference="Szegedy et al. 2015, arXiv:1512.00567 (small, without its auxiliary classifier), and 2016, "
        "arXiv:1602.07261 (base, large), as timm's inception_v3, inception_v4, inception_resnet_v2",
        small_images="halvings go, the first ones first, below 97 pixels; where one has gone, windows reach over the "
        "edges of the map, which they otherwise do not",
        # Published: 5.713 billion multiply-adds (torchvision's weights of inception_v3), 12.28 and 13.18 (timm's
        # results/benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv), at 299 pixels; these are the same count at 224.
        sizes=(
            Size(
                "small",
                ("inception_v3",),
                {"stages": _v3(), "dropout": 0.2, "average_counts_edges": True},
                23_834_568,
                2_837_921_120,
                smallest_side=75,
            ),
            Size(
                "base",
                ("inception_v4",),
                {"stages": _v4(), "dropout": 0.2},
                42_679_816,
                6_121_894_752,
                smallest_side=75,
            ),
            Size(
                "large",
                ("inception_resnet_v2",),
                {"stages": _resnet_v2(), "dropout": 0.2},
                55_843_464,
                6_468_961_120,
                smallest_side=75,
            ),
        ),
        build=build,
    )
)
