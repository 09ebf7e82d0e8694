"""The record of a task: the answers that a network gives, and how they are trained, measured and compared.

A task is a module of `zoo.tasks`, or one that an installed package adds, with its record in `TASK`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from zoo import plugins
from zoo.errors import ZooError, did_you_mean
from zoo.schema import record
from zoo.signature import Tensor

if TYPE_CHECKING:
    import numpy as np

    from zoo.agreement import Yardstick
    from zoo.data.dataset import Examples
    from zoo.data.share import Share
    from zoo.description import Model
    from zoo.family import Family
    from zoo.recipe import Recipe

PACKAGE = "zoo.tasks"
"""The package whose modules are tasks, and the group of entry points by which installed packages add more."""

Verdict = tuple[bool, dict[str, Any]]
"""The outcome of a check (passed or not) and its figures."""


@record
class Score:
    """The one figure that a file or a run is judged by, on `examples` test examples, with its 95 % interval.

    `metric` is scikit-learn's name for it, such as `accuracy` or `r2`. If there are several targets, it is
    `mean_score`, and `parts` has the score of each target by its name.
    """

    metric: str
    value: float
    low: float
    high: float
    examples: int
    parts: dict[str, Score] = field(default_factory=dict)


class Graph(Protocol):
    """The functions of a task in TensorFlow operations. `output` is that of the network, [batch, …].

    A task that no network can be trained for has `answers` only.
    """

    def answers(self, output: Any, model: Model) -> dict[str, Any]:
        """Return the outputs of the contract."""

    def losses(self, targets: Any, output: Any, model: Model, smoothing: float = 0.0) -> Any:
        """Return the loss of each example, float32 [batch]."""

    def distilled(self, answers: Any, output: Any, model: Model, kind: str, temperature: float) -> Any:
        """Return the distance of each example from a teacher's answers, float32 [batch].

        `answers` are the teacher's primary outputs, [batch, …], with labels in the model's order. `kind` is one of
        `Task.distillations`.
        """

    def sums(self, targets: Any, output: Any, model: Model, weights: Any = 1.0) -> dict[str, Any]:
        """Return scalar sums over a batch, weighted by example, from which `Task.metrics` computes the metrics."""


class Pretext(Protocol):
    """Further functions of a task that needs no labels: networks are pretrained for it, and it has no answers.

    The described network ends before the family's own head, and the layers that training adds to it are not kept. A
    recipe has a section with the name of the task.
    """

    def recipe(self, recipe: Recipe) -> Recipe:
        """Return a family's recipe with the defaults that suit the task."""

    def check(self, family: Family, recipe: Recipe) -> None:
        """Refuse a family or a recipe.

        Raises:
            ZooError: they do not fit the task.
        """

    def network(self, trunk: Any, model: Model, recipe: Recipe) -> Any:
        """Return the network in training, which shares the layers of the described one, `trunk`."""

    def training_batches(
        self, examples: Examples, model: Model, recipe: Recipe, *, epoch: int, start: int = 0, share: Share
    ) -> Any:
        """Return one epoch as a tf.data.Dataset of (network inputs by name, targets), as `zoo.input.Graph` does.

        Inputs may be several views of each example, [batch, views, …], see `zoo.training.views`.
        """

    def evaluation_batches(self, examples: Examples, model: Model, recipe: Recipe, *, share: Share) -> Any:
        """Return every example in order, as a tf.data.Dataset of (network inputs, targets, weights float32 [batch])."""


class Answer(Protocol):
    """The answer for one example, as `zoo predict` gives it."""

    def lines(self) -> list[str]:
        """Return lines for people."""

    def plain(self) -> dict[str, Any]:
        """Return the answer as plain data for JSON."""

    def cells(self) -> dict[str, Any]:
        """Return the cells of its row in a table by the names of their columns, the same for every example."""


def as_they_are(outputs: np.ndarray, model: Model) -> np.ndarray:
    """Return the outputs unchanged."""
    return outputs


def as_one_target(outputs: np.ndarray) -> list[np.ndarray]:
    """Return the primary outputs as those of the only target."""
    return [outputs]


def first_output(outputs: Mapping[str, np.ndarray], model: Model) -> np.ndarray:
    """Return the first output of the model's task."""
    return outputs[task_of(model).outputs[0]]


def unchanged(network: Any, model: Model) -> Any:
    """Return the network unchanged."""
    return network


ErrorOfSums = Callable[["np.ndarray"], "np.ndarray"]


def untrained(*arguments: Any) -> Any:
    """Refuse a call that makes sense only for tasks that networks can be trained for.

    Raises:
        ZooError: always.
    """
    raise ZooError("no network can be trained for this task: pull published weights with 'zoo pull'")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A kind of answer.

    A task that no network can be trained for keeps the defaults of `metrics`, `score`, `right` and `errors`, which
    refuse; `zoo.pretext.task` makes a task without answers.

    Attributes:
        kind: its name.
        title: its name in a sentence, if it differs from `kind`.
        outputs: the outputs of every format. Most tasks have one by which files are compared, the first.
        tensors: the outputs' dtypes and shapes, from the number of labels.
        graph_module: the dotted name of the module with the functions of `Graph`.
        primary: called with the outputs of a batch and the model; returns the primary output, an array [batch, …,
            labels] by which files are compared and answers are measured: the first output, or all outputs to compare
            in one array. It is 0 where these outputs are 0.
        by_target: called with primary outputs; returns those of each target.
        yardstick: called with expected primary outputs and the model; returns the measure of differences from them.
            Every comparison of files uses it.
        agreement: compares primary outputs with the expected ones, within a tolerance in units of the yardstick; the
            last argument is the model.
        consistency: the largest contradiction between the outputs of a batch, such as that of the probabilities to the
            softmax of the logits; 0 where there can be none.
        measure: compares measured outputs with targets and labels; returns all figures, a record. It takes `name` and
            `source` for messages, and raises Refused if outputs are not finite.
        libraries: the modules that `measure` imports. A verb imports them first, so that a missing one ends it before
            all answers are computed.
        summary: returns these figures as text for people.
        drawing: the file name of the drawing that `draw` makes.
        draw: draws the figures; it takes the path, the figures, measured outputs, targets, a title, and `say`.
        answer: called with the outputs of one example, the model and the number of likeliest labels to return; returns
            the answer.
        metrics: called with the sums of `Graph.sums` and the number of examples; returns the metrics of an epoch,
            including `loss`.
        best: the metric of the validation split by which the best epoch is chosen.
        higher_is_better: whether a larger value of `best` is better.
        titles: the metrics that are drawn over the epochs, with the titles of their axes.
        score: called with measured outputs and targets; returns the score.
        right: called with primary outputs, targets and the model; returns bool [examples], whether each answer counts
            as right when two files are compared on the same examples.
        errors: called with measured outputs and targets; returns the error of each example, float64 [examples]. Their
            mean is the error of the network, 0 for a perfect one.
        error_sums: called with measured outputs and targets; returns columns, float64 [examples, columns], and a
            function from their sums over bootstrap draws, float64 [draws, columns], to the error of each draw, NaN for
            a draw from which no error can be computed.
        measured: called with the primary outputs of a batch and the model; returns the part that is measured,
            [batch, …]: the outputs themselves, unless those of two examples may have different shapes.
        probabilities: the name of each output of probabilities, with the name of the output of its logits.
        trained: called with the described network and the model; returns the network in training: the same one, unless
            training adds layers, which checkpoints contain and the finished run does not.
        fewest_labels: the least number of labels that a model has.
        shares: whether the functions of `Graph` also take targets that are shares of the labels, float32 [batch,
            labels], in place of labels.
        balanced: called with the targets of training and the number of labels; returns weights of the labels, float32
            [labels], with which all labels weigh the same. None if the targets are not labels.
        distillations: the kinds of distillation that the task has, and whether each has a temperature.
        pretext_module: the dotted name of the module with the functions of `Pretext`; empty for tasks with answers.
        composed: called with a model; returns its task, for a kind of answer whose outputs depend on more than the
            number of labels. None for all others.
    """

    kind: str
    outputs: tuple[str, ...]
    tensors: Callable[[int], dict[str, Tensor]]
    graph_module: str
    yardstick: Callable[[np.ndarray, Model], Yardstick]
    agreement: Callable[[np.ndarray, np.ndarray, float, Model], Verdict]
    consistency: Callable[[Mapping[str, np.ndarray]], float]
    measure: Callable[..., Any]
    summary: Callable[[Any], str]
    drawing: str
    draw: Callable[[Path, Any, np.ndarray, np.ndarray, str, Callable[[str], None]], None]
    answer: Callable[[Mapping[str, np.ndarray], Model, int], Answer]
    metrics: Callable[[Mapping[str, float], int], dict[str, float]] = untrained
    best: str = "loss"
    higher_is_better: bool = False
    titles: Mapping[str, str] = field(default_factory=dict)
    score: Callable[[np.ndarray, np.ndarray], Score] = untrained
    right: Callable[[np.ndarray, np.ndarray, Model], np.ndarray] = untrained
    errors: Callable[[np.ndarray, np.ndarray], np.ndarray] = untrained
    error_sums: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, ErrorOfSums]] = untrained
    libraries: tuple[str, ...] = ()
    measured: Callable[[np.ndarray, Model], np.ndarray] = as_they_are
    primary: Callable[[Mapping[str, np.ndarray], Model], np.ndarray] = first_output
    by_target: Callable[[np.ndarray], Sequence[np.ndarray]] = as_one_target
    probabilities: Mapping[str, str] = field(default_factory=dict)
    trained: Callable[[Any, Model], Any] = unchanged
    fewest_labels: int = 1
    shares: bool = False
    balanced: Callable[[np.ndarray, int], np.ndarray] | None = None
    distillations: Mapping[str, bool] = field(default_factory=dict)
    pretext_module: str = ""
    composed: Callable[[Model], Task] | None = None
    title: str = ""

    @property
    def words(self) -> str:
        """The name in a sentence."""
        return self.title or self.kind

    @property
    def has_labels(self) -> bool:
        """True if a target is one of the labels."""
        return self.balanced is not None

    @property
    def graph(self) -> Graph:
        """The module with the functions of `Graph`, imported with TensorFlow."""
        return cast(Graph, importlib.import_module(self.graph_module))

    @property
    def pretext(self) -> Pretext | None:
        """The module with the functions of `Pretext`, imported; None for a task with answers."""
        return cast(Pretext, importlib.import_module(self.pretext_module)) if self.pretext_module else None


@functools.cache
def tasks() -> dict[str, Task]:
    """Return every task by its name."""
    tasks_by_name = {}
    for name, module in plugins.modules(PACKAGE).items():
        task = getattr(module, "TASK", None)
        if not isinstance(task, Task) or task.kind != name:
            raise ZooError(f"{module.__name__} is not a task: it should have a TASK of the kind '{name}'")
        tasks_by_name[name] = task
    return tasks_by_name


def find(kind: str) -> Task:
    """Return the task of a name.

    Raises:
        ZooError: there is none.
    """
    if kind not in tasks():
        raise ZooError(f"there is no task '{kind:.60}': {did_you_mean(kind, tasks())}")
    return tasks()[kind]


def task_of(model: Model) -> Task:
    """Return the task of a described network."""
    task = find(model.task)
    return task.composed(model) if task.composed else task


def names(labels: Sequence[str], most: int = 10) -> str:
    """List labels for people."""
    return ", ".join(labels[:most]) + (", …" if len(labels) > most else "")
