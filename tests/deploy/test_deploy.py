"""The files of deploy/ are valid for Kubernetes and Slurm, and use only options that `zoo train` has."""

from __future__ import annotations

import copy
import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from zoo.cli.train import command
from zoo.training.worker_limits import LOST

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
SCRIPT = DEPLOY / "slurm" / "train.sbatch"
SCHEMA = json.loads((DEPLOY / "kubeflow" / "tfjob.schema.json").read_text())
JOB = yaml.safe_load((DEPLOY / "kubeflow" / "tfjob.yaml").read_text())
OPTIONS = {option for parameter in command.params for option in parameter.opts}


def worker(job: Any) -> Any:
    return job["spec"]["tfReplicaSpecs"]["Worker"]


def container(job: Any) -> Any:
    return worker(job)["template"]["spec"]["containers"][0]


def test_the_job_fits_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(JOB, SCHEMA)
    mounted = {mount["name"] for mount in container(JOB)["volumeMounts"]}
    assert mounted == {volume["name"] for volume in worker(JOB)["template"]["spec"]["volumes"]}
    watch, own = (port["containerPort"] for port in reversed(container(JOB)["ports"]))
    assert watch == own + 1, "see zoo.training.cluster.Cluster.watch"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda job: job.update(apiVersion="kubeflow.org/v2"),
        lambda job: job["spec"].update(tfReplicaSpec={}),
        lambda job: job["spec"]["tfReplicaSpecs"].update(Workers=worker(job)),
        lambda job: worker(job).update(restartPolicy="OnError"),
        lambda job: worker(job).update(replicas="4"),
        lambda job: container(job).update(name="zoo"),
        lambda job: container(job).update(arguments=[]),
        lambda job: container(job)["resources"]["limits"].update(memory="64 GB"),
        lambda job: container(job)["env"].append({"name": "A", "value": 1}),
        lambda job: job["spec"]["runPolicy"].update(cleanPodPolicy="Finished"),
    ],
)
def test_a_mistake_in_the_job_is_found(spoil: Callable[[Any], None]) -> None:
    job = copy.deepcopy(JOB)
    spoil(job)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, SCHEMA)


def stand_in(folder: Path, name: str, status: int = 0) -> Path:
    """A program that records the arguments of its calls."""
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "{name}" "$@" >> "{folder}/called"\nexit {status}\n')
    program.chmod(0o755)
    return program.parent


def called(folder: Path, command: list[str], variables: dict[str, str]) -> tuple[int, list[str]]:
    """Run a command that finds only stand-ins; return its status and the arguments of their calls."""
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", **variables}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    notes = folder / "called"
    return done.returncode, notes.read_text().splitlines() if notes.exists() else []


@pytest.mark.parametrize("begun", [False, True])
def test_the_job_starts_or_resumes(begun: bool, tmp_path: Path) -> None:
    stand_in(tmp_path, "zoo")
    if begun:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "run.json").write_text("{}")
    variables = {one["name"]: one["value"] for one in container(JOB)["env"]} | {"RUN": "run"}
    _, words = called(tmp_path, [*container(JOB)["command"], *container(JOB)["args"]], variables)
    assert words[:2] == ["zoo", "train"]
    assert {word for word in words if word.startswith("--")} <= OPTIONS
    assert words[-2:] == ["--strategy", "multiworker"]
    assert ("--resume" in words) == begun
    assert ("--out" in words) == ("resnet" in words) == (not begun)


def test_the_script_is_bash_and_its_directives_come_first() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    lines = SCRIPT.read_text().splitlines()
    commands = [number for number, line in enumerate(lines) if line and not line.startswith("#")]
    directives = [number for number, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert directives[-1] < commands[0], "Slurm reads no directive behind the first command"
    for number in directives:
        (option,) = shlex.split(lines[number].removeprefix("#SBATCH"))
        assert option.startswith("--")


@pytest.mark.parametrize("begun", [False, True])
def test_the_script_starts_or_resumes(begun: bool, tmp_path: Path) -> None:
    stand_in(tmp_path, "srun")
    if begun:
        (tmp_path / "a run").mkdir()
        (tmp_path / "a run" / "run.json").write_text("{}")
    status, words = called(tmp_path, ["bash", str(SCRIPT), "a run", "cnn", "--epochs", "3"], {"SLURM_JOB_ID": "7"})
    assert status == 0
    expected = ["--resume", "a run"] if begun else ["cnn", "--epochs", "3", "--out", "a run"]
    assert words[words.index("zoo") :] == ["zoo", "train", *expected, "--strategy", "multiworker"]
    assert "--distribution=block:block" in words


@pytest.mark.parametrize(
    ("status", "starts", "again"), [(LOST, 0, True), (143, 19, True), (LOST, 20, False), (2, 0, False), (0, 0, False)]
)
def test_the_script_queues_again_what_can_go_on(status: int, starts: int, again: bool, tmp_path: Path) -> None:
    stand_in(tmp_path, "srun", status)
    stand_in(tmp_path, "scontrol")
    variables = {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": str(starts)}
    found, words = called(tmp_path, ["bash", str(SCRIPT), "run", "cnn"], variables)
    assert found == status
    assert (words[-3:] == ["scontrol", "requeue", "7"]) == again


SRUN = """#!/bin/bash
# Two tasks, as Slurm runs them: one that a signal ended counts more than any status.
(exit $STATUS) & first=$!
case " $* " in *" --kill-on-bad-exit=0 "*) seconds=0.1 ;; *) seconds=60 ;; esac
(sleep $seconds; exit $STATUS) >/dev/null 2>&1 & second=$!
wait $first || [ $seconds = 0.1 ] || kill -TERM $second
wait $second
"""


@pytest.mark.parametrize(("ends", "again"), [(2, False), (LOST, True)])
def test_a_worker_that_fails_decides_whether_the_job_is_queued_again(ends: int, again: bool, tmp_path: Path) -> None:
    (stand_in(tmp_path, "srun") / "srun").write_text(SRUN)
    stand_in(tmp_path, "scontrol")
    variables = {"SLURM_JOB_ID": "7", "STATUS": str(ends)}
    found, words = called(tmp_path, ["bash", str(SCRIPT), "run", "cnn"], variables)
    assert found == ends
    assert ("requeue" in words) == again


def test_the_script_says_how_it_is_used(tmp_path: Path) -> None:
    stand_in(tmp_path, "srun")
    assert called(tmp_path, ["bash", str(SCRIPT), "run"], {}) == (2, [])
