"""The training loop, to be read from top to bottom.

zoo does not use `Model.fit`, because it fails under `MultiWorkerMirroredStrategy`: in Keras 3.15,
`_maybe_symbolic_build` reduces a PerReplica, and the logs are reduced over axis 0 of a scalar. The loop drives
`keras.callbacks.CallbackList`, so any Keras callback works that does not set the learning rate.

No step waits for the host, unless a callback reads the figures of each batch: the sums of the steps stay on the device
and are read twice a second, before a checkpoint, and at the end of an epoch.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import keras

from zoo import factory, files, provenance, run, schema, weights_file
from zoo.data.dataset import Dataset, Examples
from zoo.data.reading import each_batch
from zoo.data.share import WHOLE, Share
from zoo.errors import ZooError, listed
from zoo.inference import measured_outputs
from zoo.input import kind_of
from zoo.keras_settings import own_settings, tensor_float_32
from zoo.task import Task, task_of
from zoo.text import Say
from zoo.training import bad_steps, distillation, fine_tuning, for_callbacks, interruption, learning_curves
from zoo.training.batches import batches_of, check, evaluation_batch_size, evaluation_batches, labeled_in_an_epoch
from zoo.training.checkpoint import Checkpoints, State
from zoo.training.chief_state import described_by_chief, state_of_chief, weights_of_chief
from zoo.training.data_service import DataService, arriving
from zoo.training.devices import check_devices
from zoo.training.diagnosis import ADVICE, NotFinite, check_loss, repeated
from zoo.training.profile import Profile
from zoo.training.progress import Reporter
from zoo.training.request import Execution
from zoo.training.schedule import learning_rate
from zoo.training.strategy import distributed, share_of
from zoo.training.team import Team
from zoo.training.totals import LOSS
from zoo.training.trainee import Trainee, build

SECONDS_BETWEEN_READS = 0.5
"""The least time between two readings of the sums of the steps."""


@own_settings()
def train(
    folder: Path,
    dataset: Dataset,
    strategy: Any,
    execution: Execution,
    service: DataService | None,
    *,
    described: run.Run | None = None,
    test: bool = True,
) -> run.Run:
    """Train the run that `folder` describes to its end, from its last checkpoint or initial weights if it has any.

    Without `test`, the run stays unfinished after its last epoch; the next call finishes it.

    A signal that asks the process to end (Ctrl-C, SIGTERM, SIGHUP) waits until the state is saved.

    Args:
        folder: a run folder that holds a `run.json`.
        dataset: the data that the run names.
        strategy: as `zoo.training.strategy.choose` returns it.
        execution: the way to execute it.
        service: as `zoo.training.data_service.connect` returns it.
        described: the run, on workers other than the chief, which need not have access to the folder.
        test: measure the network on the test examples, and finish the run.

    Raises:
        ZooError: a checkpoint is damaged, the batch cannot be split, the loss is no longer finite, or the service
            fails.
    """
    this = described or run.read(folder)
    recipe, task = this.recipe, task_of(this.model)
    say, team = execution.say, execution.team
    assert recipe is not None, "a run that trains has a recipe"
    check_devices(recipe, strategy)
    kind, examples = kind_of(this.model.preprocessing), labeled_in_an_epoch(dataset, recipe)
    check(recipe, kind, task, examples, strategy.num_replicas_in_sync, share_of(strategy))
    columns = distillation.columns(folder, this, len(dataset.train), team, strategy)
    batches = batches_of(dataset, this.model, recipe, columns, service)
    steps = batches.steps

    class_weights = None
    if recipe.class_weights == "balanced" and task.balanced:
        class_weights = task.balanced(dataset.train.targets, len(this.model.labels))
    trainee = build(this.model, recipe, strategy, steps, class_weights, team.collective)
    for_callbacks.compiled(trainee, task)
    checkpoints = Checkpoints(folder, trainee.variables(), execution.checkpoint_minutes, writes=team.chief)
    team.spare_while(checkpoints.writing)
    state = checkpoints.restore(say) if team.chief else None
    if state:
        # The process may have been killed between the checkpoint of an epoch and its metrics.
        _write_metrics(folder, state)
    elif team.chief:
        # The process may have been killed after the metrics of the first epoch, before its checkpoint was complete.
        (folder / run.METRICS).unlink(missing_ok=True)
        _begin(trainee, folder, this)
    state = state_of_chief(team, strategy, trainee.variables(), state or State())

    reporter = Reporter(recipe.epochs, steps, recipe.batch_size, say, execution.progress)
    board = [for_callbacks.TensorBoard(folder / run.TENSORBOARD, write_graph=False)] if team.chief else []
    traced = [Profile(folder / run.TENSORBOARD, execution.profile, say)] if execution.profile and team.chief else []
    listeners = keras.callbacks.CallbackList(
        [reporter, *board, *traced, *execution.callbacks],
        model=trainee.model,
        epochs=recipe.epochs,
        steps=steps,
        verbose=0,
    )
    with interruption.deferred() as request, tensor_float_32(), checkpoints:
        epochs = _Epochs(
            folder, this, trainee, dataset, batches, service, task, listeners,
            reporter, any(map(for_callbacks.wants_batches, execution.callbacks)), checkpoints, request, team, say,
        )  # fmt: skip
        listeners.on_train_begin()
        try:
            while epochs.left(state):
                state = epochs.make(state)
        finally:
            listeners.on_train_end()
    return _finish(folder, this, trainee, dataset, state, team, say) if test else this


def _begin(trainee: Trainee, folder: Path, this: run.Run) -> None:
    """Give a network in training the initial weights of its run, if they are not random; start the average."""
    if this.initial:
        fine_tuning.assign(trainee.described, folder, this.model, this.initial)
    if trainee.average:
        trainee.average.start()


def check_finite(loss: float, where: str, model: Any = None) -> None:
    """Raise ZooError if the loss or a weight of the model is not finite; the loss may hide a bad weight."""
    if not math.isfinite(loss):
        raise ZooError(f"the loss is {loss} {where}: {ADVICE}")
    named = weights_file.weights(model) if model is not None else {}
    checks = (weights_file.unsound(name, variable.numpy()) for name, variable in named.items())
    problems = [problem for problem in checks if problem]
    if problems:
        raise ZooError(f"weights are no longer sound {where} ({listed(problems)}): {ADVICE}")


def evaluate(
    trainee: Trainee, examples: Examples, share: Share = WHOLE, after_batch: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Return the metrics of the task over all examples of a split; this worker reads its share of them."""
    batches = evaluation_batches(examples, trainee.description, trainee.recipe, share)
    totals = trainee.evaluation
    totals.set({}, steps=0)
    shared = distributed(trainee.strategy, batches, evaluation_batch_size(trainee.recipe))
    totals.prepare(shared)
    for batch in each_batch(shared):
        totals.add(*batch)
        after_batch()
    return task_of(trainee.description).metrics(totals.read(), len(examples))


@dataclasses.dataclass(frozen=True)
class _Epochs:
    """The epochs of a training, and the interruption by a signal."""

    folder: Path
    this: run.Run
    trainee: Trainee
    dataset: Dataset
    batches: Any
    service: DataService | None
    task: Task
    listeners: Any
    reporter: Reporter
    listeners_want_batches: bool
    checkpoints: Checkpoints
    end_request: interruption.EndRequest
    team: Team
    say: Say

    def left(self, state: State) -> bool:
        """Return whether another epoch is to be trained."""
        if state.stopped:
            return state.steps_done > 0
        recipe = self.trainee.recipe
        out_of_patience = recipe.patience > 0 and state.epochs_done - state.best_epoch >= recipe.patience
        return state.epochs_done < recipe.epochs and not out_of_patience

    def make(self, state: State) -> State:
        """Train on the rest of an epoch and evaluate; save and return the state after it.

        Of an epoch in which a callback stopped the training, only the evaluation is left.
        """
        trainee, recipe, epoch = self.trainee, self.trainee.recipe, state.epochs_done
        rate = learning_rate(recipe, self.batches.steps)
        self.listeners.on_epoch_begin(epoch)
        try:
            state = state if state.stopped else self._train(state)
        except NotFinite as error:
            # More steps may have been made before the loss was read, so the rate is computed for the bad step.
            bad = float(rate(epoch * self.batches.steps + error.step))
            raise error.explained(bad, self._bad_layer(error, epoch)) from None
        bad_steps.refuse_none(state)
        self.listeners.on_test_begin()
        validated = evaluate(
            trainee, self.dataset.validation, share_of(trainee.strategy), lambda: self._end_if_requested(state)
        )
        plural = kind_of(trainee.description.preprocessing).plural
        check_finite(validated["loss"], f"on the validation {plural} after epoch {epoch + 1}", trainee.model)
        self.listeners.on_test_end(validated)
        row = {
            **self._metrics(state),
            **{f"val_{name}": value for name, value in validated.items()},
            "learning_rate": float(rate(epoch * self.batches.steps + state.steps_done - 1)),
            "seconds": state.seconds,
            "examples_per_second": state.steps_done * recipe.batch_size / state.seconds,
            **bad_steps.counted(state.sums),
        }
        state = state.after(row, self.task.best, self.task.higher_is_better)
        best = weights_file.weights(trainee.evaluated) if state.best_epoch == state.epochs_done else None
        self.checkpoints.save(state, best)
        if self.team.chief:
            _write_metrics(self.folder, state)
        self.listeners.on_epoch_end(epoch, row)
        state = self._marked(state)
        # This writes the state only if it has changed: a callback has stopped the training at the end of the epoch.
        self.checkpoints.save(state)
        self._end_if_requested(state)
        return state

    def _of_epoch(self, number: int, start: int) -> Any:
        batches = self.batches.epoch(number, start, share_of(self.trainee.strategy))
        return distributed(self.trainee.strategy, batches, self.trainee.recipe.batch_size)

    def _train(self, state: State) -> State:
        """Train on the remaining batches of an epoch; return the state after them.

        The sums of each step are computed before its update.
        """
        batches, totals = self._of_epoch(state.epochs_done, state.steps_done), self.trainee.training
        totals.prepare(batches)
        self.trainee.start_from(state)
        start = time.perf_counter() - state.seconds
        steps, read = state.steps_done, time.perf_counter()

        def reached() -> State:
            sums = check_loss(totals)
            return state.within(steps, sums, time.perf_counter() - start)

        for batch in arriving(self.service, batches, before_end=lambda: self._save(reached())):
            self.listeners.on_train_batch_begin(steps)
            totals.add(*batch)
            steps += 1
            end_requested = self.team.asked(self.end_request)
            due = self.listeners_want_batches or time.perf_counter() - read >= SECONDS_BETWEEN_READS
            if due or self.checkpoints.due() or end_requested:
                current, read = reached(), time.perf_counter()
                metrics = self._metrics(current)
                self.reporter.report(current, metrics["loss"])
                if self.listeners_want_batches:
                    self.listeners.on_train_batch_end(steps - 1, metrics)
                if end_requested:
                    self._end(current)
                if self.checkpoints.due():
                    self._save(current)
            if self.trainee.model.stop_training:
                break
        current = reached()
        self.reporter.report(current, self._metrics(current)[LOSS])
        return self._marked(current)

    def _marked(self, state: State) -> State:
        """Return a state that is marked as stopped if a callback has stopped the training."""
        return dataclasses.replace(state, stopped=state.stopped or bool(self.trainee.model.stop_training))

    def _bad_layer(self, error: NotFinite, epoch: int) -> str | None:
        """Return the first layer whose output is not finite at the step of an error; None if it cannot be found."""
        if self.team.count > 1:
            return None
        self.say(f"the loss is {error.loss}: repeating steps from the last checkpoint, to find the layer")

        def begin() -> None:
            self.trainee.begin_again()
            _begin(self.trainee, self.folder, self.this)

        def batches(number: int, start: int) -> Any:
            return arriving(self.service, self._of_epoch(number, start))

        def end_requested() -> bool:
            return bool(self.end_request)

        return repeated(error.step, epoch, self.trainee, self.checkpoints, begin, batches, end_requested)

    def _metrics(self, state: State) -> dict[str, float]:
        steps = max(1, bad_steps.trained(state.sums, state.steps_done))
        return self.task.metrics(state.sums, steps * self.trainee.recipe.batch_size)

    def _end_if_requested(self, state: State) -> None:
        """Save the state and raise Interrupted if a signal has asked the training to end."""
        if self.team.asked(self.end_request):
            self._end(state)

    def _end(self, state: State) -> NoReturn:
        try:
            self._save(state)
            self.checkpoints.wait()
            epochs = f"{state.epochs_done} epoch{'' if state.epochs_done == 1 else 's'}"
            outcome = f"saved after {epochs} and {state.steps_done} steps of the next"
        except (OSError, ZooError) as error:
            outcome = f"not saved, so the earlier checkpoints stay ({error})"
        self.say(f"{outcome}: continue with zoo train --resume {self.folder}")
        raise interruption.Interrupted

    def _save(self, state: State) -> None:
        """Write a checkpoint; raise ZooError instead if the weights are no longer sound."""
        check_finite(state.sums.get(LOSS, 0.0), f"after step {state.steps_done - 1}", self.trainee.model)
        self.checkpoints.save(self._marked(state))


def _write_metrics(folder: Path, state: State) -> None:
    rows = ({"epoch": number, **row} for number, row in enumerate(state.history, start=1))
    files.write_text(folder / run.METRICS, "".join(json.dumps(row) + "\n" for row in rows))


def _finish(
    folder: Path, this: run.Run, trainee: Trainee, dataset: Dataset, state: State, team: Team, say: Say
) -> run.Run:
    """Write the weights that the recipe keeps, test them, and record that the run is finished."""
    recipe, strategy, model = trainee.recipe, trainee.strategy, trainee.evaluated
    task = task_of(this.model)
    if recipe.keep == "best":
        if team.chief:
            best, _ = weights_file.read(folder / run.BEST)
            weights_file.assign(weights_file.weights(model), best, str(folder / run.BEST))
        weights_of_chief(team, strategy, weights_file.weights(model))
    if team.chief:
        weights_file.save(folder / run.WEIGHTS, trainee.kept())
        title = f"{folder.absolute().name}: {this.model.family} {this.model.size}"
        learning_curves.draw(folder / run.CURVES, state.history, task.titles, title, say)
    tested = evaluate(trainee, dataset.test, share_of(strategy))
    check_finite(tested["loss"], f"on the test {kind_of(this.model.preprocessing).plural}", model)
    if not team.chief:
        return described_by_chief(team)
    kept = state.best_epoch if recipe.keep == "best" else state.epochs_done
    results = {
        "epochs": state.epochs_done,
        "kept_epoch": kept,
        f"val_{task.best}": state.history[kept - 1][f"val_{task.best}"],
        **_tested(task, _in_float32(trainee), this, dataset.test, tested),
        "train_seconds": sum(row["seconds"] for row in state.history),
        **bad_steps.counted_in_all(state.history),
    }
    finished = dataclasses.replace(this.provenance, finished=provenance.now())
    done = dataclasses.replace(this, provenance=finished, results=results)
    run.write(folder, done)
    return described_by_chief(team, done)


def _in_float32(trainee: Trainee) -> Any:
    """Return the network with the weights to keep, which computes in float32 whatever the precision of the training."""
    if trainee.recipe.precision == "float32":
        return trainee.evaluated
    network = factory.build(trainee.description)
    kept = {name: variable.numpy() for name, variable in trainee.kept().items()}
    weights_file.assign(weights_file.weights(network), weights_file.in_float32(kept), "the trained network")
    return network


def _tested(task: Task, model: Any, this: run.Run, test: Examples, metrics: dict[str, float]) -> dict[str, Any]:
    """Return the results on the test examples: the score, or `metrics` where the task has no answers."""
    if task.pretext_module:
        return {**{f"test_{name}": value for name, value in metrics.items()}, "test_examples": len(test)}
    score = task.score(measured_outputs(model, this.model, test), test.targets)
    return {
        f"test_{score.metric}": score.value,
        "test_interval": [score.low, score.high],
        "test_examples": score.examples,
        **({"test_parts": schema.to_dict(score)["parts"]} if score.parts else {}),
    }
