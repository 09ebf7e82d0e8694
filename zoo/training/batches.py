"""The batches of a training, in the form that its step takes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.data.dataset import Dataset, Examples
from zoo.data.sampling import Sampling
from zoo.data.share import WHOLE, Share, check_batch
from zoo.description import Model
from zoo.errors import ZooError
from zoo.input import Input, kind_of
from zoo.recipe import Recipe
from zoo.task import Pretext, Task, task_of
from zoo.text import Say
from zoo.training import mixing, stages
from zoo.training.data_service import DataService


class Batches:
    """The batches of a training.

    The kind of input makes batches of examples and their numbers. By these numbers, a row of each of the `columns` is
    added for every example. Then pairs of a batch are mixed, if the recipe says so.

    Args:
        examples: the training examples.
        model: the description of the network.
        recipe: the recipe.
        columns: arrays [examples, …], such as a teacher's answers, which follow the targets in each batch.
        service: the servers that make the batches of examples and numbers; None if this process makes them.
    """

    def __init__(
        self,
        examples: Examples,
        model: Model,
        recipe: Recipe,
        columns: Sequence[np.ndarray] = (),
        service: DataService | None = None,
    ) -> None:
        classes = examples.targets if recipe.sampling == "balanced" else None
        self._numbered = dataclasses.replace(
            examples, targets=np.arange(len(examples)), sampling=Sampling(recipe.repeats, classes)
        )
        self._model, self._recipe, self._service = model, recipe, service
        self._columns = (examples.targets, *columns)
        self.steps = len(examples) // recipe.batch_size

    def epoch(self, number: int, start: int = 0, share: Share = WHOLE) -> Any:
        """Return the batches of an epoch without the first `start`, as a tf.data.Dataset.

        Each is a tuple of the network inputs by name, the targets, and the rows of the columns. Targets of mixed
        examples are shares of classes, float32 [batch, labels].

        Raises:
            ZooError: there are fewer examples than a batch has.
        """
        import tensorflow as tf

        make = functools.partial(self._numbered_batches, number, start)
        batches = self._service.batches(make, share) if self._service else make(share)
        with tf.device("CPU"):
            columns = [tf.constant(column) for column in self._columns]
            drawn = None
            if mixing.asked(self._recipe):
                drawn = tf.constant(mixing.draws(self._recipe, number, self.steps, share))

            def finished(step: Any, batch: tuple[Any, Any]) -> tuple[Any, ...]:
                inputs, numbers = batch
                targets, *others = (tf.gather(column, numbers) for column in columns)
                if drawn is not None:
                    inputs, targets = mixing.mixed(inputs, targets, len(self._model.labels), drawn[step])
                return inputs, targets, *others

            unconverted = tf.autograph.experimental.do_not_convert(finished)
            return batches.enumerate(start).map(unconverted, num_parallel_calls=1, deterministic=True).prefetch(1)

    def try_out(self, share: Share = WHOLE) -> None:
        """Check that the service makes the same batches as this process.

        Raises:
            ZooError: the batches differ, or the service cannot make them.
        """
        assert self._service is not None, "batches without a service are made here"
        plural = kind_of(self._model.preprocessing).plural
        self._service.try_out(functools.partial(self._numbered_batches, 0, 0), share, plural)

    def _numbered_batches(self, number: int, start: int, share: Share) -> Any:
        """Return the batches of an epoch as the kind of input makes them."""
        preprocessing = stages.of_epoch(self._model, self._recipe, number).preprocessing
        return kind_of(preprocessing).graph.training_batches(
            self._numbered,
            preprocessing,
            self._recipe.input,
            batch_size=self._recipe.batch_size,
            seed=self._recipe.seed,
            epoch=number,
            start=start,
            share=share,
        )


def with_fitting_batch(recipe: Recipe, parts: int, examples: int, say: Say, why: str | None = None) -> Recipe:
    """Return a recipe whose batch is not larger than a small dataset; `why` is the reason to say instead of the usual.

    A batch size that is changed becomes a multiple of `parts`, or of twice that if pairs of examples are mixed.
    """
    if mixing.asked(recipe):
        parts *= 2
    if recipe.batch_size <= examples or examples < parts:
        return recipe
    fitting_size = examples // parts * parts
    usual = f"{examples} training examples are fewer than {recipe.batch_size}"
    say(f"a batch has {fitting_size} examples: {why or usual}")
    return dataclasses.replace(recipe, batch_size=fitting_size)


MOST_LEFT_OUT = 0.05
"""The share of the training examples that an epoch may leave out without a remark."""


def left_out_of_epochs(recipe: Recipe, parts: int, examples: int, plural: str) -> str | None:
    """Return a line about the training examples that no whole batch of an epoch holds; None if they are few.

    Args:
        recipe: the recipe.
        parts: the number by which a batch size can be divided.
        examples: the number of training examples.
        plural: the word for several examples.
    """
    steps, left_out = divmod(examples, recipe.batch_size)
    # With repeats and balanced sampling, an epoch consists of draws, and leaves out more examples for other reasons.
    if left_out <= MOST_LEFT_OUT * examples or recipe.repeats > 1 or recipe.sampling == "balanced":
        return None
    parts *= 2 if mixing.asked(recipe) else 1
    smaller = examples // (steps + 1) // parts * parts
    left_out_then = examples % smaller if smaller else examples
    advice = f": --set batch_size={smaller} leaves out {left_out_then or 'none'}" if left_out_then < left_out else ""
    line = f"each epoch leaves out {left_out} of the {examples} training {plural}, other ones each time"
    return f"{line}, because they do not fill a batch of {recipe.batch_size}{advice}"


def check(recipe: Recipe, kind: Input, task: Task, examples: int, replicas: int = 1, share: Share = WHOLE) -> None:
    """Refuse a recipe whose batches cannot be made.

    Args:
        recipe: the recipe.
        kind: the kind of input.
        task: the task.
        examples: the number of training examples.
        replicas: the number of replicas that share a batch.
        share: the part of a batch that this worker reads.

    Raises:
        ZooError: a batch cannot be divided, is larger than the training split, or cannot be mixed, balanced or weighed.
    """
    _check_size(recipe.batch_size, replicas, examples, recipe.accumulate)
    mixing.check(recipe, kind, task, share)
    for key, effect in (("sampling", "draws classes evenly"), ("class_weights", "weighs classes")):
        if getattr(recipe, key) == "balanced" and task.balanced is None:
            raise ZooError(f"{key}=balanced {effect}, and the task is {task.words}: leave it out")
    if recipe.sampling == "balanced" and recipe.class_weights == "balanced":
        raise ZooError("sampling=balanced and class_weights=balanced both balance the classes: leave one of them out")


def _check_size(batch_size: int, replicas: int, examples: int, parts: int = 1) -> None:
    """Raise ZooError if a batch cannot be divided among replicas and parts, or is larger than the training split."""
    if batch_size % replicas:
        raise ZooError(
            f"a batch of {batch_size} cannot be shared by {replicas} replicas: --set batch_size to a multiple of them"
        )
    if batch_size % (replicas * parts):
        raise ZooError(
            f"a batch of {batch_size} cannot be computed in {parts} equal parts by each of {replicas} replicas: "
            f"--set batch_size to a multiple of {replicas * parts}, or --set accumulate to another number"
        )
    check_batch(batch_size, examples)


def check_replicas(recipe: Recipe, replicas: int, share: Share) -> None:
    """Refuse devices that cannot share the batches of a run that is continued, whose recipe stays as it is.

    Args:
        recipe: the recipe.
        replicas: the number of replicas that share a batch.
        share: the part of a batch that this worker reads.

    Raises:
        ZooError: a batch cannot be divided.
    """
    size = recipe.batch_size // recipe.accumulate
    if size % replicas:
        parts = f" is computed in {recipe.accumulate} parts, which" if recipe.accumulate > 1 else ""
        raise ZooError(
            f"the run's batch of {recipe.batch_size}{parts} cannot be shared by {replicas} replicas: continue it on "
            f"one device (--strategy single), or with a number of replicas that divides {size}"
        )
    mixed = mixing.asked(recipe)
    if mixed and share.size(recipe.batch_size) % 2:
        raise ZooError(
            f"{mixed[0]} mixes pairs, and the run's batch of {recipe.batch_size} is odd on each of {share.count} "
            f"workers: continue it on one machine, or with a number of workers that divides {recipe.batch_size // 2}"
        )


class PretextBatches:
    """The batches of a pretraining.

    Args:
        examples: the training examples.
        description: the description of the network.
        recipe: the recipe.
        pretext: the functions of its task.
    """

    def __init__(self, examples: Examples, description: Model, recipe: Recipe, pretext: Pretext) -> None:
        self._examples, self._description, self._recipe, self._pretext = examples, description, recipe, pretext
        self.steps = len(examples) // recipe.batch_size

    def epoch(self, number: int, start: int = 0, share: Share = WHOLE) -> Any:
        """Return the batches of an epoch without the first `start`, as a tf.data.Dataset of (inputs, targets)."""
        description = stages.of_epoch(self._description, self._recipe, number)
        return self._pretext.training_batches(
            self._examples, description, self._recipe, epoch=number, start=start, share=share
        )


class WithUnlabeled:
    """The batches of FixMatch: each example with a label, followed by pairs of views of examples without one.

    An epoch passes once through the examples without labels. Those with labels are repeated.

    Args:
        examples: the training examples with labels.
        unlabeled: the examples without labels.
        model: the description of the network.
        recipe: the recipe.
    """

    def __init__(self, examples: Examples, unlabeled: Examples, model: Model, recipe: Recipe) -> None:
        self._unlabeled, self._model, self._recipe = unlabeled, model, recipe
        self._at_once = recipe.fixmatch.ratio * recipe.batch_size
        self.steps = len(unlabeled) // self._at_once
        times = -(-self.steps * recipe.batch_size // len(examples))
        repeated = examples.only(np.tile(np.arange(len(examples)), times))
        self._labeled = Batches(repeated, model, recipe)

    def epoch(self, number: int, start: int = 0, share: Share = WHOLE) -> Any:
        """Return the batches of an epoch without the first `start`, as a tf.data.Dataset of (inputs, targets)."""
        import tensorflow as tf

        recipe = self._recipe
        preprocessing = stages.of_epoch(self._model, recipe, number).preprocessing
        views = kind_of(preprocessing).views
        assert views is not None, "a kind of input without views is refused earlier"
        pairs = views.weak_and_strong(
            self._unlabeled, preprocessing, recipe.input,
            batch_size=self._at_once, key=(recipe.seed, number, 1), start=start, share=share,
        )  # fmt: skip

        def together(labeled: tuple[Any, Any], pair: tuple[Any, ...]) -> tuple[Any, Any]:
            inputs, targets = labeled
            return {name: self._joined(tensor, pair[0][name]) for name, tensor in inputs.items()}, targets

        labeled = self._labeled.epoch(number, start, share).take(self.steps - start)
        with tf.device("CPU"):
            return tf.data.Dataset.zip((labeled, pairs)).map(together).prefetch(1)

    def _joined(self, labeled: Any, pairs: Any) -> Any:
        """Join [batch, …] and [batch · ratio, 2, …] to [batch, 1 + 2 · ratio, …]."""
        import tensorflow as tf

        views = tf.reshape(pairs, [-1, 2 * self._recipe.fixmatch.ratio, *pairs.shape[2:]])
        return tf.concat([labeled[:, None], views], 1)


def batches_of(
    dataset: Dataset,
    description: Model,
    recipe: Recipe,
    columns: Sequence[np.ndarray] = (),
    service: DataService | None = None,
) -> Batches | PretextBatches | WithUnlabeled:
    """Return the batches of a training, with `steps`, their number in an epoch, and `epoch`.

    Only `Batches` takes `columns` and `service`.

    Raises:
        ZooError: there is a service, and the batches are not `Batches`.
    """
    pretext = task_of(description).pretext
    if service and (pretext or dataset.unlabeled is not None):
        raise ZooError("--tf-data-service makes batches of examples with labels: leave it out")
    if pretext:
        return PretextBatches(dataset.train, description, recipe, pretext)
    if dataset.unlabeled is not None:
        return WithUnlabeled(dataset.train, dataset.unlabeled, description, recipe)
    return Batches(dataset.train, description, recipe, columns, service)


def labeled_in_an_epoch(dataset: Dataset, recipe: Recipe) -> int:
    """Return how many labeled examples an epoch uses; with unlabeled ones, labeled ones are repeated beside them."""
    return len(dataset.train) if dataset.unlabeled is None else len(dataset.unlabeled) // recipe.fixmatch.ratio


def evaluation_batch_size(recipe: Recipe) -> int:
    """Return the examples of a batch of an evaluation: the part of a training batch that a step computes at once."""
    return recipe.batch_size // recipe.accumulate


def evaluation_batches(examples: Examples, description: Model, recipe: Recipe, share: Share = WHOLE) -> Any:
    """Return every example in order, as a tf.data.Dataset of (inputs, targets, weights), see `zoo.input.Graph`."""
    recipe = dataclasses.replace(recipe, batch_size=evaluation_batch_size(recipe), accumulate=1)
    if pretext := task_of(description).pretext:
        return pretext.evaluation_batches(examples, description, recipe, share=share)
    preprocessing = description.preprocessing
    graph = kind_of(preprocessing).graph
    return graph.evaluation_batches(examples, preprocessing, batch_size=recipe.batch_size, share=share)


def try_out(service: DataService | None, dataset: Dataset, description: Model, recipe: Recipe, share: Share) -> None:
    """Check that the service, if there is one, makes the same batches of a training as this process.

    Raises:
        ZooError: the batches differ, or the service cannot make them.
    """
    if service:
        batches = batches_of(dataset, description, recipe, service=service)
        assert isinstance(batches, Batches), "batches_of refuses a service for other batches"
        batches.try_out(share)
