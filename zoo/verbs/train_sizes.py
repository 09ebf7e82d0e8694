"""`zoo.train_sizes`: the function behind `zoo train` with several sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import experiment
from zoo.data.source import short_name
from zoo.errors import ZooError
from zoo.experiment import Experiment
from zoo.input import find
from zoo.registry import resolve
from zoo.text import Progress, Say, silent
from zoo.verbs import series
from zoo.verbs.arguments import StrPath, local_path, optional_path, refuse_beside_resume, several, several_callbacks
from zoo.verbs.results import Folder, RunFolder
from zoo.verbs.series import Point


@dataclass(frozen=True)
class SizesFolder(Folder):
    """A folder with a run for each size, and its record; `rows` are the figures of the runs, one for each."""

    record: Experiment
    runs: tuple[RunFolder, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The figures of each run."""
        rows: list[dict[str, Any]] = self.record.results["runs"]
        return rows


def train_sizes(
    family: str | None = None,
    *,
    size: str | Iterable[str] = (),
    out: StrPath | None = None,
    resume: StrPath | None = None,
    say: Say = silent,
    progress: Progress = silent,
    **training: Any,
) -> SizesFolder:
    """Train several sizes of a family one after the other, and write a folder with a run for each.

    An interrupted call continues with the same arguments, or with `resume`: sizes that are finished are not trained
    again, and the one in training continues from its last checkpoint. A finished call is not repeated, and data that
    have changed since are refused: another `out` trains again.

    Args:
        family: a family such as `resnet`. Not needed with `resume`.
        size: the sizes, such as `["small", "base"]`.
        out: the folder to write; by default `runs/NAME`.
        resume: the folder of an interrupted call, which continues with its arguments; `data_dir` says where its data
            are now, if they were moved.
        say: as for `zoo.train`.
        progress: as for `zoo.train`.
        **training: other arguments of `zoo.train`, except for those that fit only one network, such as `weights`.

    Raises:
        ZooError: the request or the data are wrong.
        Refused: one of the networks cannot be exported.
    """
    series.refuse_cluster(training.get("strategy"))
    how = {name: training[name] for name in series.HOW if training.get(name) is not None}
    if "callbacks" in how:
        how["callbacks"] = several_callbacks(how["callbacks"])
    begun: Experiment | None = None
    if resume is not None:
        refuse_beside_resume({"family": family, "size": size, "out": out, **training}, (*series.HOW, "data_dir"))
        folder = local_path(resume)
        record = begun = experiment.read("sizes", folder)
        if not begun.finished:
            series.choose_devices(how)
    else:
        sizes = several(size)
        request = {**series.asked(family, training), "sizes": sizes}
        if not sizes:
            raise ZooError("name the sizes to train, such as small and base")
        points = [Point(name) for name in sizes]
        decided = series.decisions(request, points)
        source = request.get("data") or find(resolve(request["family"])[0].input).default_data
        default_folder = Path("runs") / f"{request['family']}-sizes-{short_name(source)}"
        folder, begun = experiment.place("sizes", optional_path(out), default_folder, request)
        if begun is None or not begun.finished:
            series.choose_devices(how)
        if begun is None:
            series.check_networks(decided, points)
        record = begun or experiment.begin("sizes", folder, request, {}, decided[0][1].recipe.seed)
    points = [Point(name) for name in record.asked["sizes"]]

    def train_all(request: Mapping[str, Any]) -> list[RunFolder]:
        data_dir = experiment.place_of_data(request)
        return [
            series.trained(folder / point.name, series.arguments_for(request, point), data_dir, how, say, progress)
            for point in points
        ]

    record, runs = series.completed(
        "sizes",
        folder,
        record,
        [point.name for point in points],
        train_all,
        begun=begun is not None,
        resumed=resume is not None,
        data_dir=optional_path(training.get("data_dir")),
        say=say,
    )
    return SizesFolder(folder, record, tuple(runs))
