"""The parts of a search that need TensorFlow: checking a request, training a trial, testing the best trial."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import run
from zoo import task as tasks
from zoo.allocator import keeping_freed_memory
from zoo.data.source import short_name
from zoo.errors import ZooError, one_line
from zoo.family import Family
from zoo.named_recipe import RecipeFile
from zoo.recipe import WIDTH, flat
from zoo.schema import record
from zoo.text import silent
from zoo.training.decision import decide
from zoo.training.request import DataRequest, Execution, Preflight, TrainingRequest
from zoo.tuning import space as spaces
from zoo.tuning.process import StudyEnds
from zoo.tuning.space import SIZE, Plain
from zoo.tuning.study import changes_of

CHANGED = "the data have changed since the study began: put them back, or begin another study with another --out"


@record
class StudyRequest:
    """The arguments of a study: those that all trials have in common, and the space if one was named."""

    family: str
    size: str | None
    data: str | None
    data_dir: str | None
    options: dict[str, str]
    bad_examples: str
    settings: tuple[str, ...]
    trials: int
    recipe: str | RecipeFile | None = None
    space: dict[str, Any] | None = None

    def training(
        self, size: str | None = None, settings: Sequence[str] = (), out: Path | None = None
    ) -> TrainingRequest:
        """Return the request of a trial, with further settings, and with another size if one is named."""
        data = DataRequest(
            self.data,
            Path(self.data_dir) if self.data_dir else None,
            self.options,
            "skip" if self.bad_examples == "skip" else "error",
        )
        return TrainingRequest(
            family=self.family,
            size=size or self.size,
            data=data,
            recipe=self.recipe,
            settings=[*self.settings, *settings],
            out=out,
        )


@record
class Settled:
    """The settings that were derived from a request.

    `space` is the search space in its plain form, and `usual` has the values of the first trial by the keys of the
    space. `metric` is the metric on the validation examples by which trials are compared. `fingerprint` is that of the
    data; studies of earlier versions have none.
    """

    family: str
    size: str
    name: str
    space: dict[str, Any]
    usual: dict[str, str | int | float | bool]
    metric: str
    higher_is_better: bool
    seed: int
    fingerprint: str = ""


def check(request: StudyRequest, preflight: Preflight) -> Settled:
    """Check that every trial can be trained: the data, the network, its export, and every bound of the space.

    Raises:
        ZooError: a check fails.
    """
    from zoo.training.data_of_request import data_of_request, fit, recipe_for
    from zoo.training.describe import deciding, describe
    from zoo.training.devices import check_devices
    from zoo.training.strategy import choose

    usual, strategy = request.training(), choose("single")
    decision = decide(usual)
    family, row = decision.family, decision.size
    dataset, _ = data_of_request(usual, decision)
    recipe = recipe_for(dataset, usual, decision)
    model = describe(family, row, dataset, recipe)
    # The examples that trials train on; networks are described from all.
    kept = fit(dataset, model.preprocessing, decision.data.bad_examples, silent, labeled=True)
    recipe = recipe_for(kept, usual, dataclasses.replace(decision, recipe=recipe))
    preflight(model)
    task = tasks.find(dataset.task)
    plain: Plain = request.space or spaces.default(
        family,
        request.size,
        recipe,
        request.settings,
        sizes=_sizes_of_recipe(family, request.recipe),
        examples=len(kept.train),
        classes=dataset.task == "classes",
        scales=_has_network(family, row, dataset, recipe, width=spaces.WIDTHS[0]),
        drops=_has_network(family, row, dataset, recipe, dropout=0.5),
    )
    space = spaces.checked(plain, family, request.size, recipe, request.settings)

    # Keys of any section may decide whether the network can be trained, such as `xla` and `epochs`. In the default
    # space, only size and width do.
    shaping = {*space} - {SIZE} if request.space else {WIDTH}
    described = [(row, deciding(recipe))]

    def attempt(values: Mapping[str, spaces.Value]) -> None:
        changed = request.training(*changes_of(values))
        other = decide(changed)
        check_devices(other.recipe, strategy)
        share = (other.recipe.label_fraction, other.recipe.label_seed)
        same = share == (recipe.label_fraction, recipe.label_seed)
        fitted = recipe_for(kept if same else data_of_request(changed, other)[0], changed, other)
        network = (other.size, deciding(fitted))
        if {SIZE, *shaping} & values.keys() and network not in described:
            describe(family, other.size, dataset, fitted)
            described.append(network)

    # The sizes of a family may have different networks, and the space need not have the default size.
    for keys in (["batch_size", "accumulate"], *([SIZE, key] if key in shaping else [key] for key in space)):
        spaces.try_bounds(space, keys, attempt)
    values_by_key = {**flat(recipe), SIZE: row.name}
    return Settled(
        family=family.name,
        size=row.name,
        name=f"{family.name}-{short_name(dataset.source)}",
        space=spaces.to_plain(space),
        usual={key: values_by_key[key] for key in space},
        metric=task.best,
        higher_is_better=task.higher_is_better,
        seed=recipe.seed,
        fingerprint=dataset.fingerprint,
    )


def _sizes_of_recipe(family: Family, recipe: str | RecipeFile | None) -> Sequence[str]:
    """Return the sizes of a family that a recipe is for: those that a named recipe lists, or else all."""
    named = family.named_recipes.get(recipe) if isinstance(recipe, str) else None
    return named.sizes if named and named.sizes else [row.name for row in family.sizes]


def _has_network(family: Any, row: Any, dataset: Any, recipe: Any, **changes: float) -> bool:
    """Return whether the family has a network with these changes of the recipe's section `network`."""
    from zoo.training.describe import describe

    network = dataclasses.replace(recipe.network, **changes)
    try:
        describe(family, row, dataset, dataclasses.replace(recipe, network=network))
    except ZooError:
        return False
    return True


def train(
    request: StudyRequest,
    settled: Settled,
    folder: Path,
    size: str | None,
    settings: Sequence[str],
    preflight: Preflight,
    ends: Callable[[int, float], bool],
) -> dict[str, Any]:
    """Train a trial into a run folder, without testing it, and return its figures.

    `ends` is called after each epoch with the number of epochs and the validation metric; it returns whether the trial
    ends.

    Raises:
        StudyEnds: the data are not those that the study began with or cannot be read, or the run cannot be written.
        ZooError: the training failed, for example because the loss is no longer finite.
    """
    import keras

    from zoo.training import start

    key, rows = f"val_{settled.metric}", []

    class Judge(keras.callbacks.Callback):
        ended = False

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            rows.append(dict(logs))
            self.ended = ends(len(rows), rows[-1][key])
            self.model.stop_training = self.ended

    judge = Judge()
    try:
        execution = Execution(strategy="single", callbacks=[judge])
        with keeping_freed_memory():
            start.start(request.training(size, settings, folder), execution, preflight, test=False)
    except (ZooError, OSError) as error:
        refuse_other_data(request, settled)
        if isinstance(error, OSError):  # such as a full disk
            raise StudyEnds(one_line(error)) from None
        raise
    finally:
        # This process trains many networks, one after the other.
        keras.backend.clear_session()
        gc.collect()
    this = run.read(folder)
    assert this.recipe is not None, "a trial trains"
    assert this.data is not None, "a trial trains"
    if settled.fingerprint not in ("", this.data.fingerprint):
        raise StudyEnds(CHANGED)
    values = [row[key] for row in rows]
    best = max(values) if settled.higher_is_better else min(values)
    kept = rows[values.index(best)] if this.recipe.keep == "best" else rows[-1]
    return {
        "value": kept[key],
        "ended": judge.ended and len(rows) < this.recipe.epochs,
        "loss": kept["val_loss"],
        "parameters": this.model.parameters,
        "multiply_adds": this.model.multiply_adds,
        "seconds": sum(row["seconds"] for row in rows),
    }


def refuse_other_data(request: StudyRequest, settled: Settled) -> None:
    """Raise StudyEnds unless the data are those that the study began with: no trial could be trained on them."""
    from zoo.training.data_of_request import data_of_request

    usual = request.training()
    try:
        dataset, _ = data_of_request(usual, decide(usual))
    except (ZooError, OSError) as error:
        raise StudyEnds(str(error)) from None
    if settled.fingerprint not in ("", dataset.fingerprint):
        raise StudyEnds(CHANGED)


def test(folder: Path, data_dir: Path | None) -> None:
    """Finish the run of a trial whose epochs are all done: test its network.

    `data_dir` is the folder that the data are in now, None if they were not moved.
    """
    from zoo.training import start

    start.resume(folder, data_dir, Execution(strategy="single"))
