"""Inception v3, Inception v4 and Inception-ResNet v2 as tables of parts, after their papers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Convolution:
    """A convolution, batch normalization, ReLU; with `inside`, windows stay inside the map, as those of stride 2 do."""

    filters: int
    kernel: int | tuple[int, int]
    stride: int = 1
    inside: bool = False


Pool = Literal["max", "average"]
"""Windows of 3×3: `max` with stride 2, inside the map; `average` with stride 1."""

Step = Convolution | Pool | tuple[Convolution, Convolution]
"""One step of a branch; a pair is two convolutions of the same map, side by side."""

Branches = Mapping[str, tuple[Step, ...]]
"""Branches by name; their results are concatenated."""


@dataclass(frozen=True)
class Residual:
    """Branches, brought to the map's channels by a convolution, scaled and added to the map; then, perhaps, a ReLU."""

    scale: float
    branches: Branches
    relu: bool = True


Part = Convolution | Pool | Branches | Residual
Stage = tuple[str, Mapping[str, Part]]
"""The name of the feature map that a stage ends with, and its parts by name. One part of each stage halves the map."""

C = Convolution
ROW, COLUMN = (1, 7), (7, 1)
SHORT_ROW, SHORT_COLUMN = (1, 3), (3, 1)


_STEM: tuple[Stage, Stage] = (
    ("stage1", {"conv1a": C(32, 3, 2), "conv2a": C(32, 3, inside=True), "conv2b": C(64, 3)}),
    ("stage2", {"pool1": "max", "conv3b": C(80, 1), "conv4a": C(192, 3, inside=True)}),
)


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


V3, V4, RESNET_V2 = _v3(), _v4(), _resnet_v2()
