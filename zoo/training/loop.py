"""The training loop, to be read from top to bottom.

It is the project's own because `Model.fit` fails under `MultiWorkerMirroredStrategy`: in Keras 3.15,
`_maybe_symbolic_build` reduces a PerReplica, and the logs are reduced over axis 0 of a scalar. The loop drives
`keras.callbacks.CallbackList`, so any Keras callback works.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from zoo import factory, files, provenance, run, weights_file
from zoo.data.dataset import Dataset, Examples
from zoo.errors import ZooError, listed
from zoo.inference import primary_outputs
from zoo.input import kind_of
from zoo.keras_settings import own_settings
from zoo.registry import resolve
from zoo.task import Score, Task, task_of
from zoo.text import Progress, Say, silent
from zoo.training import checkpoint, fine_tuning, learning_curves
from zoo.training.optimizer import optimizer as make_optimizer
from zoo.training.progress import Reporter
from zoo.training.steps import Step, evaluation_step, training_step


@own_settings()
def train(
    folder: Path,
    dataset: Dataset,
    strategy: Any,
    callbacks: Sequence[Any] = (),
    say: Say = silent,
    progress: Progress = silent,
) -> run.Run:
    """Train the run that `folder` describes to its end, from its last checkpoint or initial weights if it has any.

    Args:
        folder: a run folder that holds a `run.json`.
        dataset: the data that the run names.
        strategy: as `zoo.training.strategy.choose` returns it.
        callbacks: Keras callbacks. Their `model` has an optimizer and obeys `stop_training`.
        say: given a line for every epoch, and for what failed without stopping the training.
        progress: given the number of steps done after every step.

    Raises:
        ZooError: a checkpoint is damaged, the batch cannot be split, or the loss is no longer finite.
    """
    this = run.read(folder)
    recipe, preprocessing = this.recipe, this.model.preprocessing
    task, kind = task_of(this.model), kind_of(preprocessing)
    assert recipe is not None, "a run that trains has a recipe"
    check_batch(recipe.batch_size, strategy.num_replicas_in_sync, len(dataset.train))
    steps = len(dataset.train) // recipe.batch_size

    depths = factory.layer_depths(this.model) if recipe.optimizer.layer_decay < 1 else {}
    fix_randomness(recipe.seed, recipe.deterministic)
    with strategy.scope():
        model = factory.build(this.model, precision=recipe.precision)
        if recipe.freeze:
            fine_tuning.freeze(model, this.model)
        optimizer = make_optimizer(recipe, model, steps, depths, resolve(this.model.family)[0].undecayed)
        _compile_for_callbacks(model, optimizer, strategy, task)
    train_on = training_step(model, this.model, optimizer, strategy, recipe)
    evaluate_on = evaluation_step(model, this.model, strategy)

    state = checkpoint.State()
    if (folder / run.LAST).exists():
        state = checkpoint.restore(folder / run.LAST, model, optimizer)
    elif this.initial:
        fine_tuning.assign(model, folder, this.model, this.initial)
    shown = [
        Reporter(recipe.epochs, steps, recipe.batch_size, say, progress),
        keras.callbacks.TensorBoard(folder / run.TENSORBOARD, write_graph=False),
    ]
    listeners = keras.callbacks.CallbackList(
        [*shown, *callbacks], model=model, epochs=recipe.epochs, steps=steps, verbose=0
    )

    listeners.on_train_begin()
    try:
        while (
            state.epochs_done < recipe.epochs
            and not _out_of_patience(state, recipe.patience)
            and not model.stop_training
        ):
            epoch, start = state.epochs_done, time.perf_counter()
            listeners.on_epoch_begin(epoch)
            batches = kind.graph.training_batches(
                dataset.train,
                preprocessing,
                recipe.input,
                batch_size=recipe.batch_size,
                seed=recipe.seed,
                epoch=epoch,
            )
            trained = _one_epoch(train_on, _distributed(strategy, batches), recipe.batch_size, model, task, listeners)
            seconds = time.perf_counter() - start
            listeners.on_test_begin()
            validated = evaluate(evaluate_on, dataset.validation, this, strategy)
            check_finite(validated["loss"], f"on the validation {kind.plural} after epoch {epoch + 1}", model)
            listeners.on_test_end(validated)
            row = {
                **trained,
                **{f"val_{name}": value for name, value in validated.items()},
                "learning_rate": float(optimizer.learning_rate),
                "seconds": seconds,
                "examples_per_second": steps * recipe.batch_size / seconds,
            }
            state = state.after(row, task.best, task.higher_is_better)
            if state.best_epoch == state.epochs_done:
                weights_file.save(folder / run.BEST, weights_file.weights(model))
            checkpoint.save(folder / run.LAST, model, optimizer, state)
            _write_metrics(folder, state)
            listeners.on_epoch_end(epoch, row)
    finally:
        listeners.on_train_end()

    if recipe.keep == "best":
        best, _ = weights_file.read(folder / run.BEST)
        weights_file.assign(weights_file.weights(model), best, str(folder / run.BEST))
    weights_file.save(folder / run.WEIGHTS, weights_file.weights(model))
    learning_curves.draw(
        folder / run.CURVES, state.history, task.titles, f"{folder.name}: {this.model.family} {this.model.size}", say
    )
    tested = evaluate(evaluate_on, dataset.test, this, strategy)
    check_finite(tested["loss"], f"on the test {kind.plural}", model)
    outputs = primary_outputs(model, this.model, dataset.test)
    return _finish(folder, this, state, task, task.score(outputs, dataset.test.targets))


def check_batch(batch_size: int, replicas: int, examples: int) -> None:
    """Raise ZooError when a batch cannot be shared by the replicas, or has more examples than there are."""
    if batch_size % replicas:
        raise ZooError(
            f"a batch of {batch_size} cannot be shared by {replicas} replicas: --set batch_size to a multiple of them"
        )
    if batch_size > examples:
        raise ZooError(
            f"a batch of {batch_size} is more than the {examples} training examples: --set batch_size={examples}"
        )


def check_finite(loss: float, where: str, model: Any = None) -> None:
    """Raise ZooError when the loss is not finite, or a weight of the model, which the loss need not show."""
    advice = "lower optimizer.lr, or --set optimizer.clip_norm=1"
    if not math.isfinite(loss):
        raise ZooError(f"the loss is {loss} {where}: {advice}")
    named = weights_file.weights(model) if model is not None else {}
    found = (weights_file.unsound(name, variable.numpy()) for name, variable in named.items())
    problems = [problem for problem in found if problem]
    if problems:
        raise ZooError(f"weights are no longer sound {where} ({listed(problems)}): {advice}")


def fix_randomness(seed: int, deterministic: bool) -> None:
    """Seed Python, NumPy, TensorFlow and Keras; with `deterministic`, make operations repeat bit for bit."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def evaluate(step: Step, examples: Examples, this: run.Run, strategy: Any) -> dict[str, float]:
    """Return the metrics of the task over all examples of a split."""
    assert this.recipe is not None
    preprocessing = this.model.preprocessing
    batches = kind_of(preprocessing).graph.evaluation_batches(
        examples, preprocessing, batch_size=this.recipe.batch_size
    )
    sums: Counter[str] = Counter()
    for batch in _distributed(strategy, batches):
        sums.update({name: float(value) for name, value in step(*batch).items()})
    return task_of(this.model).metrics(sums, len(examples))


def _one_epoch(
    step: Step, batches: Iterable[Any], batch_size: int, model: Any, task: Task, listeners: Any
) -> dict[str, float]:
    """Train for one epoch; return the metrics over its batches, each measured before its update."""
    sums: Counter[str] = Counter()
    seen = 0
    for number, batch in enumerate(batches):
        listeners.on_train_batch_begin(number)
        sums.update({name: float(value) for name, value in step(*batch).items()})
        seen += batch_size
        check_finite(sums["loss"], f"at step {number}")
        listeners.on_train_batch_end(number, task.metrics(sums, seen))
        if model.stop_training:
            break
    return task.metrics(sums, seen)


def _distributed(strategy: Any, batches: Any) -> Iterable[Any]:
    """Return batches as the replicas take them."""
    if strategy.num_replicas_in_sync == 1 and "CPU" in strategy.extended.worker_devices[0]:
        # The iterator of a strategy takes 0.1 s to make, for every epoch and every evaluation (tensorflow 2.21).
        return batches
    distributed: Iterable[Any] = strategy.experimental_distribute_dataset(batches)
    return distributed


def _compile_for_callbacks(model: Any, optimizer: Any, strategy: Any, task: Task) -> None:
    """Give the model what callbacks read from it: an optimizer, and a metric that knows which direction is better."""
    model.compile(optimizer=optimizer, metrics=[_Metric(task)])
    # Keras 3.15 knows the direction of a compiled metric only once that has seen values.
    outputs = tf.zeros((1, model.output_shape[-1]))
    strategy.run(lambda: model.compute_metrics(None, tf.zeros(1), outputs))
    model.stop_training = False


class _Metric(keras.metrics.Metric):
    """Stands for the best metric of a task where callbacks ask for its direction; the loop computes its values."""

    def __init__(self, task: Task) -> None:
        super().__init__(name=task.best)
        self._direction = "up" if task.higher_is_better else "down"

    def update_state(self, *values: Any, **options: Any) -> None:
        """Keep nothing."""

    def result(self) -> Any:
        """Return 0."""
        return tf.zeros(())


def _out_of_patience(state: checkpoint.State, patience: int) -> bool:
    return patience > 0 and state.epochs_done - state.best_epoch >= patience


def _write_metrics(folder: Path, state: checkpoint.State) -> None:
    rows = ({"epoch": number, **row} for number, row in enumerate(state.history, start=1))
    files.write_text(folder / run.METRICS, "".join(json.dumps(row) + "\n" for row in rows))


def _finish(folder: Path, this: run.Run, state: checkpoint.State, task: Task, score: Score) -> run.Run:
    assert this.recipe is not None
    kept = state.best_epoch if this.recipe.keep == "best" else state.epochs_done
    results = {
        "epochs": state.epochs_done,
        "kept_epoch": kept,
        f"val_{task.best}": state.history[kept - 1][f"val_{task.best}"],
        f"test_{score.metric}": score.value,
        "test_interval": [score.low, score.high],
        "test_examples": score.examples,
        "train_seconds": sum(row["seconds"] for row in state.history),
    }
    finished = dataclasses.replace(this.provenance, finished=provenance.now())
    done = dataclasses.replace(this, provenance=finished, results=results)
    run.write(folder, done)
    return done
