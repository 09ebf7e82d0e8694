"""A worker beside the chief: it trains the chief's run, and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import run, schema
from zoo.data.fitting import fitting
from zoo.data.reload import load_again
from zoo.training import strategy as strategies
from zoo.training.team import Team


def say_run(team: Team, folder: Path, this: run.Run) -> None:
    """Tell the other workers, as the chief, which run is trained."""
    team.share(json.dumps({"run_folder": str(folder), "run": schema.to_dict(this)}))


def follow(
    team: Team,
    *,
    data_dir: Path | None,
    strategy: strategies.Kind,
    devices: int | None,
    callbacks: Sequence[Any] = (),
) -> tuple[Path, run.Run]:
    """Train the run that the chief starts or resumes; return the chief's folder, and the run as it ends.

    What the chief was asked for decides. `data_dir` says where the data are on this worker, if they are elsewhere.

    Raises:
        ZooError: the data on this worker are others than those on the chief's.
        WorkerLost: another worker has ended.
    """
    from zoo.training.loop import train

    chosen = strategies.choose(strategy, devices, team)
    told = json.loads(team.share())
    folder, this = Path(told["run_folder"]), schema.parse(run.Run, told["run"], "what the chief says of its run")
    assert this.data is not None, "a run that trains has data"
    assert this.recipe is not None, "and a recipe"
    preprocessing = this.model.preprocessing
    dataset = fitting(load_again(this.data, preprocessing.kind, this.recipe.split, data_dir), preprocessing)
    return folder, train(folder, dataset, chosen, callbacks, team=team, described=this)
