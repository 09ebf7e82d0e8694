"""The workers of a training, read from TF_CONFIG and from Slurm's variables."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Answer
from zoo.errors import ZooError
from zoo.training.cluster import Cluster, find, of_slurm, of_tf_config

TWO = {"worker": ["a:2222", "b:2222"]}
SLURM = {
    "SLURM_JOB_ID": "1403",
    "SLURM_STEP_NODELIST": "n[9-10],gpu",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    "SLURM_PROCID": "3",
    "SLURM_NODEID": "1",
    "SLURM_LOCALID": "1",
}


def config(cluster: Any, kind: str = "worker", index: Any = 0) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}, "environment": "cloud"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (config(TWO, index=1), Cluster(("a:2222", "b:2222"), 1)),
        (config(TWO, index="1"), Cluster(("a:2222", "b:2222"), 1)),
        (config({**TWO, "ps": []}), Cluster(("a:2222", "b:2222"), 0)),
        (config({"worker": ["b:1"], "chief": ["a:1"]}), Cluster(("a:1", "b:1"), 1)),
        (config({"worker": ["b:1"], "master": ["a:1"]}, "master"), Cluster(("a:1", "b:1"), 0)),
        (config({"worker": ["[::1]:7000", "x-worker-1.default.svc:7000"]}), None),
        ("{}", None),
    ],
)
def test_tf_config(text: str, expected: Cluster | None) -> None:
    found = of_tf_config(text)
    if expected or text == "{}":
        assert found == expected
    else:
        assert found is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{'cluster'", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        (json.dumps({"cluster": ["a:1"]}), "a list of addresses for each part"),
        (json.dumps({"cluster": {"worker": "a:1"}}), "a list of addresses for each part"),
        (config({**TWO, "ps": ["c:1"]}), "the part 'ps', and zoo trains only with a chief and workers"),
        (config({**TWO, "evaluator": ["c:1"]}), "the part 'evaluator'"),
        (config({"worker": []}), "'cluster' names no worker"),
        (config({"worker": ["a:1", "a:1"]}), "names an address twice"),
        (config({"worker": ["a", "b:1"]}), "'a' is not an address such as host:port"),
        (config({"worker": ["a:70000", "b:1"]}), "'a:70000' is not an address"),
        (config({"worker": [1, "b:1"]}), "'1' is not an address"),
        (config({"worker": ["a:65535", "b:1"]}), "the chief's host has a worker on port 65535"),
        (json.dumps({"cluster": TWO}), "'task' should have 'type' and 'index'"),
        (json.dumps({"cluster": TWO, "task": {"type": "worker"}}), "'task' should have 'type' and 'index'"),
        (config(TWO, index=2), "'task' is worker 2, which 'cluster' does not name"),
        (config(TWO, index=-1), "'task' is worker -1"),
        (config(TWO, index=None), "'task' is worker None"),
        (config(TWO, "chief"), "'task' is chief 0"),
        (config(TWO, {"a": 1}), "which 'cluster' does not name"),  # type: ignore[arg-type]
    ],
)
def test_a_malformed_tf_config_is_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(ZooError) as error:
        of_tf_config(text)
    line = str(error.value)
    assert line.startswith("TF_CONFIG is malformed (")
    assert why in line
    assert "\n" not in line
    assert len(line) < 250


def test_slurm_names_its_tasks_in_blocks() -> None:
    first = 20000 + 1403 % 700 * 16
    addresses = tuple(
        f"{host}:{first + local}" for host, local in [("n9", 0), ("n9", 1), ("n10", 0), ("n10", 1), ("gpu", 0)]
    )
    assert of_slurm(SLURM) == Cluster(addresses, 3)
    assert of_slurm(SLURM).watch() == ("n9", first + 2)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("a", ["a"]),
        ("a-1,b", ["a-1", "b"]),
        ("a[08-11]", ["a08", "a09", "a10", "a11"]),
        ("r[1-2]n[1,3].cluster", ["r1n1.cluster", "r1n3.cluster", "r2n1.cluster", "r2n3.cluster"]),
    ],
)
def test_lists_of_nodes(text: str, hosts: list[str]) -> None:
    alone = {"SLURM_PROCID": "0", "SLURM_NODEID": "0", "SLURM_LOCALID": "0"}
    found = of_slurm({**SLURM, **alone, "SLURM_STEP_NODELIST": text, "SLURM_STEP_TASKS_PER_NODE": f"1(x{len(hosts)})"})
    assert [address.partition(":")[0] for address in found.workers] == hosts


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"SLURM_PROCID": ""}, "SLURM_PROCID is missing: start the workers with srun"),
        ({"SLURM_PROCID": "x"}, "SLURM_PROCID is 'x', not a number"),
        ({"SLURM_PROCID": "7"}, "task 7 is not where zoo expects it: start the workers with srun -m block:block"),
        ({"SLURM_NODEID": "2"}, "task 3 is not where"),
        ({"SLURM_STEP_NODELIST": "n[9-10"}, "not a list of nodes"),
        ({"SLURM_STEP_NODELIST": "n[-3]"}, "not a list of nodes"),
        ({"SLURM_STEP_NODELIST": "n[1-2,]"}, "not a list of nodes"),
        ({"SLURM_STEP_NODELIST": "n[0-999999999]"}, "names 65536 nodes and SLURM_STEP_TASKS_PER_NODE 3"),
        ({"SLURM_STEP_NODELIST": "n[9-10]"}, "names 2 nodes and SLURM_STEP_TASKS_PER_NODE 3"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(2)"}, "not a list of tasks"),
        ({"SLURM_STEP_TASKS_PER_NODE": "1,16,1"}, "puts 16 workers on a node, and 15 are the most"),
    ],
)
def test_what_slurm_does_not_set_is_refused(changes: dict[str, str], why: str) -> None:
    with pytest.raises(ZooError) as error:
        of_slurm(SLURM | changes)
    assert why in str(error.value)


def test_where_the_workers_are_looked_for() -> None:
    both = {**SLURM, "TF_CONFIG": config(TWO)}
    assert find("auto", both) == find("multiworker", both) == Cluster(("a:2222", "b:2222"), 0)
    assert find("single", both) is find("mirrored", both) is None
    assert find("auto", SLURM) is None, "any program runs with Slurm's variables"
    assert find("multiworker", SLURM) == of_slurm(SLURM)
    assert find("multiworker", {"TF_CONFIG": config({"chief": ["a:1"]}, "chief")}) is None, "a worker that is alone"
    assert find("auto", {"TF_CONFIG": " "}) is None
    with pytest.raises(ZooError, match="neither TF_CONFIG nor Slurm's variables name the workers"):
        find("multiworker", {})


def test_the_watch_has_the_port_above_those_of_its_host() -> None:
    assert Cluster(("a:7", "b:9", "a:8"), 1).watch() == ("a", 9)
    assert Cluster(("[::1]:7", "b:9"), 1).watch() == ("::1", 8)


def test_the_command_line_refuses_before_it_starts_anything(
    zoo_command: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = zoo_command("train", "cnn", "--strategy", "multiworker")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith("zoo: --strategy multiworker: neither TF_CONFIG")
    monkeypatch.setenv("TF_CONFIG", "{")
    refused = zoo_command("train", "cnn")
    assert (refused.status, len(refused.err.splitlines())) == (2, 1)
    assert refused.err.startswith("zoo: TF_CONFIG is malformed (it is not JSON")
