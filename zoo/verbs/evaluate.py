"""`zoo.evaluate`."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo import artifact, files, provenance, run, schema
from zoo.artifact import Manifest
from zoo.data.dataset import Dataset, Examples
from zoo.data.digests import Overlap, leave_out_seen
from zoo.data.evaluation_data import load_for_evaluation
from zoo.data.fitting import refuse_left_out
from zoo.data.reload import digests_for, load_again
from zoo.data.source import parse
from zoo.description import Data, Provenance
from zoo.errors import ZooError, listed
from zoo.folder_kinds import KINDS, check_new, mistaken
from zoo.input import kind_of
from zoo.run import Run
from zoo.task import task_of
from zoo.tensorflow_setup import import_keras
from zoo.text import Say, silent
from zoo.verbs.arguments import StrPath, check_data, column_options, local_path, optional_path
from zoo.verbs.results import Folder


@dataclass(frozen=True)
class EvaluationFolder(Folder):
    """An evaluation folder and the content of its `report.json`.

    `target` is the run or artifact that was measured, `data` describes the data, and `overlap` counts the examples that
    the target had seen in training. `evaluation` is a record of the figures of its task, `summary` a text for people.
    """

    target: str
    data: Data
    overlap: Overlap
    provenance: Provenance
    evaluation: Any
    summary: str

    def report(self) -> dict[str, Any]:
        """Return the content of `report.json`."""
        return {
            "target": self.target,
            "data": schema.to_dict(self.data),
            "overlap": schema.to_dict(self.overlap),
            "provenance": schema.to_dict(self.provenance),
            **schema.to_dict(self.evaluation),
        }


def evaluate(
    target: StrPath | None = None,
    *,
    data: str | None = None,
    data_dir: StrPath | None = None,
    target_column: str | Iterable[str] | None = None,
    text_column: str | None = None,
    image_column: str | None = None,
    audio_column: str | None = None,
    bad_examples: Literal["error", "skip"] | None = None,
    include_training: bool = False,
    out: StrPath | None = None,
    say: Say = silent,
) -> EvaluationFolder:
    """Measure a run (with Keras) or an artifact (with its own runtime) on its test examples.

    Examples on which the model was trained, and validation examples, by which its weights were chosen, are left out and
    counted.
    Writes `report.json` and a drawing.

    Args:
        target: a run or an artifact; by default the newest finished run below `runs`.
        data: other data, such as `tfds:NAME[:VERSION]` or `folder:PATH`, whose classes have the names of the model's
            labels. Their test split is measured, else their validation split, else all examples.
        data_dir: the folder of the data, if they were moved; with `data`, the folder of prepared TFDS data.
        target_column: the column that was predicted, for `data` with columns; by default that of the training.
        text_column: the column with the text, likewise.
        image_column: the column that names the image files, likewise.
        audio_column: the column that names the sound files, likewise.
        bad_examples: `error` (the default) refuses `data` with examples that cannot be read, `skip` leaves those out.
        include_training: also measure on examples that the model has seen in training.
        out: the folder to write; by default `evaluations/NAME`.
        say: called with a line about the examples that were left out, and those that the model had seen.

    Raises:
        ZooError: the target or the data are missing or wrong, or no example is left to measure on.
        Refused: the artifact is damaged, or the model answers with numbers that are not finite.
    """
    check_data("data", data)
    columns = column_options(target=target_column, text=text_column, image=image_column, audio=audio_column)
    about_data = [f"--{name}" for name in columns] + (["--bad-examples"] if bad_examples else [])
    if about_data and not data:
        raise ZooError(f"{listed(about_data)}: only for other data: name them with --data, or leave it out")
    model_folder = run.newest(Path("runs")) if target is None else local_path(target)
    if target is None:
        say(f"evaluating {model_folder}, the newest finished run")
    check_new(_new_folder(model_folder, out))
    started = provenance.here(seed=0)
    described = _described(model_folder)
    model, dataset = described.model, None
    for library in task_of(model).libraries:
        importlib.import_module(library)
    if data is not None:
        scheme = parse(data, model.preprocessing.kind)[0].scheme
        alike = described.data is not None and described.data.source.partition(":")[0] == scheme
        # The columns of a table say nothing about data of another kind of source.
        options = {**(described.data.options if described.data and alike else {}), **columns}
        examples, source = load_for_evaluation(
            model, data, optional_path(data_dir), options, bad_examples or "error", say
        )
    elif described.data and described.recipe:
        kind = model.preprocessing.kind
        dataset = load_again(described.data, kind, described.recipe.split, optional_path(data_dir))
        examples, source = dataset.test, described.data
    else:
        raise ZooError(f"{model_folder} has no data of its own: say what to measure it on, such as --data folder:PATH")
    examples, left_out = kind_of(model.preprocessing).data.kept(examples, model.preprocessing)
    if data is not None and bad_examples != "skip":
        refuse_left_out(left_out, kind_of(model.preprocessing))
    for line in (*(source.skipped if data is not None else ()), *left_out):
        say(f"left out: {line}")
    for line in kind_of(model.preprocessing).data.remarks([examples], model.preprocessing):
        say(line)
    if not len(examples):
        raise ZooError(f"no example of {source.source} fits the network's input: name other data")
    examples, overlap = _unseen(model_folder, described, dataset, examples, include_training, say)
    task, outputs = task_of(model), _measured_outputs(model_folder, described, examples, say)
    result = task.measure(outputs, examples.targets, model.labels, name=examples.names, source=str(model_folder))
    folder = _new_folder(model_folder, out)
    evaluation = EvaluationFolder(
        folder=folder,
        target=str(model_folder),
        data=source,
        overlap=overlap,
        provenance=dataclasses.replace(started, finished=provenance.now()),
        evaluation=result,
        summary=task.summary(result),
    )
    with files.staged_folder(folder) as staging:
        files.write_json(staging / KINDS["evaluation"].marker, evaluation.report())
        title = f"{model_folder.absolute().name} on {source.source}"
        task.draw(staging / task.drawing, result, outputs, examples.targets, title, say)
    return evaluation


def _new_folder(target: Path, out: StrPath | None) -> Path:
    """Return the folder to write: `out`, or else a new folder that is named after the target."""
    return files.unused(Path("evaluations"), target.resolve().name) if out is None else local_path(out)


def _described(target: Path) -> Run | Manifest:
    """Read the description of a finished run or of an artifact."""
    if (target / artifact.MANIFEST).exists():
        return artifact.read(target)
    if not target.exists():
        raise ZooError(f"there is no run or artifact at {target}: name one")
    if target.is_dir() and not (target / run.DESCRIPTION).exists() and not mistaken(target, "run"):
        raise ZooError(f"{target} is neither a run nor an artifact: name one")
    return run.read_with_head(target)


def _unseen(
    target: Path, described: Run | Manifest, dataset: Dataset | None, examples: Examples, include: bool, say: Say
) -> tuple[Examples, Overlap]:
    """Leave out the examples that the model has seen, unless `include` is true, and say so."""
    digests, unknown = digests_for(target, described, dataset)
    if dataset is not None:
        # The run's own test split stays as the training measured it, also if it has examples like those of training.
        examples = dataclasses.replace(examples, fitted_digests=None, unrecognizable=None)
    examples, overlap = leave_out_seen(examples, digests, unknown, include)
    if overlap.examples:
        treatment = "left out" if overlap.left_out else "measured on, too"
        say(
            f"the model has seen {overlap.examples} of the {overlap.of} examples in training or validation: {treatment}"
        )
    if overlap.unknown:
        say(f"the measured examples may include training examples of the model: {overlap.unknown}")
    return examples, overlap


def _measured_outputs(target: Path, described: Run | Manifest, examples: Examples, say: Say) -> np.ndarray:
    """Compute the measured outputs, [examples, …], with Keras for a run, with its own file for an artifact."""
    if isinstance(described, Manifest):
        from zoo.serving import inference as of_artifacts

        return of_artifacts.measured_outputs(target, examples)
    provenance.say_environment(say)
    import_keras()
    from zoo import inference as of_runs

    return of_runs.measured_outputs_of_run(target, examples)
