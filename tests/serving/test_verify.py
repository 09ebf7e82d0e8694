"""Artifacts with many kinds of damage, each of which one gate must detect."""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from tests.serving.handmade import LABELS, ONNX, edit_graph, golden, make_artifact, python, sign
from zoo import artifact, schema
from zoo.artifact import CARD, GOLDEN, MANIFEST, Gate
from zoo.errors import Refused, ZooError
from zoo.serving import golden as golden_file
from zoo.serving.verify import verify

Damage = Callable[[Path], object]


def flip(name: str, place: float = 0.5) -> Damage:
    def damage(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[int(place * len(content))] ^= 0x10
        (folder / name).write_bytes(content)

    return damage


def cut(name: str) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return damage


def delete(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def put(name: str, content: bytes) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return damage


def device(name: str) -> Damage:
    """Put a link in a file's place to a device that never ends."""

    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to("/dev/zero")

    return damage


def pipe(name: str) -> Damage:
    """Put a pipe in a file's place, whose reader waits forever."""

    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return damage


def link(name: str) -> Damage:
    def damage(folder: Path) -> None:
        elsewhere = folder.with_name("elsewhere")
        (folder / name).rename(elsewhere)
        (folder / name).symlink_to(elsewhere)

    return damage


def as_folder(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return damage


def graph(change: Callable[[onnx.ModelProto], object]) -> Damage:
    return lambda folder: edit_graph(folder, change)


def perturb(model: onnx.ModelProto) -> None:
    """Change one initializer by one percent."""
    kernel = next(value for value in model.graph.initializer if value.name == "kernel")
    kernel.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(kernel) * np.float32(1.01), "kernel"))


def without_bias(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Gemm")
    del node.input[2]


def not_finite(model: onnx.ModelProto) -> None:
    bias = next(value for value in model.graph.initializer if value.name == "bias")
    bias.CopyFrom(numpy_helper.from_array(np.array([np.nan, 0, 0], np.float32), "bias"))


def sharper(model: onnx.ModelProto) -> None:
    """Change the file so that its probabilities do not belong to its logits."""
    model.graph.initializer.append(numpy_helper.from_array(np.array(1.001, np.float32), "sharpness"))
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    place = list(model.graph.node).index(softmax)
    softmax.input[0] = "sharp"
    model.graph.node.insert(place, onnx.helper.make_node("Mul", ["logits", "sharpness"], ["sharp"]))


def batch_called(name: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = name

    return change


def batch_of_eight(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 8


def floats(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def renamed_output(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.input[:] = ["scores" if name == "logits" else name for name in node.input]
        node.output[:] = ["scores" if name == "logits" else name for name in node.output]
    model.graph.output[0].name = "scores"


def properties(**changes: str | None) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        stored = {entry.key: entry.value for entry in model.metadata_props}
        del model.metadata_props[:]
        kept = {key: value for key, value in (stored | changes).items() if value is not None}
        onnx.helper.set_model_props(model, kept)

    return change


def arrays(**changes: np.ndarray | None) -> Damage:
    def damage(folder: Path) -> None:
        kept = {name: value for name, value in (golden() | changes).items() if value is not None}
        np.savez(folder / GOLDEN, allow_pickle=True, **kept)

    return damage


def lying_header(folder: Path) -> None:
    """A few bytes that claim to be a petabyte."""
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 300), }"
    header = text.ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"\0" * 64
    with zipfile.ZipFile(folder / GOLDEN, "w") as archive:
        for name in golden():
            archive.writestr(f"{name}.npy", content)


def other_labels(folder: Path) -> None:
    """Reorder the labels in the manifest and in labels.txt, unlike the order that the network was trained with."""
    turned = tuple(reversed(LABELS))
    put("labels.txt", "".join(f"{label}\n" for label in turned).encode())(folder)
    sign(folder, model={**schema.to_dict(artifact.read(folder).model), "labels": turned})


def signed(damage: Damage, **changes: Any) -> Damage:
    def both(folder: Path) -> None:
        damage(folder)
        sign(folder, **changes)

    return both


def claim(**changes: Any) -> Damage:
    return lambda folder: sign(folder, **changes)


def model_with(**changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        model = schema.to_dict(artifact.read(folder).model)
        sign(folder, model=model | changes)

    return damage


def preprocessing_with(**changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        model = schema.to_dict(artifact.read(folder).model)
        sign(folder, model={**model, "preprocessing": model["preprocessing"] | changes})

    return damage


UNKNOWN = {"files"}
"""The gates that fail if the files cannot be hashed, so that there is no gate on their content."""

AFTERWARDS: dict[str, tuple[Damage, set[str]]] = {
    "a byte of the network": (flip(ONNX), {"files", "onnx_loads"}),
    "the first byte of the network": (flip(ONNX, 0), {"files", "onnx_loads"}),
    "an initializer by 1 %": (graph(perturb), {"files", "onnx_loads"}),
    "no bias": (graph(without_bias), {"files", "onnx_loads"}),
    "no network": (delete(ONNX), {"files", "onnx_loads"}),
    "half a network": (cut(ONNX), {"files", "onnx_loads"}),
    "a folder for a network": (as_folder(ONNX), {"files", "onnx_loads"}),
    "a link for a network": (link(ONNX), UNKNOWN),
    "a link for the labels": (link("labels.txt"), UNKNOWN),
    "a device for the labels": (device("labels.txt"), UNKNOWN),
    "a device for the golden file": (device(GOLDEN), UNKNOWN),
    "a pipe for the labels": (pipe("labels.txt"), UNKNOWN),
    "a pipe for the golden file": (pipe(GOLDEN), UNKNOWN),
    "a pipe more": (pipe("more"), UNKNOWN),
    "no labels": (delete("labels.txt"), {"files", "labels"}),
    "labels in another order": (put("labels.txt", b"bee\nant\ncrow\n"), {"files", "labels"}),
    "labels of no text": (put("labels.txt", b"\xff\xfe\x00"), {"files", "labels"}),
    "no card": (delete(CARD), {"files"}),
    "another card": (put(CARD, b"# another\n"), {"files"}),
    "no golden file": (delete(GOLDEN), {"files", "golden_file"}),
    "half a golden file": (cut(GOLDEN), {"files", "golden_file"}),
    "a file more": (put("onnx/model.int8.onnx", b"more"), {"files"}),
    "a hidden file more": (put("onnx/.hidden", b""), {"files"}),
    "a hidden file more in a version": (put("saved_model/1/.x", b""), {"files"}),
    "a version more": (put("saved_model/2/saved_model.pb", b"more"), {"files"}),
}
"""Damage to an artifact after it was made, and the gates that find it."""


def weak(model: onnx.ModelProto) -> None:
    """Change a weight so little that no comparison of answers notices it."""
    bias = next(value for value in model.graph.initializer if value.name == "bias")
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(1e-6), "bias"))


def hashed(damage: Damage) -> Damage:
    """Return the same damage, followed by a new manifest with the hashes of the damaged files."""

    def both(folder: Path) -> None:
        damage(folder)
        artifact.write(folder, artifact.read(folder))

    return both


AT_THE_EXPORT: dict[str, tuple[Damage, set[str]]] = {
    "an initializer by 1 %": (signed(graph(perturb)), {"onnx_golden"}),
    "no bias": (signed(graph(without_bias)), {"onnx_golden"}),
    "an initializer by 1 %, and hashes": (hashed(graph(perturb)), {"onnx_digest", "onnx_golden"}),
    "no bias, and hashes": (hashed(graph(without_bias)), {"onnx_digest", "onnx_golden"}),
    "a weak change, and hashes": (hashed(graph(weak)), {"onnx_digest"}),
    "no digest, and hashes": (hashed(graph(properties(graph_sha256=None))), {"onnx_digest"}),
    "another digest, and hashes": (hashed(graph(properties(graph_sha256="0" * 64))), {"onnx_digest"}),
    "no number": (signed(graph(not_finite)), {"onnx_golden"}),
    "probabilities of others": (signed(graph(sharper)), {"onnx_golden"}),
    "an empty network": (signed(put(ONNX, b"")), {"layout", "onnx_loads"}),
    "no network": (signed(put(ONNX, b"no protobuf")), {"onnx_loads"}),
    "half a network": (signed(cut(ONNX)), {"onnx_loads"}),
    "a missing network": (signed(delete(ONNX)), {"layout", "onnx_loads"}),
    "another name of the batch": (signed(graph(batch_called("N"))), {"onnx_contract"}),
    "a fixed batch": (signed(graph(batch_of_eight)), {"onnx_contract"}),
    "floats for pixels": (signed(graph(floats)), {"onnx_contract"}),
    "another output": (signed(graph(renamed_output)), {"onnx_contract"}),
    "no labels in the network": (signed(graph(properties(labels=None))), {"onnx_metadata"}),
    "other labels in the network": (signed(graph(properties(labels='["a", "b", "c"]'))), {"onnx_metadata"}),
    "no JSON in the network": (signed(graph(properties(preprocessing="{"))), {"onnx_metadata"}),
    "deep JSON in the network": (signed(graph(properties(preprocessing="[" * 100_000))), {"onnx_metadata"}),
    "labels turned round": (other_labels, {"onnx_metadata"}),
    "labels in another order": (signed(put("labels.txt", b"bee\nant\ncrow\n")), {"labels"}),
    "a label more": (signed(put("labels.txt", b"ant\nbee\ncrow\ndog\n")), {"labels"}),
    "a label twice": (
        model_with(labels=["ant", "ant", "crow"]),
        {"manifest", "labels", "onnx_metadata"},
    ),
    "a label less": (
        model_with(labels=["ant", "bee"]),
        {"labels", "golden_file", "onnx_contract", "onnx_metadata"},
    ),
    "another mean": (preprocessing_with(mean=[0.5]), {"onnx_metadata"}),
    "too many means": (preprocessing_with(mean=[0.0, 0.0]), {"manifest", "onnx_metadata"}),
    "another size": (preprocessing_with(height=7), {"golden_file", "onnx_contract", "onnx_metadata"}),
    "an absurd size": (
        preprocessing_with(height=-(10**12)),
        {"manifest", "golden_file", "onnx_contract", "onnx_metadata"},
    ),
    "golden half": (signed(cut(GOLDEN)), {"golden_file"}),
    "golden pickled": (signed(put(GOLDEN, pickle.dumps(golden()))), {"golden_file"}),
    "golden objects": (signed(arrays(logits=np.array([{"a": 1}], object))), {"golden_file"}),
    "golden not zipped": (signed(put(GOLDEN, b"\x93NUMPY\x01\x00")), {"golden_file"}),
    "golden empty": (signed(put(GOLDEN, b"")), {"layout", "golden_file"}),
    "golden without arrays": (signed(arrays(image=None, logits=None, probabilities=None)), {"golden_file"}),
    "golden with one more": (signed(arrays(extra=np.zeros(3))), {"golden_file"}),
    "golden without image": (signed(arrays(image=None)), {"golden_file"}),
    "golden of no images": (signed(arrays(**{k: v[:0] for k, v in golden().items()})), {"golden_file"}),
    "golden of unequal length": (signed(arrays(image=golden()["image"][:5])), {"golden_file"}),
    "golden in doubles": (signed(arrays(logits=golden()["logits"].astype(np.float64))), {"golden_file"}),
    "golden in floats": (signed(arrays(image=golden()["image"].astype(np.float32))), {"golden_file"}),
    "golden scalars": (signed(arrays(logits=np.array(1, np.float32))), {"golden_file"}),
    "golden not finite": (signed(arrays(logits=np.full((8, 3), np.inf, np.float32))), {"golden_file"}),
    "golden that claims a petabyte": (signed(lying_header), {"golden_file"}),
    "golden of other images": (signed(arrays(image=golden()["image"][::-1])), {"onnx_golden"}),
    "golden of all zeros": (signed(arrays(logits=np.zeros((8, 3), np.float32))), {"onnx_golden"}),
    "a format without files": (claim(formats=["onnx", "saved_model"]), {"layout"}),
    "no format": (claim(formats=[]), {"manifest", "layout"}),
    "a format twice": (claim(formats=["onnx", "onnx"]), {"manifest"}),
    "files of no format": (signed(put("saved_model/1/saved_model.pb", b"graph")), {"layout"}),
    "a version without number": (
        signed(put("saved_model/v1/saved_model.pb", b"graph"), formats=["onnx", "saved_model"]),
        {"layout"},
    ),
    "a gate that was not passed": (
        claim(gates=[schema.to_dict(Gate("onnx_agreement", False, {}))]),
        {"manifest"},
    ),
}
"""Mistakes of an export that were signed, and the gates that find them."""


def test_a_whole_artifact_passes(onnx_artifact: Path) -> None:
    report = verify(onnx_artifact)
    assert report.passed, report
    gates = "manifest files layout labels golden_file onnx_loads onnx_contract onnx_metadata onnx_digest onnx_golden"
    assert [gate.name for gate in report.gates] == gates.split()
    figures = report.gates[-1].figures
    assert figures["examples"] == 8
    assert figures["largest_difference"] <= figures["limit"] == 1e-4
    json.dumps([schema.to_dict(gate) for gate in report.gates], allow_nan=False)


@pytest.mark.parametrize("what", AFTERWARDS)
def test_what_happened_afterwards_is_seen(onnx_artifact: Path, what: str) -> None:
    damage, gates = AFTERWARDS[what]
    damage(onnx_artifact)
    _fails(onnx_artifact, gates)


def litter(folder: Path) -> None:
    """Put into a folder what git, a download from the Hugging Face Hub and a file manager leave there."""
    put(".gitattributes", b"*.onnx filter=lfs")(folder)
    put(".cache/huggingface/download/README.md.metadata", b"revision")(folder)
    put(".DS_Store", b"places of icons")(folder)
    put(".git/HEAD", b"ref: refs/heads/main")(folder)
    (folder / ".git/hooks").symlink_to("/nowhere")


def test_hidden_entries_of_the_folder_are_not_the_artifact_s(onnx_artifact: Path) -> None:
    litter(onnx_artifact)
    report = verify(onnx_artifact)
    assert report.passed, report
    # A hidden file that the manifest lists is a part of the artifact.
    put(".listed", b"listed")(onnx_artifact)
    shutil.rmtree(onnx_artifact / ".git")
    sign(onnx_artifact)
    assert verify(onnx_artifact).passed
    delete(".listed")(onnx_artifact)
    _fails(onnx_artifact, {"files"})


def test_the_links_of_a_cache_are_named_with_the_way_to_fix_them(onnx_artifact: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshots" / "revision"
    for path in artifact.hashes(onnx_artifact, record=""):
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / path).symlink_to(onnx_artifact / path)
    _fails(snapshot, {"files"})
    (problem,) = next(gate for gate in verify(snapshot).gates if not gate.passed).figures["problems"]
    assert "is a symbolic link" in problem
    assert "hf download --local-dir" in problem
    copied = shutil.copytree(snapshot, tmp_path / "copied")
    assert verify(copied).passed


@pytest.mark.parametrize("what", AT_THE_EXPORT)
def test_what_the_export_did_wrong_is_seen(onnx_artifact: Path, what: str) -> None:
    damage, gates = AT_THE_EXPORT[what]
    damage(onnx_artifact)
    _fails(onnx_artifact, gates)


def _fails(folder: Path, gates: set[str]) -> None:
    report = verify(folder)
    assert not report.passed
    assert set(report.failed) == gates, [gate for gate in report.gates if not gate.passed]
    for gate in report.gates:
        problems = gate.figures.get("problems", [])
        assert bool(problems) is not gate.passed
        assert all("\n" not in problem for problem in problems)
    json.dumps([schema.to_dict(gate) for gate in report.gates], allow_nan=False)


def test_it_says_what_and_where(onnx_artifact: Path) -> None:
    put(CARD, b"# a cart\n")(onnx_artifact)
    put("labels.txt", b"ant\nbeetle\ncrow\n")(onnx_artifact)
    put("notes/more.txt", b"")(onnx_artifact)
    delete(ONNX)(onnx_artifact)
    problems = {gate.name: gate.figures.get("problems", []) for gate in verify(onnx_artifact).gates}
    assert any(line.startswith("README.md: SHA-256 ") for line in problems["files"])
    assert "labels.txt: 16 bytes, not 13" in problems["files"]
    assert "notes/more.txt is not in the manifest" in problems["files"]
    assert "onnx/model.onnx is missing" in problems["files"]
    assert problems["labels"] == ["not opened: labels.txt is not the file of the manifest"]


def test_an_archive_that_unpacks_to_more_than_the_limit(onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(onnx_artifact / GOLDEN, allow_pickle=False, **golden(), zeros=np.zeros(10_000))
    sign(onnx_artifact)
    monkeypatch.setattr(golden_file, "LARGEST", 50_000)
    (gate,) = (gate for gate in verify(onnx_artifact).gates if not gate.passed)
    assert gate.name == "golden_file"
    assert "more than 50000" in gate.figures["problems"][0]


def _manifest_text(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    change(values)
    (folder / MANIFEST).write_text(json.dumps(values), encoding="utf-8")


MANIFESTS: dict[str, Damage] = {
    "empty": put(MANIFEST, b""),
    "no JSON": put(MANIFEST, b"{'schema': 1}"),
    "half": cut(MANIFEST),
    "no text": put(MANIFEST, b"\xff\xfe{}"),
    "a list": put(MANIFEST, b"[]"),
    "a number": put(MANIFEST, b"1e999"),
    "another schema": functools.partial(_manifest_text, change=lambda values: values.update(schema=99)),
    "a key more": functools.partial(_manifest_text, change=lambda values: values.update(extra=1)),
    "a key less": functools.partial(_manifest_text, change=lambda values: values.pop("files")),
    "a path that climbs": functools.partial(
        _manifest_text, change=lambda values: values["files"].update({"../x": values["files"]["labels.txt"]})
    ),
    "an absolute path": functools.partial(
        _manifest_text, change=lambda values: values["files"].update({"/etc/passwd": values["files"]["labels.txt"]})
    ),
    "a path of Windows": functools.partial(
        _manifest_text, change=lambda values: values["files"].update({"..\\x": values["files"]["labels.txt"]})
    ),
    "an empty path": functools.partial(
        _manifest_text, change=lambda values: values["files"].update({"": values["files"]["labels.txt"]})
    ),
    "another format": functools.partial(_manifest_text, change=lambda values: values.update(formats=["tflite"])),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_manifest_that_cannot_be_read_is_refused(onnx_artifact: Path, what: str) -> None:
    MANIFESTS[what](onnx_artifact)
    with pytest.raises(Refused) as refused:
        verify(onnx_artifact)
    assert "\n" not in str(refused.value)


def test_a_path_with_a_nought_is_only_missing(onnx_artifact: Path) -> None:
    _manifest_text(onnx_artifact, lambda values: values["files"].update({"a\0b": values["files"]["labels.txt"]}))
    _fails(onnx_artifact, {"files"})


@pytest.mark.parametrize("damage", [device(MANIFEST), pipe(MANIFEST)])
def test_a_manifest_that_never_ends_is_not_read(onnx_artifact: Path, damage: Damage) -> None:
    damage(onnx_artifact)
    with pytest.raises(ZooError, match=r"has no manifest\.json"):
        verify(onnx_artifact)


def test_no_artifact_is_a_wrong_request(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    for name in ("nowhere", "empty", "file"):
        with pytest.raises(ZooError) as wrong:
            verify(tmp_path / name)
        assert wrong.value.exit_status == 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_artifact(tmp_path_factory.mktemp("whole") / "dense")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_can_change_unseen(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    path = folder / data.draw(st.sampled_from(sorted(artifact.read(whole).files)))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert "files" in verify(folder).failed


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_signed_damage_raises(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Any content of the other files, with its hash in the manifest, must give a report and no exception."""
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    path = folder / data.draw(st.sampled_from(sorted(artifact.read(whole).files)))
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    path.write_bytes(content)
    sign(folder)
    json.dumps([schema.to_dict(gate) for gate in verify(folder).gates], allow_nan=False)


def test_a_saved_model_beside_an_onnx_is_hashed_only(both_artifact: Path) -> None:
    report = verify(both_artifact)
    assert report.passed, report
    assert not any(gate.name.startswith("saved_model") for gate in report.gates)
    flip("saved_model/1/variables/variables.data-00000-of-00001")(both_artifact)
    _fails(both_artifact, {"files"})


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "assets.extra/tf_serving_warmup_requests"]
)
def test_a_version_without_what_a_server_needs(both_artifact: Path, name: str) -> None:
    (both_artifact / "saved_model" / "1" / name).unlink()
    sign(both_artifact)
    _fails(both_artifact, {"layout"})


_REPLAY = """
import json
import os
import sys
from pathlib import Path
if len(sys.argv) > 3:
    sys.modules["tensorflow"] = None
from zoo.serving.verify import verify
for folder in sys.argv[1:3]:
    report = verify(Path(folder))
    print(json.dumps([report.passed, [gate.name for gate in report.gates], report.failed]))
print("tensorflow" in sys.modules and sys.modules["tensorflow"] is not None)
"""


def test_a_saved_model_alone_is_replayed_where_tensorflow_is(saved_model_artifact: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(saved_model_artifact, other)
    # The same layout with weights of another seed: what one value would be in the file depends on its format.
    stored = golden(seed=5)
    np.savez(other / GOLDEN, allow_pickle=False, **stored)
    sign(other)
    done = python(_REPLAY, saved_model_artifact, other)
    assert done.returncode == 0, done.stderr
    good, bad, imported = done.stdout.splitlines()
    gates = ["manifest", "files", "layout", "labels", "golden_file"]
    gates += ["saved_model_loads", "saved_model_contract", "saved_model_golden"]
    assert json.loads(good) == [True, gates, []]
    assert json.loads(bad) == [False, gates, ["saved_model_golden"]]
    assert imported == "True"


def test_a_saved_model_alone_without_tensorflow(saved_model_artifact: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(saved_model_artifact, damaged)
    flip("saved_model/1/variables/variables.data-00000-of-00001")(damaged)
    done = python(_REPLAY, saved_model_artifact, damaged, "without")
    assert done.returncode == 0, done.stderr
    good, bad, imported = done.stdout.splitlines()
    gates = ["manifest", "files", "layout", "labels", "golden_file"]
    assert json.loads(good) == [True, gates, []]
    assert json.loads(bad) == [False, gates, ["files"]]
    assert imported == "False"


def test_a_damaged_saved_model_is_not_opened(saved_model_artifact: Path) -> None:
    flip("saved_model/1/saved_model.pb")(saved_model_artifact)
    _fails(saved_model_artifact, {"files", "saved_model_loads"})


def test_a_file_of_bytes_that_are_no_name(onnx_artifact: Path) -> None:
    (onnx_artifact / os.fsdecode(b"caf\xe9")).write_bytes(b"")
    _fails(onnx_artifact, {"files"})


def test_golden_of_an_encrypted_or_unknown_archive(onnx_artifact: Path) -> None:
    content = bytearray((onnx_artifact / GOLDEN).read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        directory = archive.start_dir
    content[directory + 8] |= 1  # the flag of encryption
    (onnx_artifact / GOLDEN).write_bytes(content)
    sign(onnx_artifact)
    _fails(onnx_artifact, {"golden_file"})
    content[directory + 8] &= 0xFE
    content[directory + 10] = 99  # a method of compression that nobody has
    (onnx_artifact / GOLDEN).write_bytes(content)
    sign(onnx_artifact)
    _fails(onnx_artifact, {"golden_file"})
