"""The records of a request for training: its data, the training itself, and the way to execute it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.description import Model
from zoo.named_recipe import RecipeChoice
from zoo.text import Progress, Say, silent
from zoo.training.cluster import Kind
from zoo.training.team import ALONE, Team

if TYPE_CHECKING:
    from zoo.data.example import BadExamples

Preflight = Callable[[Model], None]
"""Takes the description of an untrained network, and raises if such a network cannot be exported."""


@dataclass(frozen=True)
class DataRequest:
    """The data to train on.

    Attributes:
        source: the data, in the form of `--data`; None for the data of the run whose weights are
            taken, or for the default data of the family's kind of input.
        data_dir: the option `--data-dir`, for a source that takes it.
        options: other options of the source by name, such as the column to predict.
        bad_examples: whether examples that cannot be read are an error or are left out.
    """

    source: str | None = None
    data_dir: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    bad_examples: BadExamples = "error"


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """A request for a new training; every field but `out` affects the result.

    Attributes:
        family: the name or an alias of a family; None for that of `weights`.
        size: the name of a size; None for that of `weights`, or the default one.
        weights: a finished run, from whose weights the training starts; None to start from scratch.
        teacher: a run, an artifact or an ONNX file, whose answers the network also learns from, see
            `zoo.training.distillation`; None for none.
        data: the data.
        recipe: the name of a recipe, or a recipe file; None for the default one.
        settings: changes of that recipe as `KEY=VALUE`.
        method: the task to pretrain for, without labels, such as `simclr`; None to train with labels.
        unlabeled: further data to train on without their labels, see `zoo.data.unlabeled`; None for none.
        out: the run folder to write; None for a new one below `runs`.
    """

    family: str | None = None
    size: str | None = None
    weights: Path | None = None
    teacher: Path | None = None
    data: DataRequest = DataRequest()
    recipe: RecipeChoice | None = None
    settings: Sequence[str] = ()
    method: str | None = None
    unlabeled: str | None = None
    out: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The execution of a training: devices, checkpoints and messages; a run can be resumed with other values.

    Attributes:
        strategy: the devices that train together, see `zoo.training.strategy.choose`.
        devices: the number of logical devices to split the CPU into; None to leave it whole.
        checkpoint_minutes: the time between two checkpoints; there is one after every epoch, too.
        profile: the number of steps to write a trace of.
        tf_data_service: the addresses of the servers that make the batches; None where this process makes them.
        callbacks: Keras callbacks. Their `model` has an optimizer and obeys `stop_training`.
        say: called with lines about the data, the run and every epoch, and about failures that do not end the training.
        progress: called twice a second with the number of steps done.
        team: the workers that train together; only its chief writes.
    """

    strategy: Kind = "auto"
    devices: int | None = None
    checkpoint_minutes: float = 10.0
    profile: int = 0
    tf_data_service: str | None = None
    callbacks: Sequence[Any] = ()
    say: Say = silent
    progress: Progress = silent
    team: Team = ALONE
