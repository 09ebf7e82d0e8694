"""The record of a recipe: everything that decides how a network is trained.

The default recipes stand in each family's record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from zoo.errors import ZooError, did_you_mean
from zoo.schema import keys, parse, record, to_dict

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


@record
class Optimizer:
    """The update rule.

    Weight decay is decoupled (`w -= lr * weight_decay * w`). It spares norms, biases, and what a family's record names.
    A layer's rate is `lr * layer_decay ** depth`; its depth is the number of feature maps that depend on it.
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
    """Random changes of training images, drawn anew for each image and epoch.

    `flip` mirrors half of them left to right, which suits photographs and ruins digits and letters. `shift` moves an
    image by up to this share of its side, and fills the border by reflection. `smallest_crop` is the least area of a
    random crop, as a share of the image's, that is scaled back to full size; 1 means no such crop.
    """

    flip: bool = False
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    smallest_crop: Annotated[float, Field(gt=0, le=1)] = 1.0


@record
class ImageInput:
    """The network's input: `size` is its side in pixels, `crop_pct` the share of an image's side that is kept.

    A value of 0 stands for that of the weights that training starts from. Where it starts from nothing, `size` and
    `channels` are then those of the data (224 pixels where images differ in size or have a side longer than that), and
    `crop_pct` is 1, the whole side.

    `white_level` is the sample that is white in images of 16 bits, such as 4095 where they use 12 bits; 0 stands for
    that of the weights, or else 65535. `background` is the color behind transparent images where the network takes 1 or
    3 channels; `none` ignores alpha, and `auto` stands for that of the weights, or else white.
    """

    size: Annotated[int, Field(ge=0, le=4096)] = 0
    channels: Annotated[int, Field(ge=0, le=4)] = 0
    crop_pct: Annotated[float, Field(ge=0, le=1)] = 0.0
    white_level: Annotated[int, Field(ge=0, le=65535)] = 0
    background: Literal["auto", "none", "white", "black"] = "auto"


@record
class Split:
    """The shares of splits that a data set does not bring itself; they are drawn class by class, with `seed`.

    `copies_together` keeps images that are equal byte for byte in one split. It is off in runs made before it existed.
    """

    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    seed: Annotated[int, Field(ge=0)] = 0
    copies_together: bool = False


@record
class Recipe:
    """Everything that decides a training run, except for the machine.

    `batch_size` is that of all replicas together. `patience` ends training after so many epochs without a better
    validation accuracy; 0 never does. `keep` says whether the run ends with its best or its last weights.
    `deterministic` makes two runs equal bit for bit on one device, at some cost of speed on GPUs. The precision
    `float64` is for telling rounding from mistakes, not for use. `freeze` trains the head only: the network before it
    works as in evaluation, without dropout, and keeps its weights and statistics.
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


def override(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """Return a recipe with `key=value` settings applied, such as `optimizer.lr=0.1`; commas separate a list's values.

    Raises:
        ZooError: a setting is not of this form, no recipe has the key, or the value does not fit it.
    """
    values = to_dict(recipe)
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
