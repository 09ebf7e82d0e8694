"""The training loop, to be read from top to bottom.

It is the project's own because `Model.fit` fails under `MultiWorkerMirroredStrategy`: in Keras 3.15,
`_maybe_symbolic_build` reduces a PerReplica, and the logs are reduced over axis 0 of a scalar. The loop drives
`keras.callbacks.CallbackList`, so any Keras callback works.

No step waits for the host, except where a callback wants the figures of each batch: the sums of the steps stay on the
device and are read twice a second, before a checkpoint, and at the end of an epoch.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

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
from zoo.training import bad_steps, fine_tuning, interruption, learning_curves
from zoo.training.checkpoint import Checkpoints, State
from zoo.training.devices import check_devices
from zoo.training.diagnosis import ADVICE, NotFinite, check_loss, repeated
from zoo.training.optimizer import optimizer as make_optimizer
from zoo.training.optimizer import reset
from zoo.training.profile import Profile
from zoo.training.progress import Reporter
from zoo.training.steps import evaluation_step, training_step
from zoo.training.strategy import distributed, share_of
from zoo.training.team import ALONE, Team
from zoo.training.together import described_by_chief, state_of_chief, weights_of_chief
from zoo.training.totals import LOSS, Totals

SECONDS_BETWEEN_READS = 0.5
"""The least time between two readings of the sums of the steps."""


@own_settings()
def train(
    folder: Path,
    dataset: Dataset,
    strategy: Any,
    callbacks: Sequence[Any] = (),
    say: Say = silent,
    progress: Progress = silent,
    checkpoint_minutes: float = math.inf,
    team: Team = ALONE,
    described: run.Run | None = None,
    profile: int = 0,
) -> run.Run:
    """Train the run that `folder` describes to its end, from its last checkpoint or initial weights if it has any.

    A signal that asks the process to end (Ctrl-C, SIGTERM, SIGHUP) waits until the state is saved.

    Args:
        folder: a run folder that holds a `run.json`.
        dataset: the data that the run names.
        strategy: as `zoo.training.strategy.choose` returns it.
        callbacks: Keras callbacks. Their `model` has an optimizer and obeys `stop_training`.
        say: given a line for every epoch, and for what failed without stopping the training.
        progress: given the number of steps done twice a second.
        checkpoint_minutes: the time between two checkpoints; there is one after every epoch, too.
        team: the workers that train together; only its chief writes.
        described: the run, on a worker beside the chief, which need not see the folder.
        profile: the steps to write a trace of.

    Raises:
        ZooError: a checkpoint is damaged, the batch cannot be split, or the loss is no longer finite.
    """
    this = described or run.read(folder)
    recipe, preprocessing = this.recipe, this.model.preprocessing
    task, kind = task_of(this.model), kind_of(preprocessing)
    assert recipe is not None, "a run that trains has a recipe"
    check_devices(recipe, strategy)
    check_batch(recipe.batch_size, strategy.num_replicas_in_sync, len(dataset.train), recipe.accumulate)
    steps = len(dataset.train) // recipe.batch_size

    depths = factory.layer_depths(this.model) if recipe.optimizer.layer_decay < 1 else {}
    fix_randomness(recipe.seed, recipe.deterministic)
    with team.collective(), strategy.scope():
        model = factory.build(this.model, precision=recipe.precision)
        if recipe.freeze:
            fine_tuning.freeze(model, this.model)
        optimizer = make_optimizer(recipe, model, steps, depths, resolve(this.model.family)[0].undecayed)
        _compile_for_callbacks(model, optimizer, strategy, task)
    weights = None
    if recipe.class_weights == "balanced" and task.balanced:
        weights = task.balanced(dataset.train.targets, len(this.model.labels))
    device = strategy.extended.worker_devices[0]
    training = Totals(training_step(model, this.model, optimizer, strategy, recipe, weights), device, team.collective)
    evaluation = Totals(evaluation_step(model, this.model, strategy), device, team.collective)

    checkpoints = Checkpoints(folder, model, optimizer, checkpoint_minutes, writes=team.chief)
    state = checkpoints.restore(say) if team.chief else None
    if state:
        # The process may have been killed between the checkpoint of an epoch and its metrics.
        _write_metrics(folder, state)
    elif this.initial and team.chief:
        fine_tuning.assign(model, folder, this.model, this.initial)

    def begin() -> None:
        """Set model and optimizer to what they began with."""
        fix_randomness(recipe.seed, recipe.deterministic)
        with strategy.scope():
            fresh = weights_file.variables(factory.build(this.model, precision=recipe.precision))
        weights_file.assign(
            weights_file.variables(model), {name: variable.numpy() for name, variable in fresh.items()}, "a new network"
        )
        if this.initial:
            fine_tuning.assign(model, folder, this.model, this.initial)
        reset(optimizer)

    def batches(epoch: int, steps_done: int) -> Any:
        made = kind.graph.training_batches(
            dataset.train,
            preprocessing,
            recipe.input,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            epoch=epoch,
            start=steps_done,
            share=share_of(strategy),
        )
        return distributed(strategy, made, recipe.batch_size)

    state = state_of_chief(team, strategy, checkpoints.named(), state or State())
    reporter = Reporter(recipe.epochs, steps, recipe.batch_size, say, progress)
    board = [keras.callbacks.TensorBoard(folder / run.TENSORBOARD, write_graph=False)] if team.chief else []
    traced = [Profile(folder / run.TENSORBOARD, profile, say)] if profile and team.chief else []
    listeners = keras.callbacks.CallbackList(
        [reporter, *board, *traced, *callbacks],
        model=model,
        epochs=recipe.epochs,
        steps=steps,
        verbose=0,
    )

    with interruption.deferred() as request:
        epochs = _Epochs(
            folder, training, recipe.batch_size, model, task, listeners, reporter, any(map(_wants_batches, callbacks)),
            checkpoints, request, team, say,
        )  # fmt: skip
        listeners.on_train_begin()
        try:
            while (
                state.epochs_done < recipe.epochs
                and not _out_of_patience(state, recipe.patience)
                and not model.stop_training
            ):
                epoch = state.epochs_done
                listeners.on_epoch_begin(epoch)
                try:
                    state = epochs.train(batches(epoch, state.steps_done), state)
                except NotFinite as error:
                    layer = None
                    if team.count == 1:
                        say(f"the loss is {error.loss}: repeating steps from the last checkpoint, to find the layer")
                        layer = repeated(
                            error.step, epoch, model, strategy, checkpoints, begin, training, batches,
                            lambda: bool(request),
                        )  # fmt: skip
                    raise error.explained(float(optimizer.learning_rate), layer) from None
                bad_steps.refuse_none(state)
                listeners.on_test_begin()
                validated = evaluate(
                    evaluation, dataset.validation, this, strategy, functools.partial(epochs.end_if_asked, state)
                )
                check_finite(validated["loss"], f"on the validation {kind.plural} after epoch {epoch + 1}", model)
                listeners.on_test_end(validated)
                row = {
                    **task.metrics(state.sums, bad_steps.trained(state.sums, state.steps_done) * recipe.batch_size),
                    **{f"val_{name}": value for name, value in validated.items()},
                    "learning_rate": float(optimizer.learning_rate),
                    "seconds": state.seconds,
                    "examples_per_second": state.steps_done * recipe.batch_size / state.seconds,
                    **bad_steps.counted(state.sums),
                }
                state = state.after(row, task.best, task.higher_is_better)
                if state.best_epoch == state.epochs_done and team.chief:
                    weights_file.save(folder / run.BEST, weights_file.weights(model))
                checkpoints.save(state)
                if team.chief:
                    _write_metrics(folder, state)
                listeners.on_epoch_end(epoch, row)
                epochs.end_if_asked(state)
        finally:
            listeners.on_train_end()

    if recipe.keep == "best":
        if team.chief:
            best, _ = weights_file.read(folder / run.BEST)
            weights_file.assign(weights_file.weights(model), best, str(folder / run.BEST))
        weights_of_chief(team, strategy, weights_file.weights(model))
    if team.chief:
        weights_file.save(folder / run.WEIGHTS, weights_file.weights(model))
        title = f"{folder.name}: {this.model.family} {this.model.size}"
        learning_curves.draw(folder / run.CURVES, state.history, task.titles, title, say)
    tested = evaluate(evaluation, dataset.test, this, strategy)
    check_finite(tested["loss"], f"on the test {kind.plural}", model)
    if not team.chief:
        return described_by_chief(team)
    outputs = primary_outputs(model, this.model, dataset.test)
    done = _finish(folder, this, state, task, task.score(outputs, dataset.test.targets))
    return described_by_chief(team, done)


def check_batch(batch_size: int, replicas: int, examples: int, parts: int = 1) -> None:
    """Raise ZooError when a batch cannot be shared by replicas, in so many parts, or is more than all examples."""
    if batch_size % replicas:
        raise ZooError(
            f"a batch of {batch_size} cannot be shared by {replicas} replicas: --set batch_size to a multiple of them"
        )
    if batch_size % (replicas * parts):
        raise ZooError(
            f"a batch of {batch_size} cannot be computed in {parts} equal parts by each of {replicas} replicas: "
            f"--set batch_size to a multiple of {replicas * parts}, or --set accumulate to another number"
        )
    if batch_size > examples:
        raise ZooError(
            f"a batch of {batch_size} is more than the {examples} training examples: --set batch_size={examples}"
        )


def check_finite(loss: float, where: str, model: Any = None) -> None:
    """Raise ZooError when the loss is not finite, or a weight of the model, which the loss need not show."""
    if not math.isfinite(loss):
        raise ZooError(f"the loss is {loss} {where}: {ADVICE}")
    named = weights_file.weights(model) if model is not None else {}
    found = (weights_file.unsound(name, variable.numpy()) for name, variable in named.items())
    problems = [problem for problem in found if problem]
    if problems:
        raise ZooError(f"weights are no longer sound {where} ({listed(problems)}): {ADVICE}")


def fix_randomness(seed: int, deterministic: bool) -> None:
    """Seed Python, NumPy, TensorFlow and Keras; with `deterministic`, make operations repeat bit for bit."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def evaluate(
    totals: Totals, examples: Examples, this: run.Run, strategy: Any, after_batch: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Return the metrics of the task over all examples of a split; `totals` are those of the evaluation step."""
    assert this.recipe is not None
    preprocessing = this.model.preprocessing
    batches = kind_of(preprocessing).graph.evaluation_batches(
        examples, preprocessing, batch_size=this.recipe.batch_size, share=share_of(strategy)
    )
    totals.set({}, steps=0)
    shared = distributed(strategy, batches, this.recipe.batch_size)
    totals.prepare(shared)
    for batch in shared:
        totals.add(*batch)
        after_batch()
    return task_of(this.model).metrics(totals.read(), len(examples))


@dataclasses.dataclass(frozen=True)
class _Epochs:
    """The training part of epochs, and the end of a training that a signal interrupts."""

    folder: Path
    totals: Totals
    batch_size: int
    model: Any
    task: Task
    listeners: Any
    reporter: Reporter
    listeners_want_batches: bool
    checkpoints: Checkpoints
    request: interruption.Request
    team: Team
    say: Say

    def train(self, batches: Any, state: State) -> State:
        """Train on the batches of an epoch that are left; return the state after them, with sums before each update."""
        self.totals.prepare(batches)
        self.totals.set(state.sums, state.steps_done)
        start = time.perf_counter() - state.seconds
        steps, read = state.steps_done, time.perf_counter()

        def reached() -> State:
            sums = check_loss(self.totals)
            return state.within(steps, sums, time.perf_counter() - start)

        for batch in batches:
            self.listeners.on_train_batch_begin(steps)
            self.totals.add(*batch)
            steps += 1
            asked = self.team.asked(self.request)
            due = self.listeners_want_batches or time.perf_counter() - read >= SECONDS_BETWEEN_READS
            if due or self.checkpoints.due() or asked:
                here, read = reached(), time.perf_counter()
                metrics = self._metrics(here)
                self.reporter.report(here, metrics["loss"])
                if self.listeners_want_batches:
                    self.listeners.on_train_batch_end(steps - 1, metrics)
                if asked:
                    self._end(here)
                if self.checkpoints.due():
                    self._save(here)
            if self.model.stop_training:
                break
        here = reached()
        self.reporter.report(here, self._metrics(here)[LOSS])
        return here

    def _metrics(self, state: State) -> dict[str, float]:
        steps = max(1, bad_steps.trained(state.sums, state.steps_done))
        return self.task.metrics(state.sums, steps * self.batch_size)

    def end_if_asked(self, state: State) -> None:
        """Save the state and raise Interrupted if a signal has asked the training to end."""
        if self.team.asked(self.request):
            self._end(state)

    def _end(self, state: State) -> NoReturn:
        try:
            self._save(state)
            epochs = f"{state.epochs_done} epoch{'' if state.epochs_done == 1 else 's'}"
            said = f"saved after {epochs} and {state.steps_done} steps of the next"
        except (OSError, ZooError) as error:
            said = f"not saved, so that the checkpoints are the earlier ones ({error})"
        self.say(f"{said}: continue with zoo train --resume {self.folder}")
        raise interruption.Interrupted

    def _save(self, state: State) -> None:
        """Write a checkpoint, unless the weights are no longer sound: then raise ZooError."""
        check_finite(state.sums.get(LOSS, 0.0), f"after step {state.steps_done - 1}", self.model)
        self.checkpoints.save(state)


def _wants_batches(callback: Any) -> bool:
    """Return whether a Keras callback does anything at the end of a batch."""
    names = ("on_train_batch_end", "on_batch_end")
    return any(
        getattr(getattr(callback, name), "__func__", None) is not getattr(keras.callbacks.Callback, name)
        for name in names
    )


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


def _out_of_patience(state: State, patience: int) -> bool:
    return patience > 0 and state.epochs_done - state.best_epoch >= patience


def _write_metrics(folder: Path, state: State) -> None:
    rows = ({"epoch": number, **row} for number, row in enumerate(state.history, start=1))
    files.write_text(folder / run.METRICS, "".join(json.dumps(row) + "\n" for row in rows))


def _finish(folder: Path, this: run.Run, state: State, task: Task, score: Score) -> run.Run:
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
        **bad_steps.counted_in_all(state.history),
    }
    finished = dataclasses.replace(this.provenance, finished=provenance.now())
    done = dataclasses.replace(this, provenance=finished, results=results)
    run.write(folder, done)
    return done
