"""A study: its trials in Optuna's SQLite database, the values that each is trained with, and the best trial.

Only one process asks for values and reports results. A trial has a place, from 0 to one less than the number of trials;
a trial whose process died leaves its place to another one with the same values. The values of a place depend on the
seed, the place and the finished trials, so that a study that was killed continues as it would have without that.
"""

from __future__ import annotations

import csv
import dataclasses
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.files import staged_file
from zoo.tuning.space import SIZE, Choices, Space, Value

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

DATABASE = "study.db"
TRIALS = "trials"
TABLE = "trials.csv"
HISTORY = "history.png"
BEST = "best"

STARTUP = 5
"""The number of trials that must have been trained to the end before another one may end early."""

RANDOM = 10
"""The number of trials that are drawn at random before the search learns from them."""

SECONDS_TO_WRITE = 60.0
"""The longest wait until another process has read the database."""

NAME = "zoo"

PLACE, FIGURES, REASON, INTERRUPTED = "place", "figures", "reason", "interrupted"
"""The names of the attributes of a trial: its place, the figures of its run, why it has no value, and whether it ended
because the command was interrupted."""

ENDED_EARLY = "ended early"
"""The beginning of the reason of a trial that ended early because it was worse than others."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """A finished trial.

    Attributes:
        place: its place, counted from 0, the unchanged recipe.
        params: the values that it was trained with, by key.
        value: the validation metric of the epoch that its run keeps; None if it ended early or failed.
        epochs: the number of epochs that were trained.
        reason: why it has no value; empty if it has one.
        figures: further figures of its run: `loss` (of validation), `parameters`, `multiply_adds`, `seconds`.
    """

    place: int
    params: Mapping[str, Value]
    value: float | None
    epochs: int
    reason: str = ""
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def ended_early(self) -> bool:
        """True if it was worse than others and was not trained to the end."""
        return self.reason.startswith(ENDED_EARLY)

    @property
    def failed(self) -> bool:
        """True if it has no value for any other reason."""
        return self.value is None and not self.ended_early


class Study:
    """The trials in the database of a study's folder."""

    def __init__(
        self, folder: Path, space: Space, usual: Mapping[str, Value], seed: int, higher_is_better: bool
    ) -> None:
        """Open the database, or create it.

        Args:
            folder: the study's folder.
            space: the search space.
            usual: the values of the first trial, for all keys of the space.
            seed: the seed of the search.
            higher_is_better: the direction of the metric.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._seed, self._higher = seed, higher_is_better
        self._distributions = {key: _distribution(dimension) for key, dimension in space.items()}
        # Values of the first trial that are outside of the space are not reported to the search.
        self._usual = {key: value for key, value in usual.items() if space[key].holds(value)}
        path = folder / DATABASE
        # The path is not part of the URL, in which some characters of a folder's name would have a meaning.
        connected = {"creator": lambda: sqlite3.connect(path, timeout=SECONDS_TO_WRITE, check_same_thread=False)}
        self._storage = optuna.storages.RDBStorage(f"sqlite:///{DATABASE}", engine_kwargs=connected)
        self._study = optuna.create_study(
            study_name=NAME,
            storage=self._storage,
            load_if_exists=True,
            direction="maximize" if higher_is_better else "minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=1),
        )

    def close(self) -> None:
        """Close the database."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def fail_unfinished(self) -> int:
        """Mark the unfinished trials of a killed process as failed; return the number that was in training."""
        from optuna.trial import TrialState

        unfinished = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
        for trial in unfinished:
            self._storage.set_trial_user_attr(trial._trial_id, INTERRUPTED, True)
            self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        return sum(trial.state == TrialState.RUNNING for trial in unfinished)

    def finished(self) -> list[Trial]:
        """Return the finished trials, by place."""
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        return sorted(map(_finished, trials), key=lambda trial: trial.place)

    def deaths(self, place: int) -> int:
        """Return how many trials at a place died by themselves, not with the command that was interrupted."""
        return sum(not trial.user_attrs.get(INTERRUPTED) for trial in self._dead(place))

    def ask(self, place: int) -> optuna.Trial:
        """Begin a trial at a place, with the values of the trial that died there, if there was one."""
        import optuna

        self._study.sampler = optuna.samplers.TPESampler(
            seed=(self._seed * 1_000_003 + place) % 2**32, n_startup_trials=RANDOM, constant_liar=True
        )
        dead = self._dead(place)
        fixed = self._usual if place == 0 else dict(dead[-1].params) if dead else {}
        if fixed:
            self._study.enqueue_trial(fixed, user_attrs={PLACE: place})
        keys = self._usual if place == 0 else self._distributions
        trial = self._study.ask({key: self._distributions[key] for key in keys})
        trial.set_user_attr(PLACE, place)
        return trial

    def report(self, trial: optuna.Trial, epoch: int, value: float) -> bool:
        """Record the metric after an epoch; return whether the trial should end early.

        It should if its best value so far is worse than the median, at that epoch, of the trials trained to the end.
        The trial at place 0 never ends early.
        """
        trial.report(value, epoch)
        return trial.user_attrs[PLACE] > 0 and bool(trial.should_prune())

    def tell(self, trial: optuna.Trial, value: float | None, reason: str, figures: Mapping[str, Any]) -> None:
        """End a trial with its value, or without a value for the given reason."""
        from optuna.trial import TrialState

        trial.set_user_attr(FIGURES, dict(figures))
        trial.set_user_attr(REASON, reason)
        if value is None:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, value)

    def died(self, trial: optuna.Trial) -> None:
        """Mark a trial whose process died as failed, which frees its place."""
        from optuna.trial import TrialState

        self._study.tell(trial, state=TrialState.FAIL)

    def best(self) -> Trial | None:
        """Return the best trial so far, see `best_of`."""
        return best_of(self.finished(), self._higher)

    def _dead(self, place: int) -> list[FrozenTrial]:
        from optuna.trial import TrialState

        failed = self._study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        return [trial for trial in failed if trial.user_attrs.get(PLACE) == place]


def best_of(trials: list[Trial], higher_is_better: bool) -> Trial | None:
    """Return the trial with the best value; among equal ones, that with the lower validation loss, then the earlier."""
    sign = -1 if higher_is_better else 1
    valued = [trial for trial in trials if trial.value is not None]
    return min(
        valued, key=lambda trial: (sign * (trial.value or 0.0), trial.figures["loss"], trial.place), default=None
    )


def _finished(trial: FrozenTrial) -> Trial:
    from optuna.trial import TrialState

    return Trial(
        place=trial.user_attrs[PLACE],
        params=dict(trial.params),
        value=trial.value if trial.state == TrialState.COMPLETE else None,
        epochs=len(trial.intermediate_values),
        reason=trial.user_attrs.get(REASON, ""),
        figures=trial.user_attrs.get(FIGURES, {}),
    )


def _distribution(dimension: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.values)
    distribution = IntDistribution if dimension.whole else FloatDistribution
    return distribution(dimension.low, dimension.high, log=dimension.log)


def changes_of(params: Mapping[str, Value]) -> tuple[str | None, list[str]]:
    """Return the size of a trial, None if it is not searched, and its changes of the recipe as `KEY=VALUE`."""
    size = params.get(SIZE)
    settings = [f"{key}={value}" for key, value in params.items() if key != SIZE]
    return None if size is None else str(size), settings


def write_table(path: Path, trials: list[Trial], metric: str) -> None:
    """Write a row for each trial as CSV, whole or not at all."""
    params = list(dict.fromkeys(key for trial in trials for key in trial.params))
    figures = list(dict.fromkeys(key for trial in trials for key in trial.figures))
    with staged_file(path) as staging, staging.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", f"val_{metric}", "epochs", *figures, *params, "reason"])
        for trial in trials:
            row = [trial.place, trial.value, trial.epochs, *(trial.figures.get(key) for key in figures)]
            writer.writerow([*row, *(trial.params.get(key) for key in params), trial.reason])
