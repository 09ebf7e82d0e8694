"""A worker other than the chief: it trains the chief's run, and writes nothing."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

from zoo import run, schema
from zoo.text import silent
from zoo.training import strategy as strategies
from zoo.training.batches import try_out
from zoo.training.data_of_run import data_of_run
from zoo.training.data_service import connect
from zoo.training.request import Execution
from zoo.training.team import Team


def say_run(team: Team, folder: Path, this: run.Run) -> None:
    """Tell the other workers, as the chief, which run is trained."""
    team.broadcast(json.dumps({"run_folder": str(folder), "run": schema.to_dict(this)}))


def follow(data_dir: Path | None, execution: Execution) -> tuple[Path, run.Run]:
    """Train the run that the chief starts or resumes; return the chief's folder, and the finished run.

    The chief's request decides what is trained. `data_dir` is the folder of the data on this worker, if it differs from
    the chief's. This worker ignores the messages, progress, checkpoints and trace in `execution`: they are the task of
    the chief.

    Raises:
        ZooError: the data on this worker differ from the chief's, or the service cannot be used.
        WorkerLost: another worker has ended.
    """
    from zoo.training.loop import train

    strategy = strategies.choose(execution.strategy, execution.devices, execution.team)
    service = connect(execution.tf_data_service)
    sent = json.loads(execution.team.broadcast())
    folder, this = Path(sent["run_folder"]), schema.parse(run.Run, sent["run"], "the chief's description of its run")
    assert this.recipe is not None, "a run that trains has a recipe"
    dataset = data_of_run(this, data_dir)
    try_out(service, dataset, this.model, this.recipe, strategies.share_of(strategy))
    silently = dataclasses.replace(execution, say=silent, progress=silent, checkpoint_minutes=math.inf, profile=0)
    return folder, train(folder, dataset, strategy, silently, service, described=this)
