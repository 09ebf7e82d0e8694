"""The loop of the export: each format is written, put through its gates and measured once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance import untrained_run
from tests.conftest import Answer
from zoo import run
from zoo.artifact import Gate
from zoo.data.dataset import Dataset, Examples
from zoo.errors import Refused
from zoo.export import accuracy, build, gates, graph
from zoo.formats import Compute


def test_every_test_example_is_computed_once_by_each_file_and_the_run_is_read_once(
    images_folder: Path, tmp_path: Path, zoo_command: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = untrained_run(tmp_path / "run", images_folder, "cnn", "small", side=16)
    counted: Counter[str] = Counter()
    measure, read = accuracy.primary_outputs, run.read

    def counting_answers(compute: Compute, examples: Examples, *arguments: Any) -> np.ndarray:
        counted["/".join(examples.names(0).split("/")[-2:])] += 1
        return measure(compute, examples, *arguments)

    def counting_read(folder: Path) -> run.Run:
        counted["run.json"] += 1
        return read(folder)

    monkeypatch.setattr(accuracy, "primary_outputs", counting_answers)
    monkeypatch.setattr(run, "read", counting_read)
    done = zoo_command(
        "export", place, "--onnx", "--int8", "--fp16", "--force", "--target", "portable", "--calibration-examples", 8,
        "--out", tmp_path / "artifact", "--json",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert counted.pop("run.json") == 1
    manifest = json.loads(done.out)
    assert manifest["int8"]["test"]["examples"] == manifest["data"]["counts"]["test"]
    for name in ("onnx", "onnx_int8"):
        key = "int8" if name == "onnx_int8" else "float32"
        assert manifest["score"][name]["value"] == manifest["int8"]["test"][key]
    # Two splits are measured: validation by float32 and by each attempt at int8, test once by each of the three files.
    assert len(counted) == 2
    assert 3 in counted.values()


@pytest.mark.parametrize("failing", ["lint_gate", "client_gate"])
def test_a_format_is_not_made_after_a_gate_that_failed(
    failing: str, images_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = untrained_run(tmp_path / "run", images_folder, "cnn", "small", side=16)
    monkeypatch.setattr(gates, failing, lambda *of: Gate(failing, False, {"problems": ["a node"]}))
    written: list[str] = []
    with pytest.raises(Refused, match=rf"onnx_fp16 cannot be made: 1 of \d+ gates failed: {failing} .*a node"):
        build.export(place, ["onnx", "onnx_fp16"], out=tmp_path / "artifact", say=written.append)
    assert [line for line in written if line.startswith("writing")] == ["writing onnx"]
    assert not (tmp_path / "artifact").exists()


def test_a_name_that_is_taken_while_the_data_are_loaded_is_not_staged(
    images_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = untrained_run(tmp_path / "run", images_folder, "cnn", "small", side=16)
    monkeypatch.chdir(tmp_path)
    load = build.load_again

    def meanwhile(*arguments: Any) -> Dataset:
        (tmp_path / "artifacts/run").mkdir(parents=True)
        return load(*arguments)

    def stop(*arguments: Any) -> None:
        raise InterruptedError(", ".join(path.name[10:] for path in Path("artifacts").glob(".*")))

    monkeypatch.setattr(build, "load_again", meanwhile)
    monkeypatch.setattr(graph, "trace", stop)
    with pytest.raises(InterruptedError, match="run-2"):
        build.export(place)


def test_the_source_of_a_format_is_written_before_it() -> None:
    formats = build._with_sources(["onnx_fp16", "saved_model", "onnx_int8"])
    assert formats == ("onnx", "onnx_fp16", "saved_model", "onnx_int8")
    assert build._with_sources(["onnx_fp16", "onnx"]) == ("onnx", "onnx_fp16")
    order = [row.name for row in build._in_order(formats)]
    assert order.index("onnx") < order.index("onnx_fp16")
    assert order[0] == "saved_model"
