"""The ONNX file does not depend on the versions of the libraries: every family's graph is the recorded one.

`make test` holds the installed versions to the record, `make test-lowest` the lowest that are supported.
"""

from __future__ import annotations

import pytest

from tests.export.recorded_graphs import DAILY, FOLDER, OTHERS, apart, graph_text
from zoo.registry import families

AGAIN = "to change the record on purpose, run python -m tests.export.recorded_graphs"


def test_every_family_is_recorded() -> None:
    assert {name.partition("-")[0] for name in DAILY} == {*families()}
    assert {path.stem for path in FOLDER.iterdir()} == {*DAILY, *OTHERS}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("network", [*DAILY, *(pytest.param(name, marks=pytest.mark.full) for name in OTHERS)])
def test_the_graph_is_the_recorded_one(network: str) -> None:
    found = apart(graph_text(network), (FOLDER / f"{network}.txt").read_text(encoding="utf-8"))
    assert not found, f"{len(found)} lines differ, the first: {found[0]}; {AGAIN}"


def test_differences_are_found() -> None:
    one = "1 Conv image float32[8,3]~2.5\n2 Relu %1\n"
    assert not apart(one, one.replace("2.5", "2.5001"))
    assert len(apart(one, one.replace("2.5", "2.6"))) == 1
    assert len(apart(one, one.replace("Relu", "Pad"))) == 1
    assert len(apart(one, one + "3 Relu %2\n")) == 1
