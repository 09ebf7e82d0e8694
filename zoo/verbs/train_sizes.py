"""`zoo.train_sizes`: the function behind `zoo train` with several sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from zoo import experiment
from zoo.data.source import short_name
from zoo.errors import ZooError
from zoo.input import find
from zoo.registry import resolve
from zoo.text import Progress, Say, silent
from zoo.verbs import series
from zoo.verbs.arguments import StrPath, several
from zoo.verbs.results import RunFolder
from zoo.verbs.series import Plan, Point, SeriesFolder


class SizesFolder(SeriesFolder):
    """A folder with a run for each size, and its record; `rows` are the figures of the runs, one for each."""


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

    def plan() -> Plan:
        sizes = several(size)
        request = {**series.asked(family, training), "sizes": sizes}
        if not sizes:
            raise ZooError("name the sizes to train, such as small and base")
        points = [Point(name) for name in sizes]
        decided = series.decisions(request, points)
        source = request.get("data") or find(resolve(request["family"])[0].input).default_data
        default_folder = Path("runs") / f"{request['family']}-sizes-{short_name(source)}"
        seed = decided[0][1].recipe.seed
        return Plan(request, default_folder, seed, lambda: series.check_networks(decided, points))

    def train_all(folder: Path, request: Mapping[str, Any], how: Mapping[str, Any]) -> list[RunFolder]:
        data_dir = experiment.place_of_data(request)
        return [
            series.trained(folder / name, series.arguments_for(request, Point(name)), data_dir, how, say, progress)
            for name in request["sizes"]
        ]

    named = {"family": family, "size": size}
    return SizesFolder(
        *series.train_series(
            "sizes", named, training, plan, itemgetter("sizes"), train_all, out=out, resume=resume, say=say
        )
    )
