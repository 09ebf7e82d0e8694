"""The record of a recipe: everything that decides how a network is trained.

The default recipes stand in each family's record.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from zoo.errors import ZooError, did_you_mean
from zoo.input import Settings
from zoo.schema import keys, parse, record, to_dict

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]

OWN = -1.0
"""The rate of dropout or of drop-path that stands for the family's own."""

Precision = Literal["float32", "bfloat16", "float16", "float64"]


@record
class Optimizer:
    """The update rule.

    Weight decay is decoupled (`w -= lr * weight_decay * w`). It spares norms, biases, and what a family's record names.
    A layer's rate is `lr * layer_decay ** depth`; its depth is the number of feature maps that depend on it.

    `lamb` (You et al. 2019, arXiv:1904.00962) is Adam with a rate for each weight: the norm of the weight over the norm
    of its update, decay included. What weight decay spares is updated as Adam does. `momentum` is beta 1 of both.

    `l1` and `l2` add to the loss of a batch `l1 * sum(|w|) + l2 * sum(w²)` over the weights that weight decay shrinks.
    """

    name: Literal["sgd", "adamw", "lamb"] = "sgd"
    lr: Positive = 0.05
    momentum: Share = 0.9
    weight_decay: NotNegative = 5e-3
    clip_norm: NotNegative = 0.0  # of the global gradient; 0: no clipping
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    l1: NotNegative = 0.0
    l2: NotNegative = 0.0


@record
class Schedule:
    """The learning rate over time, in epochs from the start of the training.

    All shapes but `one_cycle` rise linearly over `warmup_epochs`. `constant` stays there. `cosine` (half a cosine) and
    `linear` stay for `hold_epochs`, then fall to zero at the end. `step` multiplies the rate by `drop` every
    `drop_epochs`. `one_cycle` rises linearly from a tenth of the rate, falls back to it, and ends at a thousandth
    (Smith & Topin 2018, arXiv:1708.07120); momentum stays constant, and the lengths are shares of the training, see
    `zoo.training.schedule`.
    """

    shape: Literal["cosine", "constant", "linear", "step", "one_cycle"] = "cosine"
    warmup_epochs: NotNegative = 1.0
    hold_epochs: NotNegative = 0.0
    drop_epochs: Positive = 30.0
    drop: Annotated[float, Field(gt=0, lt=1)] = 0.1


def _share_or_own(rate: float) -> float:
    if rate != OWN and not 0 <= rate < 1:
        raise ValueError(f"0 or more and below 1, or {OWN:g} for the family's own")
    return rate


@record
class Network:
    """Changes of the family's network.

    `width` multiplies the channels of all layers but the last, to multiples of 8.

    The rates are for training; inference is without them, and so is what is exported. `dropout` is the rate of all
    dropout of the network; a network without any gets one before the logits. `drop_path` is the probability with which
    an example loses the last residual branch; it rises evenly from 0 at the first one (stochastic depth, Huang et al.
    2016, arXiv:1603.09382). `OWN` stands for the family's own rates.
    """

    dropout: Annotated[float, AfterValidator(_share_or_own)] = OWN
    drop_path: Annotated[float, AfterValidator(_share_or_own)] = OWN
    width: Positive = 1.0


OWN_RATES = Network()


@record
class Distill:
    """The share of a teacher's answers in the loss of a training, see `zoo.training.distillation`.

    The loss is `(1 - weight)` times that of the task, and `weight` times the distance from the teacher. `soft` compares
    with all that the teacher answers, of classes at a `temperature`; `hard` takes its likeliest class for the right
    one. `none` is a training without a teacher. The defaults of `temperature` and `weight` are those of Tian et al.,
    Contrastive representation distillation, 2020 (arXiv:1910.10699).
    """

    kind: Literal["none", "soft", "hard"] = "none"
    temperature: Positive = 4.0
    weight: Annotated[float, Field(gt=0, le=1)] = 0.9


@record
class Split:
    """The shares of splits that a data set does not bring itself; they are drawn class by class, with `seed`.

    `copies_together` keeps examples that are equal byte for byte in one split. It is off in runs made before it
    existed.
    """

    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    seed: Annotated[int, Field(ge=0)] = 0
    copies_together: bool = False


@record
class Prune:
    """The removal of channels from the weights that training starts from.

    `share` of the network's multiply-adds are left; 0 removes nothing. A layer that loses channels keeps a multiple of
    `multiple` of them: the block of onnxruntime's convolutions is 16 channels with AVX-512, and 8 with AVX2.
    """

    share: Share = 0.0
    multiple: Annotated[int, Field(ge=1, le=64)] = 16


@record
class SimCLR:
    """Pretraining by `zoo pretrain --method simclr`; keys of images, such as `smallest_crop`, are for its views, too.

    `temperature` divides the similarities of views. `projection` is the number of values that a view is compared by.
    `color` is the strength of the changes of brightness, contrast, saturation and hue; 0 makes none. `blur` is the
    share of the views that are blurred.
    """

    temperature: Positive = 0.5
    projection: Annotated[int, Field(ge=1)] = 128
    color: NotNegative = 0.5
    blur: Annotated[float, Field(ge=0, le=1)] = 0.0


@record
class MLM:
    """Pretraining by `zoo pretrain --method mlm`: `share` of the tokens of each text are to be found."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.15


@record
class MAE:
    """Pretraining by `zoo pretrain --method mae`: the patches of each image are to be found but for a few.

    `share` of the patches are hidden. The decoder, which is not kept, has `depth` blocks of `width` channels.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.75
    depth: Annotated[int, Field(ge=1)] = 2
    width: Annotated[int, Field(ge=32, multiple_of=32)] = 128


@record
class FixMatch:
    """Training on examples without labels beside those with labels, as `--unlabelled` asks for it.

    A batch holds `ratio` times as many of them. One counts where the network gives a class at least the probability
    `threshold`; then its loss, times `weight`, is that of this class.
    """

    ratio: Annotated[int, Field(ge=0)] = 0
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.95
    weight: NotNegative = 1.0


@record
class Recipe:
    """Everything that decides a training run, except for the machine.

    `batch_size` is that of all replicas together, for one update; each replica computes its part of it in `accumulate`
    equal parts, one after the other. With an `ema_decay`, such as 0.999, an exponential moving average of the weights
    is evaluated and kept in their place, see `zoo.training.average`. `patience` ends training after so many epochs
    without a better validation score; 0 never does. `keep` says whether the run ends with its best or its last weights.
    `deterministic` makes two runs equal bit for bit on one device, at some cost of speed on GPUs. With `bfloat16` and
    `float16`, layers compute in that precision, and weights, updates and normalization stay in float32; `float64` is
    for telling rounding from mistakes, not for use. `xla` compiles the step by XLA. `on_nan` says what becomes of a
    step whose loss or gradients are not finite: it ends the training, or is left out. `freeze` trains the head only:
    the network before it works as in evaluation, without dropout, and keeps its weights and statistics.
    `class_weights` weighs the loss of each class: with `balanced`, all classes weigh the same, however skewed the data.
    `label_fraction` keeps this share of the training examples, of each class and at least one, drawn with `label_seed`.
    `mixup` and `cutmix` are the alphas of the beta distributions by which pairs of examples are mixed, see
    `zoo.training.mixing`; 0 mixes none. Each example of an epoch appears `repeats` times in it, which does not change
    the number of steps. With `balanced` sampling, an epoch has as many examples of one class as of another, see
    `zoo.data.sampling`. The sections `simclr`, `mae` and `mlm` are for `zoo pretrain`, and `fixmatch` is for
    `--unlabeled`.
    `input` is the section that belongs to the kind of input; people set its keys by the kind's name, as in
    `KIND.KEY=VALUE`. None stands for the kind's defaults.
    """

    epochs: Annotated[int, Field(ge=1)] = 30
    batch_size: Annotated[int, Field(ge=1)] = 128
    accumulate: Annotated[int, Field(ge=1)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    precision: Precision = "float32"
    xla: bool = False
    label_smoothing: Share = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    mixup: NotNegative = 0.0
    cutmix: NotNegative = 0.0
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    sampling: Literal["all", "balanced"] = "all"
    ema_decay: Share = 0.0
    patience: Annotated[int, Field(ge=0)] = 0
    keep: Literal["best", "last"] = "best"
    deterministic: bool = True
    on_nan: Literal["stop", "skip"] = "stop"
    freeze: bool = False
    label_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    label_seed: Annotated[int, Field(ge=0)] = 0
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    network: Network = OWN_RATES
    distill: Distill = Distill()
    split: Split = Split(copies_together=True)
    prune: Prune = Prune()
    simclr: SimCLR = SimCLR()
    mae: MAE = MAE()
    mlm: MLM = MLM()
    fixmatch: FixMatch = FixMatch()
    input: Settings = None


def override(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """Return a recipe with `key=value` settings applied, such as `optimizer.lr=0.1`; commas separate a list's values.

    Raises:
        ZooError: a setting is not of this form, no recipe has the key, or the value does not fit it.
    """
    changes = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ZooError(f"--set {setting}: write KEY=VALUE, such as optimizer.lr=0.1")
        _refuse_unknown(key, recipe, f"--set {setting}")
        changes[key] = text
    return changed(recipe, changes)


def changed(recipe: Recipe, changes: Mapping[str, Any], what: str = "recipe") -> Recipe:
    """Return a recipe with other values of some keys, which are dotted, such as `optimizer.lr`.

    A text stands for a list whose values are separated by commas.

    Raises:
        ZooError: no recipe has a key, or a value does not fit it. The message begins with `what`.
    """
    values = to_dict(recipe)
    section = values["input"]
    if section:
        values[section["kind"]] = section
    for key, value in changes.items():
        _refuse_unknown(key, recipe, what)
        *path, last = key.split(".")
        place: dict[str, Any] = values
        for part in path:
            place = place[part]
        place[last] = value.split(",") if isinstance(place[last], list) and isinstance(value, str) else value
    if section:
        # Parsed under the name that people know it by, for messages.
        name = section["kind"]
        settings = parse(type(recipe.input), values.pop(name), f"{what}: {name}")
        return dataclasses.replace(parse(Recipe, values | {"input": None}, what), input=settings)
    return parse(Recipe, values, what)


def flat(recipe: Recipe) -> dict[str, Any]:
    """Return the values of a recipe by the keys that people set."""
    values = to_dict(recipe)
    section = values.pop("input")
    if section:
        values[section["kind"]] = section
    found = {}
    for key in known_keys(recipe):
        value: Any = values
        for part in key.split("."):
            value = value[part]
        found[key] = value
    return found


def known_keys(recipe: Recipe) -> list[str]:
    """List the keys of a recipe that people set; those of its input begin with the kind of input."""
    known = [key for key in keys(Recipe) if key != "input"]
    if recipe.input:
        known += [f"{recipe.input.kind}.{key}" for key in keys(type(recipe.input)) if key != "kind"]
    return known


def _refuse_unknown(key: str, recipe: Recipe, what: str) -> None:
    known = known_keys(recipe)
    if key not in known:
        raise ZooError(f"{what}: no recipe has the key '{key:.60}': {did_you_mean(key, known)}")
