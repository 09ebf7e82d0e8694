"""`zoo.tune`."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo import experiment, files, keys_file, provenance, run, schema
from zoo.data.source import absolute, short_name
from zoo.errors import ZooError
from zoo.experiment import Experiment
from zoo.folder_lock import locked
from zoo.input import find
from zoo.named_recipe import RecipeFile, read_if_file
from zoo.registry import resolve
from zoo.text import Progress, Say, silent
from zoo.tuning import history
from zoo.tuning import space as spaces
from zoo.tuning.process import Died, TrialProcess
from zoo.tuning.search import folder_of, search
from zoo.tuning.study import BEST, HISTORY, TABLE, TRIALS, Study, Trial, best_of, changes_of, write_table
from zoo.tuning.trial import Settled, StudyRequest, refuse_other_data
from zoo.verbs.arguments import (
    StrPath,
    check_data,
    column_options,
    local_path,
    optional_path,
    refuse_beside_resume,
    settings_of,
)
from zoo.verbs.results import Folder, RunFolder
from zoo.whole_numbers import check_whole

MOST_TRIALS, MOST_PROCESSES = 10_000, 64


@dataclass(frozen=True)
class StudyFolder(Folder):
    """A study's folder, its record, its trials by place, the best trial, and the best trial's run.

    Trial 0 is the unchanged recipe.
    """

    record: Experiment
    trials: tuple[Trial, ...]
    best_trial: Trial
    best: RunFolder


def tune(
    family: str | None = None,
    *,
    trials: int | None = None,
    space: StrPath | Mapping[str, Any] | None = None,
    parallel: int = 1,
    size: str | None = None,
    data: str | None = None,
    data_dir: StrPath | None = None,
    target_column: str | Iterable[str] | None = None,
    text_column: str | None = None,
    image_column: str | None = None,
    audio_column: str | None = None,
    bad_examples: Literal["error", "skip"] | None = None,
    recipe: StrPath | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    set: Mapping[str, object] | Iterable[str] | str = (),
    out: StrPath | None = None,
    resume: StrPath | None = None,
    say: Say = silent,
    progress: Progress = silent,
) -> StudyFolder:
    """Search for a better recipe, and write a study's folder with the best run.

    The first trial is the unchanged recipe, so that the best trial is never worse on the validation examples. Trials
    are compared on these only. Once five trials have been trained to the end, another trial ends early if its best
    result so far is worse than the median of the completed trials after the same epoch. Only the best run is measured
    on the test examples.

    An interrupted study continues with the same arguments, or with `resume`. Trials that were in training at the time
    are trained again; no trial counts twice. A finished study is not repeated, and data that have changed since are
    refused: another `out` begins another study.

    Args:
        family: a family such as `mlp`, or an alias. Not needed with `resume`.
        trials: the number of trials, including those that end early.
        space: the search space: a TOML or JSON file, or a mapping, of recipe keys and `size`. A list gives choices,
            `{"low": 1e-4, "high": 0.1, "log": True}` is a range. By default a space around the recipe, which depends on
            the family, the data and the kind of input.
        parallel: the number of processes that train trials in parallel.
        size: the size of all trials; by default the first trial is `small`, and the default space has `base`, too.
        data: as for `zoo.train`, and so are the next four.
        data_dir: the folder of prepared TFDS data; with `resume`, the folder of the data, if they were moved.
        target_column: the column to predict, for data with columns; or several, in a list or separated by commas.
        text_column: the column with the text.
        image_column: the column that names the image files.
        audio_column: the column that names the sound files.
        bad_examples: `error` (the default) or `skip`.
        recipe: the recipe to begin with, as for `zoo.train`.
        epochs: the epochs of every trial. Short for `set={"epochs": ...}`.
        seed: the seed of every trial and of the search. Short for `set={"seed": ...}`.
        set: changes of the recipe for all trials.
        out: the folder to write; by default `studies/NAME`.
        resume: an interrupted study, which continues with its arguments.
        say: called with a line about the end of each trial.
        progress: called with the number of finished trials.

    Raises:
        ZooError: the request or the data are wrong, or no trial has a value.
        Refused: the network cannot be exported.
    """
    arguments = {**locals()}
    check_data("data", data)
    check_whole("trials", trials, 40)
    check_whole("parallel", parallel, 2)
    if not 1 <= parallel <= MOST_PROCESSES:
        raise ZooError(f"--parallel {parallel}: 1 to {MOST_PROCESSES} processes")
    begun: Experiment | None = None
    if resume is not None:
        refuse_beside_resume(arguments, ("resume", "data_dir", "parallel", "say", "progress"))
        folder = local_path(resume)
        record = begun = experiment.read("study", folder)
    else:
        request = _checked(
            family=family,
            size=size,
            data=data,
            data_dir=data_dir,
            options=column_options(target=target_column, text=text_column, image=image_column, audio=audio_column),
            bad_examples=bad_examples or "error",
            settings=settings_of(set, {"epochs": epochs, "seed": seed}),
            trials=trials,
            space=space,
            recipe=None if recipe is None else read_if_file(recipe),
        )
        folder, begun = _folder_and_record(request, optional_path(out))
        record = begun or _begin(request, folder, say)
    settled = _settled(record)
    with locked(folder) as lock, closing(_study(folder, settled)) as study:
        record = experiment.read("study", folder)
        if resume is not None:
            record = experiment.move_data("study", folder, record, optional_path(data_dir))
        request = _request(record)
        if begun is not None and (resume is None or not record.finished):
            refuse_other_data(request, settled)
        experiment.say_finished(folder, record, say)
        if not record.finished:
            lost = study.fail_unfinished()
            say(f"{folder}: {len(study.finished())} of {request.trials} trials are finished")
            if lost:
                say(f"unfinished trials, which are trained again: {lost}")
            search(folder, study, request, settled, parallel, lock, say, progress)
            record = _end(folder, record, request, settled, study.finished(), lock, say)
        finished = study.finished()
    best = best_of(finished, settled.higher_is_better)
    assert best is not None, "a study that is finished has a best trial"
    return StudyFolder(
        folder, record, tuple(finished), best, RunFolder(folder / BEST, run.read_finished(folder / BEST))
    )


def _checked(
    *, family: str | None, size: str | None, trials: int | None, space: StrPath | Mapping[str, Any] | None,
    settings: list[str], data: str | None, data_dir: StrPath | None, recipe: str | RecipeFile | None, **others: Any,
) -> StudyRequest:  # fmt: skip
    """Make the request of a study from its arguments, after the checks that take no time."""
    from zoo.training.decision import decide
    from zoo.training.effect import check_effect

    if family is None:
        raise ZooError("name a family, such as 'zoo tune mlp --trials 40', or a study to --resume")
    if trials is None:
        raise ZooError("say how many trials to train, such as --trials 40")
    if not 1 <= trials <= MOST_TRIALS:
        raise ZooError(f"--trials {trials}: 1 to {MOST_TRIALS:,} trials")
    resolved_family, row = resolve(family, size)
    request = StudyRequest(
        family=resolved_family.name,
        # An alias names a size as well.
        size=row.name if size is not None or family != resolved_family.name else None,
        data=data and absolute(data),
        data_dir=None if data_dir is None else str(local_path(data_dir).absolute()),
        settings=tuple(settings),
        trials=trials,
        recipe=recipe,
        **others,
    )
    decision = decide(request.training())
    check_effect(decision)
    if space is None:
        return request
    try:
        given = keys_file.flat(space) if isinstance(space, Mapping) else keys_file.read(local_path(space), "space")
    except ValueError as error:
        raise ZooError(f"the space: {error}: name it once") from None
    checked = spaces.checked(given, resolved_family, request.size, decision.recipe, settings)

    def attempt(values: Mapping[str, spaces.Value]) -> None:
        decide(request.training(*changes_of(values)))

    for key in checked:
        spaces.try_bounds(checked, [key], attempt)
    return dataclasses.replace(request, space=spaces.to_plain(checked))


def _folder_and_record(request: StudyRequest, out: Path | None) -> tuple[Path, Experiment | None]:
    source = request.data or find(resolve(request.family)[0].input).default_data
    default_folder = Path("studies") / f"{request.family}-{short_name(source)}"
    return experiment.place("study", out, default_folder, schema.to_dict(request))


def _begin(request: StudyRequest, folder: Path, say: Say) -> Experiment:
    """Check the rest of a request in a process that has TensorFlow, then make the folder."""
    provenance.say_environment(say)
    try:
        with TrialProcess() as process:
            process.send(check=schema.to_dict(request))
            settled = schema.parse(Settled, process.answer()["settled"], "settled")
    except Died as error:
        raise ZooError(f"the request could not be checked, because {error}") from None

    def fill(staging: Path) -> None:
        (staging / TRIALS).mkdir()
        _study(staging, settled).close()

    document = schema.to_dict(request)
    return experiment.begin("study", folder, document, schema.to_dict(settled), settled.seed, fill)


def _request(record: Experiment) -> StudyRequest:
    return schema.parse(StudyRequest, record.asked, "the request of the study")


def _settled(record: Experiment) -> Settled:
    return schema.parse(Settled, record.settled, "the settings of the study")


def _study(folder: Path, settled: Settled) -> Study:
    family, row = resolve(settled.family, settled.size)
    space = spaces.from_plain(settled.space, family.recipe_of(row))
    return Study(folder, space, settled.usual, settled.seed, settled.higher_is_better)


def _end(
    folder: Path, record: Experiment, request: StudyRequest, settled: Settled, trials: list[Trial], lock: int, say: Say
) -> Experiment:
    """Write the table, copy the best run and test it, and write the drawing and the results.

    Raises:
        ZooError: no trial has a value; the table has the reasons.
    """
    write_table(folder / TABLE, trials, settled.metric)
    best = best_of(trials, settled.higher_is_better)
    if best is None:
        raise ZooError(f"no trial of {folder} has a value; {TABLE} has the reasons, the first: {trials[0].reason}")
    target = folder / BEST
    if not target.exists():
        with files.staged_folder(target) as staging:
            shutil.copytree(folder_of(folder, best.place), staging, dirs_exist_ok=True)
    data_dir = experiment.place_of_data(record.asked)
    if not run.read(target).finished:
        with TrialProcess(lock=lock) as process:
            process.send(test={"run": str(target), "data_dir": data_dir and str(data_dir)})
            try:
                process.answer()
            except Died as error:
                raise ZooError(f"the best run could not be tested, because {error}: continue with --resume") from None
    title = f"{folder.absolute().name}: {len(trials)} trials"
    history.draw(folder / HISTORY, trials, f"{settled.metric} of validation", settled.higher_is_better, title, say)
    values = run.read_finished(target).results
    results = {
        "trials": len(trials),
        "ended_early": sum(trial.ended_early for trial in trials),
        "failed": sum(trial.failed for trial in trials),
        "best": best.place,
        f"val_{settled.metric}": best.value,
        "default": trials[0].value,
        "params": dict(best.params),
        "test": {key: value for key, value in values.items() if key.startswith("test_")},
    }
    return experiment.end("study", folder, record, results)
