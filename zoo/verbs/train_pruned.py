"""`zoo.train_pruned`: the function behind `zoo train --prune` with several shares."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import experiment, run
from zoo.errors import ZooError, listed
from zoo.recipe import set_keys
from zoo.tensorflow_setup import import_keras
from zoo.text import Progress, Say, silent
from zoo.verbs import series
from zoo.verbs.arguments import StrPath, several
from zoo.verbs.results import RunFolder
from zoo.verbs.series import Decided, Plan, SeriesFolder
from zoo.verbs.train import SHORTHANDS, request_of

MOST_LEFT = 0.999
"""The largest share of its network that a step asks for, so that each step removes channels."""


class PrunedFolder(SeriesFolder):
    """A folder with a run for each share of the multiply-adds, and its record; `rows` are the figures of the runs."""


def train_pruned(
    weights: StrPath | None = None,
    *,
    prune: float | Iterable[float] = (),
    out: StrPath | None = None,
    resume: StrPath | None = None,
    say: Say = silent,
    progress: Progress = silent,
    **training: Any,
) -> PrunedFolder:
    """Prune a network in several steps, train it after each of them, and write a folder with a run for each step.

    Each run starts from the weights of the one before. The network of the last run is the smallest.

    An interrupted call continues with the same arguments, or with `resume`: steps that are finished are not trained
    again, and the one in training continues from its last checkpoint. A finished call is not repeated, and data that
    have changed since are refused: another `out` trains again.

    Args:
        weights: the finished run of the network. Not needed with `resume`.
        prune: the share of the network's multiply-adds that each step leaves, such as `[0.7, 0.5]`.
        out: the folder to write; by default `runs/NAME`.
        resume: the folder of an interrupted call, which continues with its arguments; `data_dir` says where its data
            are now, if they were moved.
        say: as for `zoo.train`.
        progress: as for `zoo.train`.
        **training: other arguments of `zoo.train`, which hold for each step, such as `epochs`.

    Raises:
        ZooError: the request or the data are wrong, or a share cannot be reached.
        Refused: one of the networks cannot be exported.
    """

    def plan() -> Plan:
        shares = _checked_shares(prune)
        if weights is None:
            raise ZooError("pruning starts from a trained network: name its run with --weights")
        decisive = series.decisive_arguments({**training, "weights": weights})
        key = SHORTHANDS["prune"]
        if key in set_keys(decisive["set"]):
            raise ZooError(f"--set {key} is one share, and --prune names those of all steps: leave --set {key} out")
        request = {**decisive, "shares": shares}
        decided = _decided(request, shares)
        _, decision = decided
        default_folder = Path("runs") / f"{decision.family.name}-{decision.size.name}-pruned"
        return Plan(request, default_folder, decision.recipe.seed, lambda: _check_shares(*decided, shares))

    def train_all(folder: Path, request: Mapping[str, Any], how: Mapping[str, Any]) -> list[RunFolder]:
        data_dir = experiment.place_of_data(request)
        arguments = series.arguments_of(request)
        whole, runs = 0, list[RunFolder]()
        for share in request["shares"]:
            step = {"prune": share}
            if runs:
                # Training changes which channels are removed, so that a step may leave less than `_check_shares` saw.
                part = min(MOST_LEFT, share * whole / runs[-1].run.model.multiply_adds)
                step = {"weights": runs[-1].folder, "prune": part}
            runs.append(series.trained(folder / _name(share), {**arguments, **step}, data_dir, how, say, progress))
            whole = whole or _multiply_adds_before(runs[0].run)
        return runs

    named = {"weights": weights, "prune": prune}
    return PrunedFolder(
        *series.train_series("pruned", named, training, plan, _names, train_all, out=out, resume=resume, say=say)
    )


def _names(request: Mapping[str, Any]) -> list[str]:
    """Return the names of the folders of all steps."""
    return [_name(share) for share in request["shares"]]


def _name(share: float) -> str:
    """Return the name of a step's folder."""
    return f"{share:g}"


def _checked_shares(prune: float | Iterable[float]) -> list[float]:
    """Return the shares of all steps.

    Raises:
        ZooError: there are none, one is not a share, or one is not smaller than the one before.
    """
    try:
        shares = [float(share) for share in several(prune)]
    except (TypeError, ValueError):
        raise ZooError(f"prune is {prune!r:.60}: name the shares of the multiply-adds, such as [0.7, 0.5]") from None
    text = listed(map(_name, shares))
    if not shares:
        raise ZooError("name the shares of the multiply-adds that the steps leave, such as 0.7 and 0.5")
    if not all(0 < share < 1 for share in shares):
        raise ZooError(f"--prune {text}: shares above 0 and below 1 are needed, such as 0.7,0.5")
    if any(_name(share) == _name(later) or share < later for share, later in itertools.pairwise(shares)):
        raise ZooError(f"--prune {text}: each step leaves less than the one before, such as 0.7,0.5")
    return shares


def _decided(request: Mapping[str, Any], shares: Sequence[float]) -> Decided:
    """Return the request for the first step, and the decision about it.

    Raises:
        ZooError: the request is refused.
    """
    from zoo.training.decision import decide
    from zoo.training.effect import check_effect

    training_request = request_of({**series.arguments_of(request), "prune": shares[0]})
    decision = decide(training_request)
    check_effect(decision)
    return training_request, decision


def _multiply_adds_before(first: run.Run) -> int:
    """Return the multiply-adds of the network before its first step."""
    assert first.initial is not None
    assert first.initial.pruning is not None, "the run was pruned"
    return first.initial.pruning.multiply_adds_before


def _check_shares(request: Any, decision: Any, shares: Sequence[float]) -> None:
    """Check that all shares can be reached: prune the network in all steps, without training it.

    Raises:
        ZooError: the data cannot be loaded, a share cannot be reached, or the step before already leaves less.
    """
    import_keras()
    from zoo.pruning.choice import OutOfReach
    from zoo.pruning.prune import prune
    from zoo.training import fine_tuning
    from zoo.training.data_of_request import data_of_request, recipe_for
    from zoo.training.describe import describe

    dataset, _ = data_of_request(request, decision)
    recipe = recipe_for(dataset, request, decision)
    source = run.read_finished(request.weights).model
    model = describe(decision.family, decision.size, dataset, recipe, source)
    _, arrays = fine_tuning.take(request.weights, model)
    whole = model.multiply_adds
    for share in shares:
        left = model.multiply_adds
        if share * whole >= left:
            raise ZooError(
                f"--prune {_name(share)}: the step before already leaves {left / whole:.4g}, because channels are "
                "removed in blocks: leave this step out"
            )
        try:
            model, arrays, _ = prune(model, arrays, dataclasses.replace(recipe.prune, share=share * whole / left))
        except OutOfReach as error:
            if left == whole:
                raise
            least = math.ceil(error.least * left / whole * 1000) / 1000
            raise ZooError(
                f"--prune {_name(share)}: after the step before, {model.family} {model.size} cannot be pruned to less "
                f"than {least:g} of its multiply-adds: ask for that or more, or leave this step out"
            ) from None
