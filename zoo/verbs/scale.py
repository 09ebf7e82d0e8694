"""`zoo.scale`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoo import experiment, files
from zoo.data.fitting import fitting
from zoo.data.reload import load_again
from zoo.data.source import short_name
from zoo.errors import ZooError, one_line
from zoo.experiment import Experiment
from zoo.family import SIZES
from zoo.folder_lock import locked
from zoo.input import find, kind_of
from zoo.measurement import SECONDS, check_seconds
from zoo.power_law import FEWEST, Fit, fit
from zoo.recipe import WIDTH
from zoo.registry import resolve
from zoo.task import task_of
from zoo.tensorflow_setup import import_keras
from zoo.text import Progress, Say, silent
from zoo.verbs import scale_drawing, series
from zoo.verbs.arguments import StrPath, local_path, optional_path, refuse_beside_resume, settings_of, several
from zoo.verbs.benchmark import benchmark
from zoo.verbs.export_run import export_run
from zoo.verbs.results import Folder, RunFolder
from zoo.verbs.series import Decided, Point

if TYPE_CHECKING:
    from zoo.data.dataset import Dataset

RUNS, ARTIFACTS, ERRORS, DRAWING = "runs", "artifacts", "errors", "scale.png"

MOST_NETWORKS = 50


@dataclass(frozen=True)
class ScaleFolder(Folder):
    """The folder of a study of size, and its record.

    `networks` has the figures of each network, `law` those of the power law; None if there are too few networks.
    """

    record: Experiment

    @property
    def networks(self) -> list[dict[str, Any]]:
        """The figures of each network, in the order of their multiply-adds."""
        networks: list[dict[str, Any]] = self.record.results["networks"]
        return networks

    @property
    def law(self) -> dict[str, Any] | None:
        """The figures of the power law."""
        law: dict[str, Any] | None = self.record.results["law"]
        return law


def scale(
    family: str | None = None,
    *,
    sizes: str | Iterable[str] | None = None,
    widths: float | Iterable[float] | None = None,
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
    seconds: float | None = None,
    out: StrPath | None = None,
    resume: StrPath | None = None,
    say: Say = silent,
    progress: Progress = silent,
) -> ScaleFolder:
    """Measure the gain from size: train each size at each width, export and measure all, and fit a power law.

    The law is error = scale · multiply-adds^-exponent, plus a floor if the networks support one. Its 95 % interval is a
    bootstrap over the test examples, and over the networks if there are at least 5. It does not cover the seed of the
    training.

    An interrupted call continues with the same arguments, or with `resume`: networks that are finished are not trained
    again. A finished call is not repeated, and data that have changed since are refused: another `out` trains again.

    Args:
        family: a family such as `resnet`. Not needed with `resume`.
        sizes: sizes of the family; all of small, base and large when neither these nor `widths` are given, small with
            `widths` alone.
        widths: the factors by which each size is made wider or narrower; by default 1.
        data: as for `zoo.train`, and so are the next five.
        data_dir: the folder of prepared TFDS data; with `resume`, the folder of the data, if they were moved.
        target_column: the column to predict, for data with columns; or several, in a list or separated by commas.
        text_column: the column with the text.
        image_column: the column that names the image files.
        audio_column: the column that names the sound files.
        bad_examples: `error` (the default) or `skip`.
        recipe: the recipe of every network.
        epochs: the epochs of every network. Short for `set={"epochs": ...}`.
        seed: the seed of every network. Short for `set={"seed": ...}`.
        set: changes of the recipe of every network.
        seconds: the time to measure each latency; by default 3, or that of the call that is continued.
        out: the folder to write; by default `scales/NAME`.
        resume: the folder of an interrupted call, which continues with its arguments.
        say: as for `zoo.train`.
        progress: as for `zoo.train`.

    Raises:
        ZooError: the request or the data are wrong.
        Refused: a network cannot be exported at all, which is detected before its training.
    """
    arguments = {**locals()}
    training: dict[str, Any] = {
        "data": data, "data_dir": data_dir, "target_column": target_column, "text_column": text_column,
        "image_column": image_column, "audio_column": audio_column, "bad_examples": bad_examples,
        "recipe": recipe, "epochs": epochs, "seed": seed, "set": settings_of(set, {}),
    }  # fmt: skip
    series.refuse_cluster(None)
    if seconds is not None:
        check_seconds(seconds)
    begun: Experiment | None = None
    if resume is not None:
        refuse_beside_resume(arguments, ("resume", "data_dir", "seconds", "say", "progress"))
        folder = local_path(resume)
        record = begun = experiment.read("scale", folder)
    else:
        points = _points(several(sizes or ()), several(widths or ()))
        request = {
            **series.asked(family, training),
            "points": [dataclasses.asdict(point) for point in points],
            "seconds": SECONDS if seconds is None else seconds,
        }
        decided = _checked(request, points)
        source = request.get("data") or find(resolve(request["family"])[0].input).default_data
        default_folder = Path("scales") / f"{request['family']}-{short_name(source)}"
        folder, begun = experiment.place("scale", optional_path(out), default_folder, request)
        if begun is None:
            series.check_networks(decided, points)
        record = begun or experiment.begin("scale", folder, request, {}, decided[0][1].recipe.seed)
    points = [Point(**point) for point in record.asked["points"]]
    with experiment.withdrawn_if_refused(folder, begun is not None), locked(folder):
        if resume is not None:
            record = experiment.move_data("scale", folder, record, optional_path(data_dir))
        request = {name: value for name, value in record.asked.items() if name not in ("points", "seconds")}
        if resume is None or not record.finished:
            run_folders = [folder / RUNS / point.name for point in points]
            series.refuse_changed_data(folder, run_folders, experiment.place_of_data(request))
        experiment.say_finished(folder, record, say)
        if not record.finished:
            record = _measured(folder, record, request, points, seconds or record.asked["seconds"], say, progress)
    return ScaleFolder(folder, record)


def _points(sizes: Sequence[str], widths: Sequence[float]) -> list[Point]:
    sizes = sizes or (SIZES[:1] if widths else SIZES)
    points = [Point(size, float(width)) for size in sizes for width in widths or (1.0,)]
    if not 2 <= len(points) <= MOST_NETWORKS:
        raise ZooError(f"name 2 to {MOST_NETWORKS} networks, not {len(points)}: such as --widths 0.25,0.5,1")
    return points


def _checked(request: Mapping[str, Any], points: list[Point]) -> list[Decided]:
    """Return the decisions about all networks, with every check that needs no TensorFlow."""
    (_, decision), *_ = series.decisions(request, [Point(points[0].size)])
    if WIDTH in decision.named:
        raise ZooError(f"{WIDTH} cannot be set in addition to the widths of the networks: use --widths only")
    return series.decisions(request, points)


def _measured(
    folder: Path,
    record: Experiment,
    request: Mapping[str, Any],
    points: list[Point],
    seconds: float,
    say: Say,
    progress: Progress,
) -> Experiment:
    """Train, export and measure all networks for which that is not done yet; write the drawing and the results."""
    data_dir = experiment.place_of_data(request)
    runs = {
        point: series.trained(
            folder / RUNS / point.name, series.arguments_for(request, point), data_dir, {}, say, progress
        )
        for point in points
    }
    series.refuse_other_data(runs.values())
    points = sorted(points, key=lambda point: runs[point].run.model.multiply_adds)
    reasons = {point: _exported(folder, runs[point], point, data_dir, say) for point in points}
    latencies = _latencies(folder, [point for point in points if not reasons[point]], seconds, say)
    errors = np.stack(_errors(folder, runs, points, data_dir))
    rows = [
        {
            **series.row(point.name, runs[point].run),
            "error": float(errors[number].mean()),
            "run": f"{RUNS}/{point.name}",
            "artifact": None if reasons[point] else f"{ARTIFACTS}/{point.name}",
            "not_exported": reasons[point],
            "latency": latencies.get(point),
        }
        for number, point in enumerate(points)
    ]
    costs = np.array([row["multiply_adds"] for row in rows], np.float64)
    fitted = fit(costs, errors, record.provenance.seed)
    if fitted is None:
        say(f"no power law: fewer than {FEWEST} networks differ in their multiply-adds")
    scale_drawing.draw(folder / DRAWING, rows, fitted, f"{request['family']}: error by size", say)
    return experiment.end("scale", folder, record, {"networks": rows, "law": fitted and law_figures(fitted)})


def law_figures(found: Fit) -> dict[str, Any]:
    """Return a fitted law for JSON and tables, with the sources of chance that its intervals cover."""
    return {
        "scale": found.law.scale,
        "exponent": found.law.exponent,
        "exponent_interval": list(found.exponent),
        "floor": found.law.floor,
        "networks": found.points,
        "covers": ["test examples", *(["choice of the networks"] if found.draws_points else [])],
        "doubling": {
            "error": found.next_error,
            "error_interval": list(found.next),
            "gain": found.gain,
            "gain_interval": list(found.gained),
        },
    }


def _exported(folder: Path, run_folder: RunFolder, point: Point, data_dir: Path | None, say: Say) -> str | None:
    """Make the artifact of a network, unless it exists; return the reason if it cannot be made, else None."""
    target = folder / ARTIFACTS / point.name
    if target.exists():
        return None
    try:
        export_run(run_folder, onnx=True, data_dir=data_dir, out=target, say=say)
    except ZooError as error:
        reason = one_line(error, 300)
        say(f"{point.name} is not exported: {reason}")
        return reason
    return None


def _latencies(folder: Path, points: list[Point], seconds: float, say: Say) -> dict[Point, dict[str, float]]:
    """Measure the latency of one example on one thread with the ONNX files, which take turns."""
    if not points:
        return {}
    artifacts = {str(folder / ARTIFACTS / point.name): point for point in points}
    measured = benchmark([*artifacts], batch=(1,), threads=(1,), runtime=("onnx",), seconds=seconds, say=say)
    return {
        artifacts[row.artifact]: {"p50_ms": row.p50_ms, "low_ms": row.median_low_ms, "high_ms": row.median_high_ms}
        for row in measured.rows
    }


def _errors(
    folder: Path, runs: Mapping[Point, RunFolder], points: list[Point], data_dir: Path | None
) -> list[np.ndarray]:
    """Return the errors of each network on all test examples, in the order of the points; files keep them."""
    dataset: Dataset | None = None
    errors_of_networks = []
    for point in points:
        path = folder / ERRORS / f"{point.name}.npy"
        if not path.exists():
            this = runs[point].run
            assert this.data is not None, "a run that was trained has data"
            assert this.recipe is not None
            if dataset is None:
                kind = kind_of(this.model.preprocessing).kind
                dataset = load_again(this.data, kind, this.recipe.split, data_dir)
            examples = fitting(dataset, this.model.preprocessing).test
            import_keras()
            from zoo.inference import measured_outputs_of_run

            errors = task_of(this.model).errors(measured_outputs_of_run(runs[point].folder, examples), examples.targets)
            with files.staged_file(path) as staging:
                np.save(staging, errors)
        errors_of_networks.append(np.load(path, allow_pickle=False))
    return errors_of_networks
