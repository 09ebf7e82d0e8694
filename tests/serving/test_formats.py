"""Formats and runtimes: one module outside the package adds a format that works from the export to the benchmark."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance import untrained_run
from tests.conftest import Answer
from tests.serving.handmade import MODEL, python, sign
from tests.test_plugins import bring
from zoo import artifact, contract, formats, installation
from zoo.contract import BATCH
from zoo.errors import Refused, ZooError
from zoo.serving.runner import open_runner
from zoo.signature import Signature, Tensor, departures

OUTSIDE = '''
"""ONNX as JSON, a format of its own, and a second runtime for zoo's ONNX file: both computed by onnx.reference."""

import onnx
from onnx.reference import ReferenceEvaluator

from zoo.formats import Format, Session
from zoo.signature import Signature, Tensor

DTYPES = {onnx.TensorProto.UINT8: "uint8", onnx.TensorProto.FLOAT: "float32"}


def open_file(path, threads):
    model = onnx.load(path, format="json" if path.suffix == ".json" else "protobuf")
    evaluator = ReferenceEvaluator(model)

    def tensors(values):
        types = {value.name: value.type.tensor_type for value in values}
        shapes = {name: [size.dim_param or size.dim_value for size in kind.shape.dim] for name, kind in types.items()}
        return {name: Tensor(DTYPES[kind.elem_type], tuple(shapes[name])) for name, kind in types.items()}

    def run(inputs):
        return dict(zip(evaluator.output_names, evaluator.run(None, inputs)))

    return Session(Signature(tensors(model.graph.input), tensors(model.graph.output)), run)


def write(folder, model, description):
    assert model.count_params() >= description.parameters
    (folder / "json").mkdir()
    onnx.save(onnx.load(folder / "onnx/model.onnx"), folder / "json/model.json", format="json")


def card(name, served_as):
    return f"`{name}/json/model.json` is read by onnx.reference.\\n"


FORMATS = (
    Format("onnx_json", "onnx", open_file, card, "json/model.json", source="onnx", write=write),
    Format("onnx_reference", "onnx", open_file, card, source="onnx"),
    Format("onnx", "json", None, card, "json/other.json"),
)
'''


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with a module of formats, in this process and in those that it starts."""
    site = tmp_path / "site"
    bring(site, "zoo.formats", {"outside": "outside_formats"})
    (site / "outside_formats.py").write_text(OUTSIDE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    formats.table.cache_clear()
    yield
    formats.table.cache_clear()
    monkeypatch.delitem(sys.modules, "outside_formats")


@pytest.mark.usefixtures("no_trial_export")
def test_a_format_and_a_runtime_from_one_file_outside_go_from_training_to_benchmark(
    outside: None,
    images_folder: Path,
    tmp_path: Path,
    zoo_command: Callable[..., Answer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--epochs", 1, "--set", "batch_size=8", "--set", "image.size=16", "--out", "runs/cnn")
    trained = zoo_command("train", "cnn", "--data", f"folder:{images_folder}", *options)
    assert trained.status == 0, trained.err
    exported = zoo_command("export", "--format", "onnx_json", "--format", "onnx_reference", "--json")
    assert exported.status == 0, exported.err
    found = json.loads(exported.out)
    assert found["formats"] == ["onnx", "onnx_json", "onnx_reference"]
    assert found["score"].keys() == set(found["formats"])
    gates = {gate["name"] for gate in found["gates"]}
    for name in ("onnx_json", "onnx_reference"):
        assert {f"{name}_contract", f"{name}_batches", f"{name}_agreement"} <= gates
    assert "json/model.json" in found["files"]
    assert "onnx.reference" in Path("artifacts/cnn/README.md").read_text(encoding="utf-8")

    verified = zoo_command("verify", "--json")
    assert verified.status == 0, verified.err
    assert {"onnx_json_loads", "onnx_json_golden", "onnx_reference_golden"} <= {
        gate["name"] for gate in json.loads(verified.out)["gates"]
    }
    image = next(images_folder.rglob("*.png"))
    predicted = [zoo_command("predict", image, "--runtime", name, "--json") for name in found["formats"]]
    answers = [json.loads(one.out)["predictions"][0]["labels"] for one in predicted]
    for labels in answers[1:]:
        assert [one["label"] for one in labels] == [one["label"] for one in answers[0]]
    measured = zoo_command("benchmark", "--batch", 1, "--threads", 1, "--seconds", 0.01, "--json")
    rows = json.loads(measured.out)["rows"]
    assert [row["runtime"] for row in rows] == found["formats"]
    assert all(row["score"] is not None for row in rows)


def test_another_runtime_opens_the_file_of_an_artifact_that_does_not_know_it(
    outside: None, onnx_artifact: Path, zoo_command: Callable[..., Answer]
) -> None:
    measured = zoo_command(
        "benchmark", onnx_artifact, "--runtime", "onnx_reference,onnx", "--batch", 1, "--threads", 1, "--seconds", 0.01,
        "--json",
    )  # fmt: skip
    first, second = json.loads(measured.out)["rows"]
    assert (first["runtime"], second["runtime"]) == ("onnx", "onnx_reference")
    assert first["file_bytes"] == second["file_bytes"] > 0
    assert second["score"] is None
    with pytest.raises(ZooError, match="has no onnx_json, only onnx"):
        open_runner(onnx_artifact, "onnx_json")


def test_the_doctor_lists_all_formats_and_runtimes(outside: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "import_all", lambda modules: {name: {} for name in modules})
    found = installation.doctor()
    assert found.ready
    assert list(found.runtimes) == ["onnx", "onnx_int8", "onnx_fp16", "saved_model", "onnx_json", "onnx_reference"]


def test_no_package_replaces_a_format_of_zoo(outside: None) -> None:
    assert formats.find("onnx").library == "onnxruntime"


def test_a_library_that_only_a_brought_runtime_needs_is_an_optional_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_runtimes", lambda: {"fast": "a_fast_library"})
    monkeypatch.setattr(
        installation,
        "import_all",
        lambda modules: {name: {"error": "none"} if "fast" in name else {} for name in modules},
    )
    found = installation.doctor()
    assert found.ready
    (lacking,) = (verb for verb in found.verbs if not verb.ready)
    assert (lacking.verb, lacking.missing) == ("verify, predict, benchmark of fast", ["a_fast_library"])


def test_an_artifact_with_a_format_that_nothing_here_opens_is_refused(onnx_artifact: Path) -> None:
    sign(onnx_artifact, formats=["onnx", "onnx_json"])
    with pytest.raises(Refused, match="no installed package opens the format 'onnx_json'"):
        artifact.read(onnx_artifact)


def test_a_light_format_that_is_made_of_no_other_is_preferred() -> None:
    assert formats.preferred(["onnx_int8", "saved_model", "onnx"]).name == "onnx"
    assert formats.preferred(["saved_model", "onnx_fp16"]).name == "onnx_fp16"
    assert formats.preferred(["saved_model"]).name == "saved_model"


@pytest.mark.parametrize("name", formats.table())
def test_no_file_belongs_to_two_formats(name: str) -> None:
    row = formats.find(name)
    assert row.owns(row.path)
    assert row.owns(f"{row.path}/part" if name == "saved_model" else f"{row.path}.data")
    assert not any(other.owns(row.path) for other in formats.table().values() if other is not row)


def test_a_format_without_a_writer_is_refused_by_the_export(
    images_folder: Path, tmp_path: Path, zoo_command: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = formats.Format("nothing", "json", lambda path, threads: None, lambda name, served: "", "nothing")  # type: ignore[arg-type,return-value]
    monkeypatch.setitem(formats.table(), "nothing", row)
    monkeypatch.chdir(tmp_path)
    untrained_run(tmp_path / "runs/cnn", images_folder, "cnn", "small", side=16)
    refused = zoo_command("export", "--format", "nothing")
    assert (refused.status, refused.err.splitlines()[-1]) == (
        2, "zoo: nothing cannot be written: its package brings no writer",
    )  # fmt: skip
    assert not list((tmp_path / "artifacts").glob("*"))


def test_the_table_of_formats_imports_no_library() -> None:
    """Not even numpy or pydantic, because `zoo doctor` must list the runtimes if these are broken."""
    barred = {"numpy", "pydantic", "onnxruntime", "onnx", "tensorflow"}
    done = python(f"import sys, zoo.formats; zoo.formats.table(); print(*{barred} & {{*sys.modules}})")
    assert (done.stdout, done.stderr) == ("\n", "")


def test_a_signature_of_the_contract_has_the_sizes_of_a_model() -> None:
    found = contract.signatures(MODEL)
    assert found["serving_default"].described() == {
        "image": "uint8 [batch, 6, 5, 1]", "logits": "float32 [batch, 3]", "probabilities": "float32 [batch, 3]",
    }  # fmt: skip
    assert found["serve_bytes_safe"].outputs["status"] == Tensor("string", ("batch",))
    assert str(found["classify"].outputs["scores"]) == "float32 [batch, 3]"
    many = contract.signatures(dataclasses.replace(MODEL, labels=tuple("abcdefghi")))
    assert str(many["classify"].outputs["classes"]) == "string [batch, 5]"


def test_what_a_signature_lacks_has_too_much_or_otherwise_is_named() -> None:
    image, logits = Tensor("uint8", (BATCH, 6, 5, 1)), Tensor("float32", (BATCH, 3))
    wanted = Signature({"image": image}, {"logits": logits, "probabilities": logits})
    found = Signature({"image": Tensor("uint8", (None, 6, 5, 1))}, {"logits": logits, "scores": logits})
    assert departures(wanted, wanted) == []
    assert departures(found, wanted) == [
        "input 'image' is uint8 [?, 6, 5, 1], not uint8 [batch, 6, 5, 1]",
        "there is no output 'probabilities'",
        "the contract has no output 'scores'",
    ]


def test_arrays_fit_a_tensor_with_any_batch() -> None:
    image, text = Tensor("uint8", (BATCH, 6, 5, 1)), Tensor("string", (BATCH,))
    assert all(image.fits(np.zeros((count, 6, 5, 1), np.uint8)) for count in (0, 1, 7))
    assert text.fits(np.array([b"a"], object))
    wrong: list[Any] = [np.zeros((1, 6, 5, 2), np.uint8), np.zeros((6, 5, 1), np.uint8), np.zeros((1, 6, 5, 1))]
    assert not any(image.fits(one) for one in wrong)
    assert not text.fits(np.zeros(3, np.uint8))


SERVED = {
    "saved_model/1/saved_model.pb": 9,
    "saved_model/1/variables/variables.index": 9,
    "saved_model/1/variables/variables.data-00000-of-00001": 9,
    "saved_model/1/assets.extra/tf_serving_warmup_requests": 9,
}


@pytest.mark.parametrize(
    ("sizes", "faults"),
    [
        (SERVED, []),
        ({"onnx/model.onnx": 9}, ["saved_model has no version"]),
        (SERVED | {"saved_model/v2/saved_model.pb": 9}, ["saved_model/v2 is not a version number"]),
        (
            {name: size for name, size in SERVED.items() if "data" not in name},
            ["saved_model/1/variables/variables.data-* is not listed"],
        ),
        (SERVED | {"saved_model/1/saved_model.pb": 0}, ["saved_model/1/saved_model.pb is empty"]),
    ],
)
def test_what_a_listing_lacks_for_a_saved_model(sizes: dict[str, int], faults: list[str]) -> None:
    row = formats.find("saved_model")
    assert row.layout(sizes, row.path) == faults
