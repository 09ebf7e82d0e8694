"""How a network is trained: a screen of data, with a default for each family and size."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from zoo.errors import ZooError, did_you_mean
from zoo.schema import keys, parse, plain, record

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


@record
class Optimizer:
    """The update rule.

    Weight decay is decoupled (`w -= lr * weight_decay * w`) and spares norms, biases and ViT's embeddings. A layer's
    rate is `lr * layer_decay ** depth`; its depth is the number of feature maps that depend on it, 0 behind the last.
    """

    name: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = 0.05
    momentum: Share = 0.9
    weight_decay: NotNegative = 5e-3
    clip_norm: NotNegative = 0.0  # of the global gradient; 0: no clipping
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0


@record
class Schedule:
    """The learning rate over time: a linear rise over `warmup_epochs`, then constant or half a cosine down to zero."""

    shape: Literal["cosine", "constant"] = "cosine"
    warmup_epochs: NotNegative = 1.0


@record
class Augment:
    """What may happen to a training image, drawn anew for each image and epoch.

    `flip` mirrors half of them left to right: right for photographs, wrong for digits and letters. `shift` moves by
    up to
    this share of the side, the border repeated by reflection. `smallest_crop` is the least area of a random crop that
    is scaled back to full size; 1 means no such crop.
    """

    flip: bool = False
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    smallest_crop: Annotated[float, Field(gt=0, le=1)] = 1.0


@record
class ImageInput:
    """The network's input: `size` is its side in pixels, `crop_pct` the share of an image's side that is kept.

    0 takes what the weights were trained with; where training starts from nothing, what the data have (224 where their
    images differ in size or have a side longer than that) and a crop of 1, the whole side.

    `white_level` is the sample that is white in images of 16 bits, such as 4095 where they use 12; 0 takes what the
    weights were trained with, or else 65535. `background` shows through where images are transparent and the network
    takes 1 or 3 channels, and `none` leaves alpha out; `auto` takes what the weights were trained with, or else white.
    """

    size: Annotated[int, Field(ge=0, le=4096)] = 0
    channels: Annotated[int, Field(ge=0, le=4)] = 0
    crop_pct: Annotated[float, Field(ge=0, le=1)] = 0.0
    white_level: Annotated[int, Field(ge=0, le=65535)] = 0
    background: Literal["auto", "none", "white", "black"] = "auto"


@record
class Split:
    """Shares of data that come without a validation or a test split of their own; drawn by class, with `seed`.

    `copies_together` keeps images that are equal byte for byte in one split. Runs of before it was there did not.
    """

    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    seed: Annotated[int, Field(ge=0)] = 0
    copies_together: bool = False


@record
class Recipe:
    """Everything that decides a training run, machine aside.

    `batch_size` is that of all replicas together. `patience` ends training after so many epochs without a better
    validation
    accuracy; 0 never does. `keep` says which weights the run ends with. `deterministic` makes two runs equal bit for
    bit on one device, at some cost of speed on GPUs. `float64` is for telling rounding from mistakes, not for use.
    `freeze` trains the logits' layer only, on what the network beneath answers in use: no statistics move, nothing is
    dropped.
    """

    epochs: Annotated[int, Field(ge=1)] = 30
    batch_size: Annotated[int, Field(ge=1)] = 128
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    precision: Literal["float32", "mixed_bfloat16", "float64"] = (
        "float32"  # no float16: it hangs or fails with replicas (keras 18666)
    )
    label_smoothing: Share = 0.0
    patience: Annotated[int, Field(ge=0)] = 0
    keep: Literal["best", "last"] = "best"
    deterministic: bool = True
    freeze: bool = False
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    augment: Augment = Augment()
    image: ImageInput = ImageInput()
    split: Split = Split(copies_together=True)


_PLAIN_CNN = Recipe(
    optimizer=Optimizer(name="adamw", lr=2e-3, weight_decay=1e-2), schedule=Schedule(warmup_epochs=0.25)
)
_ALEXNET = Recipe(
    epochs=60,
    label_smoothing=0.1,
    optimizer=Optimizer(name="adamw", lr=3e-4, weight_decay=5e-2, clip_norm=1.0),
    schedule=Schedule(warmup_epochs=2),
)
_RESIDUAL = Recipe(epochs=60, label_smoothing=0.1, augment=Augment(shift=0.1))
_VGG = dataclasses.replace(_RESIDUAL, optimizer=Optimizer(lr=0.02, clip_norm=1.0), schedule=Schedule(warmup_epochs=2))

_INCEPTION = dataclasses.replace(
    _RESIDUAL, optimizer=Optimizer(lr=0.02, clip_norm=1.0), schedule=Schedule(warmup_epochs=2)
)
# After Tan & Le 2021 and Howard et al. 2019: little weight decay, for their depthwise convolutions bear none.
_SEPARABLE = dataclasses.replace(
    _RESIDUAL,
    optimizer=Optimizer(name="adamw", lr=2e-3, weight_decay=2e-2, clip_norm=1.0),
    schedule=Schedule(warmup_epochs=3),
)
# After Liu et al. 2022 and Touvron et al. 2020, table 9: AdamW, weight decay 0.05, a slow start, clipped.
_TRANSFORMER = dataclasses.replace(
    _RESIDUAL,
    epochs=100,
    optimizer=Optimizer(name="adamw", lr=5e-4, weight_decay=5e-2, clip_norm=1.0),
    schedule=Schedule(warmup_epochs=5),
)

DEFAULTS = {
    ("cnn", "small"): _PLAIN_CNN,
    ("cnn", "base"): _PLAIN_CNN,
    ("cnn", "large"): _ALEXNET,
    ("resnet", "small"): _RESIDUAL,
    ("resnet", "base"): _RESIDUAL,
    ("resnet", "large"): _RESIDUAL,
    ("vgg", "small"): _VGG,
    ("vgg", "base"): _VGG,
    ("vgg", "large"): _VGG,
    **{("inception", size): _INCEPTION for size in ("small", "base", "large")},
    **{("mobilenet", size): _SEPARABLE for size in ("small", "base", "large")},
    **{("efficientnet", size): _SEPARABLE for size in ("small", "base", "large")},
    **{("convnext", size): _TRANSFORMER for size in ("small", "base", "large")},
    **{("vit", size): _TRANSFORMER for size in ("small", "base", "large")},
}


def default(family: str, size: str) -> Recipe:
    """The recipe of a family and size."""
    return DEFAULTS[family, size]


def override(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """The recipe with `key=value` settings applied, such as `optimizer.lr=0.1`; lists are separated by commas.

    Raises:
        ZooError: a setting is not of this form, no recipe has the key, or the value does not fit it.
    """
    values = plain(recipe)
    known = keys(Recipe)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ZooError(f"--set {setting}: write KEY=VALUE, such as optimizer.lr=0.1")
        if key not in known:
            raise ZooError(f"--set {setting}: no recipe has the key '{key}': {did_you_mean(key, known)}")
        *path, last = key.split(".")
        place: dict[str, Any] = values
        for part in path:
            place = place[part]
        place[last] = text.split(",") if isinstance(place[last], list) else text
    return parse(Recipe, values, "recipe")
