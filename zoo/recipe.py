"""The record of a recipe: everything that decides how a network is trained.

Each family's record contains its default recipes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from zoo.errors import ZooError
from zoo.input import Settings
from zoo.key_hints import meant
from zoo.schema import keys, parse, record, to_dict

Share = Annotated[float, Field(ge=0, lt=1)]

LARGEST = 1e6
"""The largest value of a key without a natural limit: larger ones are mistakes, and may overflow float32."""

Positive = Annotated[float, Field(gt=0, le=LARGEST)]
NotNegative = Annotated[float, Field(ge=0, le=LARGEST)]
Temperature = Annotated[float, Field(ge=1e-3, le=1e3)]

WIDTH = "network.width"
"""The key that makes every layer of a network wider or narrower."""

OWN = -1.0
"""The value of a dropout or drop-path rate that stands for the family's own."""

Precision = Literal["float32", "bfloat16", "float16", "float64"]


@record
class Optimizer:
    """The update rule.

    Weight decay is decoupled (`w -= lr * weight_decay * w`). It does not apply to norms, biases, and the variables that
    a family's record excludes. A layer's rate is `lr * layer_decay ** depth`; its depth is the number of feature maps
    that depend on it.

    `lamb` (You et al. 2019, arXiv:1904.00962) is Adam with a trust ratio for each weight: the norm of the weight over
    the norm of its update, decay included. Weights without weight decay are updated as in Adam. `momentum` is beta 1 of
    both.

    `l1` and `l2` add `l1 * sum(|w|) + l2 * sum(w²)` to the loss of a batch, over the weights that weight decay applies
    to.
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

    All shapes but `one_cycle` rise linearly to the optimizer's `lr` over `warmup_epochs`. `constant` stays there.
    `cosine` (half a cosine) and `linear` stay for `hold_epochs`, then fall to zero at the end. `step` multiplies the
    rate by `drop` every `drop_epochs`. `one_cycle` rises linearly from a tenth of `lr`, falls back to a tenth, and ends
    at a thousandth (Smith & Topin 2018, arXiv:1708.07120); momentum stays constant, and the lengths are shares of the
    training, see `zoo.training.schedule`.
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
    """Changes to the family's network.

    `width` multiplies the channels of all layers but the last, rounded to multiples of 8; of transformers to multiples
    of 64, so that heads keep their size.

    The rates apply in training only, neither in inference nor in exported files. `dropout` is the rate of all dropout
    in the network; a network without dropout gets one layer of it before the logits. `drop_path` is the probability
    with which an example's last residual branch is dropped; it rises evenly from 0 at the first branch (stochastic
    depth, Huang et al. 2016, arXiv:1603.09382). `OWN` stands for the family's own rates.
    """

    dropout: Annotated[float, AfterValidator(_share_or_own)] = OWN
    drop_path: Annotated[float, AfterValidator(_share_or_own)] = OWN
    width: Annotated[float, Field(gt=0, le=64)] = 1.0


OWN_RATES = Network()


@record
class Distill:
    """The share of a teacher's answers in the loss of a training, see `zoo.training.distillation`.

    The loss is `(1 - weight)` times the task's loss plus `weight` times the distance from the teacher. `soft` compares
    with the teacher's full answers, for classes at a `temperature`; `hard` takes the teacher's likeliest class as the
    label. `none` trains without a teacher. The defaults of `temperature` and `weight` are those of Tian et al.,
    Contrastive representation distillation, 2020 (arXiv:1910.10699).
    """

    kind: Literal["none", "soft", "hard"] = "none"
    temperature: Temperature = 4.0
    weight: Annotated[float, Field(gt=0, le=1)] = 0.9


@record
class Split:
    """The shares of splits that a dataset does not have itself; they are drawn class by class, with `seed`.

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

    `share` is the share of the network's multiply-adds that is left; 0 removes nothing. A layer that loses channels
    keeps a multiple of `multiple` channels: the block of onnxruntime's convolutions is 16 channels with AVX-512, and 8
    with AVX2.
    """

    share: Share = 0.0
    multiple: Annotated[int, Field(ge=1, le=64)] = 16


@record
class SimCLR:
    """Pretraining with `zoo pretrain --method simclr`; the keys of images, such as `smallest_crop`, apply to its views.

    `temperature` divides the similarities of views. `projection` is the number of values that represent a view in the
    comparison. `color` is the strength of the changes of brightness, contrast, saturation and hue; 0 changes nothing.
    `blur` is the share of the views that are blurred.
    """

    temperature: Temperature = 0.5
    projection: Annotated[int, Field(ge=1, le=65_536)] = 128
    color: NotNegative = 0.5
    blur: Annotated[float, Field(ge=0, le=1)] = 0.0


@record
class MLM:
    """Pretraining with `zoo pretrain --method mlm`: the network predicts a `share` of the tokens of each text."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.15


@record
class MAE:
    """Pretraining with `zoo pretrain --method mae`: the network reconstructs hidden patches of each image.

    `share` is the share of the patches that are hidden. The decoder, which is not kept, has `depth` blocks of `width`
    channels.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.75
    depth: Annotated[int, Field(ge=1, le=64)] = 2
    width: Annotated[int, Field(ge=32, le=8192, multiple_of=32)] = 128


@record
class FixMatch:
    """Training on unlabeled examples in addition to labeled ones, requested with `--unlabeled`.

    A batch has `ratio` unlabeled examples for each labeled one. An unlabeled example counts if the network gives some
    class at least the probability `threshold`; its loss is then the loss of this class, times `weight`.
    """

    ratio: Annotated[int, Field(ge=0)] = 0
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.95
    weight: NotNegative = 1.0


@record
class Recipe:
    """Everything that decides a training run, except for the machine.

    `batch_size` is the number of examples for one update, over all replicas; each replica computes its part in
    `accumulate` equal parts, one after the other. With an `ema_decay`, such as 0.999, an exponential moving average of
    the weights is evaluated and kept in their place, see `zoo.training.average`. `patience` ends training after that
    many epochs without a better validation score; 0 never does. `keep` says whether the run ends with its best or its
    last weights. `deterministic` makes two runs equal bit for bit on one device, at some cost of speed on GPUs. With
    `bfloat16` and `float16`, layers compute in that precision, and weights, updates and normalization stay in float32;
    `float64` is for telling rounding errors from bugs, not for use. `xla` compiles the step with XLA. A step whose loss
    or gradients are not finite ends the training if `on_nan` is `stop`, and is left out if it is `skip`. `freeze`
    trains the head only: the network before it works as in evaluation, without dropout, and keeps its weights and
    statistics. `class_weights` weighs the loss of each class: with `balanced`, all classes weigh the same, however
    skewed the data. `label_fraction` keeps this share of the training examples of each class, at least one, drawn with
    `label_seed`. `mixup` and `cutmix` are the alphas of the beta distributions with which pairs of examples are mixed,
    see `zoo.training.mixing`; 0 turns mixing off. Each example of an epoch appears `repeats` times in it, which does
    not change the number of steps. With `balanced` sampling, an epoch has equally many examples of every class, see
    `zoo.data.sampling`. The sections `simclr`, `mae` and `mlm` are for `zoo pretrain`, and `fixmatch` is for
    `--unlabeled`. `input` is the section that belongs to the kind of input; people set its keys by the kind's name, as
    in `KIND.KEY=VALUE`. None stands for the kind's defaults.
    """

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 30
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
    """Return a recipe with `key=value` settings applied, such as `optimizer.lr=0.1`; the last one of a key counts.

    Commas separate a list's values.

    Raises:
        ZooError: a setting does not have this form, no recipe has the key, or the value does not fit the key.
    """
    changes: dict[str, str] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ZooError(f"--set {setting}: write KEY=VALUE, such as optimizer.lr=0.1")
        _refuse_unknown(key, recipe, f"--set {setting}")
        changes[key] = text
    return changed(recipe, changes)


def set_keys(settings: Iterable[str]) -> set[str]:
    """Return the keys of `key=value` settings."""
    return {setting.partition("=")[0] for setting in settings}


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
        parent: dict[str, Any] = values
        for part in path:
            parent = parent[part]
        if isinstance(value, bool) and not isinstance(parent[last], bool):
            raise ZooError(f"{what}: {key} is {value}: write a value such as {parent[last]}")
        parent[last] = value.split(",") if isinstance(parent[last], list) and isinstance(value, str) else value
    if section:
        # The section is parsed by itself, so that messages use the name that people know.
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
    values_by_key = {}
    for key in known_keys(recipe):
        value: Any = values
        for part in key.split("."):
            value = value[part]
        values_by_key[key] = value
    return values_by_key


def known_keys(recipe: Recipe) -> list[str]:
    """List the keys of a recipe that people set; those of its section `input` begin with the kind of input."""
    recipe_keys = [key for key in keys(Recipe) if key != "input"]
    if recipe.input:
        recipe_keys += [f"{recipe.input.kind}.{key}" for key in keys(type(recipe.input)) if key != "kind"]
    return recipe_keys


def _refuse_unknown(key: str, recipe: Recipe, subject: str) -> None:
    recipe_keys = known_keys(recipe)
    if key not in recipe_keys:
        raise ZooError(f"{subject}: no recipe has the key '{key:.60}': {meant(key, recipe_keys)}")
