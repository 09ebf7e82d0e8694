"""The records that runs and artifacts share: model, data, weights and provenance. No framework is imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from zoo import task as tasks
from zoo.input import Preprocessing
from zoo.schema import record
from zoo.structure import Structure


def _known_task(name: str) -> str:
    if name not in tasks.tasks():
        raise ValueError(f"one of {', '.join(tasks.tasks())}")
    return name


@record
class Scale:
    """The mean and the std of a value over the training examples, in the units of the data."""

    mean: float
    std: Annotated[float, Field(gt=0)]


@record
class Symbols:
    """The labels of a transcript model that are not written as they are.

    `blank` is the index of the label that stands for no symbol. `separator` is the label between two words. The labels
    in `silent`, such as `<s>`, are not written.
    """

    blank: Annotated[int, Field(ge=0)]
    separator: str
    silent: tuple[str, ...] = ()


@record
class Part:
    """One of several targets of a network: its name, its task, and its labels.

    The labels of classes are in the order of the logits; a value has its name as its only label.
    """

    name: str
    task: Annotated[str, AfterValidator(_known_task)]
    labels: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def full_labels(self) -> tuple[str, ...]:
        """The labels as the model lists them, such as `color: red`; the label of a value is its name."""
        if self.labels == (self.name,):
            return self.labels
        return tuple(f"{self.name}: {label}" for label in self.labels)


def labels_of(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the labels of a model with several targets."""
    return tuple(label for part in parts for label in part.full_labels)


@record
class Model:
    """A network: its family and size, its task, its labels, its preprocessing and its cost.

    `labels` name the classes in the order of the logits, or the values, or are the symbols of transcripts. `scales` has
    the scale of each value, and is empty for other tasks; `symbols` is None for all tasks but transcripts. `parts` are
    the targets if there are several: `labels` then contains the labels of all, and `scales` has one entry for each
    label, with mean 0 and std 1 for classes. `parameters` counts the trainable parameters, `multiply_adds` the
    multiply-adds for one example. `structure` is None if the preprocessing decides it. `widths` has, by layer name, the
    channels of the layers whose number of channels is not the family's.
    """

    family: str
    size: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    parameters: int
    multiply_adds: int
    structure: Structure | None = None
    task: Annotated[str, AfterValidator(_known_task)] = "classes"
    scales: tuple[Scale, ...] = ()
    symbols: Symbols | None = None
    widths: dict[str, Annotated[int, Field(ge=1)]] = dataclasses.field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        if (self.symbols is not None) != (self.task == "transcript"):
            raise ValueError("a model with symbols if its task is transcript, and without for all others")
        if self.symbols and self.symbols.blank >= len(self.labels):
            raise ValueError(f"a blank among {len(self.labels)} labels, not at {self.symbols.blank}")
        if bool(self.parts) != (self.task == "several"):
            raise ValueError("a model with parts if its task is several, and without for all others")
        if self.parts and (self.labels != labels_of(self.parts) or len(self.scales) != len(self.labels)):
            raise ValueError("the labels of all parts, and a scale for each")


@record
class Data:
    """A dataset: how to find it again, and what it contained.

    `counts` are the numbers of examples by split. `fingerprint` is a SHA-256 over labels and examples. `overlap` counts
    the validation examples that are also in train, and the test examples that are also in train or validation, of a run
    also those that its initial weights or its teacher learned from; it is None in runs that did not record it.
    `options` are the options of the source, such as the column to predict. `columns` are the names of an example's
    columns in their order, if it has columns; it is empty in runs that did not record them. `loaded` are the numbers of
    examples by split before `label_fraction` and the network's input left some out; it is empty where they were not
    recorded.
    """

    source: str
    data_dir: str | None
    fingerprint: str
    counts: dict[str, int]
    skipped: tuple[str, ...]
    license: str
    overlap: dict[str, int] | None = None
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    columns: tuple[str, ...] = ()
    loaded: dict[str, int] = dataclasses.field(default_factory=dict)


@record
class Weights:
    """Published weights: where they come from, and their license.

    `source` is the publisher whose names the file uses, such as `timm`. `repository` and `tag` say where the weights
    were published, None if that is not known. `revision` is the commit that was fetched, None for a local file.
    `adapted` lists what was changed, such as a first layer for another number of channels.
    """

    source: str
    repository: str | None
    tag: str | None
    revision: str | None
    file: str
    sha256: str
    license: str
    adapted: tuple[str, ...] = ()


@record
class Pruning:
    """The pruning of channels: the requested share of the multiply-adds, the share that was `reached`, and the cost.

    The cost before is that of the pruned run's network with the new run's input and labels.
    """

    share: float
    reached: float
    multiply_adds_before: int
    multiply_adds_after: int
    parameters_before: int
    parameters_after: int


@record
class InitialWeights:
    """The weights that a fine-tuned run started from.

    `run` is the name of the run that they come from, `sha256` the hash of its weights file. `license` is None if that
    run states none. `new_head` is true if the head started from random weights. `pruning` says how channels were
    removed; it is None if all of them stayed. `source` is the publisher of the weights that the first of these runs
    began with, as in `Weights`; it is None if nobody published them, and in runs that did not record it.
    """

    run: str
    sha256: str
    family: str
    size: str
    license: str | None
    new_head: bool
    pruning: Pruning | None = None
    source: str | None = None


@record
class Teacher:
    """The network whose answers a distilled run learned from.

    `name` is the name of its run, artifact or file. `sha256` is the hash of the file that contains its weights: a run's
    weights file or an ONNX file, or the manifest of an artifact whose preferred format is a folder. `family`, `size`
    and `license` are None if nothing states them. `score` is the score on the teacher's own test split, None if it was
    not measured.
    """

    name: str
    sha256: str
    family: str | None
    size: str | None
    license: str | None
    score: tasks.Score | None = None


def license_of(weights: Weights | None, initial: InitialWeights | None, teacher: Teacher | None) -> str | None:
    """Return the license that weights come with; None if nothing states one.

    It is the license of published weights, or of the weights that training started from. Some licenses, such as
    OpenRAIL's, also bind networks that learned from the answers of another network: the teacher's license is added, so
    that people can decide.
    """
    origin = weights or initial
    origin_license = origin.license if origin else None
    learned = teacher.license if teacher else None
    if learned is None or learned == origin_license:
        return origin_license
    return "; ".join([*([origin_license] if origin_license else []), f"{learned} (the teacher's)"])


@record
class Provenance:
    """The command, seed, versions and machine that made a folder or measured a figure, and when.

    `started` and `finished` are in UTC, ISO 8601. `environment` holds the variables of `zoo.provenance.NUMERIC` that
    were set, see `zoo.provenance.environment`.
    """

    command: str
    seed: int
    versions: dict[str, str]
    machine: dict[str, Any]
    started: str
    finished: str | None = None
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
