"""`--profile`: the trace is where TensorBoard looks for it, and no traced step waits for the host."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests import processes

TRAINING = """
import sys
from pathlib import Path
from zoo.training import loop, start
from zoo.training.request import Execution, TrainingRequest
loop.SECONDS_BETWEEN_READS = float("inf")
request = TrainingRequest(family="cnn", settings=["epochs=1", "batch_size=64"], out=Path(sys.argv[1]))
start.start(request, Execution(strategy="mirrored", devices=2, profile=5, say=print), lambda model: None)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    place = tmp_path_factory.mktemp("runs")
    folder, program = place / "run", place / "training.py"
    program.write_text(TRAINING)
    done = processes.run(program, folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done.stdout


def test_the_trace_is_in_the_run(trained: tuple[Path, str]) -> None:
    folder, said = trained
    assert [*folder.glob("tensorboard/plugins/profile/*/*.xplane.pb")]
    assert f"a trace of 5 steps is in {folder / 'tensorboard'}" in said


def test_no_step_waits_for_the_host(trained: tuple[Path, str]) -> None:
    """Between steps, Python requests the next batch, but no value that a step computes."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = trained[0].glob("tensorboard/plugins/profile/*/*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    seen = Counter(
        plane.event_metadata[event.metadata_id].name
        for plane in space.planes
        for line in plane.lines
        for event in line.events
    )
    assert seen["train"] == 5
    asked = {name.removeprefix("EagerLocalExecute: ") for name in seen if name.startswith("EagerLocalExecute: ")}
    steps = {name for name in asked if name.startswith("__inference_add_")}
    assert [seen[f"EagerLocalExecute: {name}"] for name in steps] == [5]
    assert asked - steps <= {"IteratorGetNext", "SyncDevice"}
