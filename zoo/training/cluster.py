"""The workers of a training on several machines, as environment variables name them: TF_CONFIG, or those of Slurm.

TensorFlow's own resolver for Slurm (2.21) is not used: it fails on machines without a GPU, and sorts hosts as text, so
that its worker 1 need not be Slurm's task 1.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from zoo.data.servers import LAST_PORT
from zoo.errors import ZooError

Kind = Literal["auto", "single", "mirrored", "multiworker"]
"""The values of the option `--strategy`."""

TF_CONFIG = "TF_CONFIG"
"""The variable that Kubeflow and Vertex set: https://www.tensorflow.org/guide/distributed_training."""

JOBS = ("chief", "master", "worker")
"""The parts of a TF_CONFIG that train, the chief's first; older services call the chief `master`."""

MOST_NODES = 65_536
"""The most nodes that are read from Slurm's variables, whose short form may stand for any number."""

FIRST_PORT, JOBS_APART, PORTS_OF_A_NODE = 20000, 700, 16
"""The choice of ports under Slurm, which assigns none: a job gets 16 ports on each node, chosen by its number."""

ADDRESS = re.compile(r"(?P<host>[^\s:/]+|\[[0-9a-fA-F:.]+\]):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class Cluster:
    """The workers of a training.

    Attributes:
        workers: the address of each as `host:port`, the chief's first.
        index: the position of this process among them.
    """

    workers: tuple[str, ...]
    index: int

    @property
    def chief(self) -> bool:
        """True if this process is the chief, which writes the run."""
        return self.index == 0

    def name(self, index: int) -> str:
        """Return the name of a worker in messages."""
        return f"worker {index} ({self.workers[index]})"

    def watch(self) -> tuple[str, int]:
        """Return the host and port on which the chief listens to the other workers, see `zoo.training.gathering`.

        The port is one above the highest port that the cluster names for the chief's host.
        """
        host, _ = _host_and_port(self.workers[0])
        ports = [port for at, port in map(_host_and_port, self.workers) if at == host]
        return host.strip("[]"), max(ports) + 1


def find(kind: Kind, environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Return the cluster that this process trains in; None if it trains alone.

    `auto` follows a TF_CONFIG. Slurm sets its variables for every program, so only `multiworker` reads them.

    Raises:
        ZooError: the variables are malformed, or `multiworker` was asked for and no variable names workers.
    """
    if kind in ("single", "mirrored"):
        return None
    if environment.get(TF_CONFIG, "").strip():
        return _unless_alone(of_tf_config(environment[TF_CONFIG]))
    if kind == "auto":
        return None
    if "SLURM_STEP_NODELIST" in environment:
        return _unless_alone(of_slurm(environment))
    raise ZooError(
        "--strategy multiworker: neither TF_CONFIG nor Slurm's variables name the workers: start every worker with a "
        "TFJob or with srun, or set TF_CONFIG"
    )


def _unless_alone(cluster: Cluster | None) -> Cluster | None:
    return cluster if cluster and len(cluster.workers) > 1 else None


def of_tf_config(text: str) -> Cluster | None:
    """Read a TF_CONFIG; return None if it names no cluster.

    Raises:
        ZooError: the TF_CONFIG is malformed, or has a part that zoo's training does not support.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _malformed(f"it is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise _malformed("it is not a JSON object")
    if "cluster" not in value:
        return None
    jobs, task = value["cluster"], value.get("task")
    if not isinstance(jobs, dict) or not all(isinstance(addresses, list) for addresses in jobs.values()):
        raise _malformed("'cluster' should give a list of addresses for each part")
    others = sorted(job for job, addresses in jobs.items() if addresses and job not in JOBS)
    if others:
        raise _malformed(f"'cluster' has the part '{others[0]:.40}', and zoo trains only with a chief and workers")
    known_tasks = [(job, index) for job in JOBS for index in range(len(jobs.get(job, [])))]
    workers = tuple(_address(address) for job in JOBS for address in jobs.get(job, []))
    if not workers:
        raise _malformed("'cluster' names no worker")
    if len(set(workers)) < len(workers):
        raise _malformed("'cluster' names an address twice")
    if not isinstance(task, dict) or not {"type", "index"} <= task.keys():
        raise _malformed("'task' should have 'type' and 'index'")
    own_task = (task["type"], int(task["index"]) if str(task["index"]).isdecimal() else task["index"])
    if own_task not in known_tasks:
        raise _malformed(f"'task' is {task['type']!s:.40} {task['index']!s:.20}, which 'cluster' does not name")
    cluster = Cluster(workers, known_tasks.index(own_task))
    if cluster.watch()[1] > LAST_PORT:
        raise _malformed(f"the chief's host has a worker on port {LAST_PORT}, and zoo needs the port above it")
    return cluster


def of_slurm(environment: Mapping[str, str]) -> Cluster:
    """Read the variables that `srun` gives each task of a job step; task 0 is the chief.

    Raises:
        ZooError: a variable is missing or malformed, a node has too many tasks, or the tasks are not distributed in
            blocks.
    """
    hosts = [*islice(_hosts(_variable(environment, "SLURM_STEP_NODELIST")), MOST_NODES)]
    tasks = [*islice(_tasks(_variable(environment, "SLURM_STEP_TASKS_PER_NODE")), MOST_NODES)]
    if len(hosts) != len(tasks):
        raise ZooError(
            f"SLURM_STEP_NODELIST names {len(hosts)} nodes and SLURM_STEP_TASKS_PER_NODE {len(tasks)}: "
            "start the workers with srun"
        )
    # Each task takes a port, and the chief's watch takes one more.
    if max(tasks) >= PORTS_OF_A_NODE:
        raise ZooError(
            f"SLURM_STEP_TASKS_PER_NODE puts {max(tasks)} workers on a node, and {PORTS_OF_A_NODE - 1} are the most: "
            "start one on each node, which uses all of its GPUs"
        )
    first = FIRST_PORT + _number(environment, "SLURM_JOB_ID") % JOBS_APART * PORTS_OF_A_NODE
    positions = [(node, local) for node, count in enumerate(tasks) for local in range(count)]
    index = _number(environment, "SLURM_PROCID")
    own_position = (_number(environment, "SLURM_NODEID"), _number(environment, "SLURM_LOCALID"))
    if index >= len(positions) or positions[index] != own_position:
        raise ZooError(f"Slurm's task {index} is not where zoo expects it: start the workers with srun -m block:block")
    # `Cluster.watch` takes the port above the last one of the chief's node.
    return Cluster(tuple(f"{hosts[node]}:{first + local}" for node, local in positions), index)


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def _address(address: Any) -> str:
    match = ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if not match or not 0 < int(match["port"]) <= LAST_PORT:
        raise _malformed(f"{str(address)!r:.60} is not an address such as host:port")
    return match[0]


def _malformed(why: str) -> ZooError:
    return ZooError(f"TF_CONFIG is malformed ({why}): fix it, or train alone with --strategy single or mirrored")


def _variable(environment: Mapping[str, str], name: str) -> str:
    if not environment.get(name):
        raise ZooError(f"{name} is missing: start the workers with srun")
    return environment[name]


def _number(environment: Mapping[str, str], name: str) -> int:
    text = _variable(environment, name)
    if not text.isdecimal():
        raise ZooError(f"{name} is '{text:.40}', not a number: start the workers with srun")
    return int(text)


def _hosts(text: str) -> Iterator[str]:
    """Yield the hosts of a list as Slurm abbreviates them, such as `a[1-3,07],b`."""
    parts = re.findall(r"(?:[^,\[\]\s]|\[\d{1,9}(?:-\d{1,9})?(?:,\d{1,9}(?:-\d{1,9})?)*\])+", text)
    if ",".join(parts) != text:
        raise ZooError(f"SLURM_STEP_NODELIST is '{text:.60}', not a list of nodes: start the workers with srun")
    for part in parts:
        yield from _expanded(part)


def _expanded(part: str) -> Iterator[str]:
    prefix, bracket, remainder = part.partition("[")
    if not bracket:
        yield part
        return
    ranges, _, suffix = remainder.partition("]")
    for number_range in ranges.split(","):
        first, _, last = number_range.partition("-")
        for number in range(int(first), int(last or first) + 1):
            for end in _expanded(suffix):
                yield f"{prefix}{number:0{len(first)}d}{end}"


def _tasks(text: str) -> Iterator[int]:
    """Yield the number of tasks of each node of a list as Slurm abbreviates them, such as `3(x2),1`."""
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if not match:
            raise ZooError(
                f"SLURM_STEP_TASKS_PER_NODE is '{text:.60}', not a list of tasks: start the workers with srun"
            )
        yield from [int(match[1])] * int(match[2] or 1)
