"""The benchmark scripts: what they share, their table of peers, their help, and how two latencies are compared."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import measured
from benchmarks.ingredients import trained
from benchmarks.peers import compare_transformers
from benchmarks.peers.compare_latency import Setting, compare, compare_folders, take_turns
from benchmarks.peers.normalize import normalize
from benchmarks.peers.table import peers
from tests.described import described
from tests.serving.handmade import make_artifact
from zoo import migration, provenance, run
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.recipe import known_keys
from zoo.registry import families, matching
from zoo.training.decision import decide
from zoo.training.request import TrainingRequest
from zoo.weights.pretrained import IMAGENET_MEAN, IMAGENET_STD

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(
    path.stem for path in (ROOT / "benchmarks" / "peers").glob("*.py") if '__name__ == "__main__"' in path.read_text()
)
# Whoever asks for help may have PyTorch, or TensorFlow, or neither.
HELP = """
import contextlib, runpy, sys
for name in ("torch", "timm", "tensorflow", "keras", "onnx", "onnxruntime", "safetensors"):
    sys.modules[name] = None
for script in sys.argv[1:]:
    sys.argv = [script, "--help"]
    print("script", script, flush=True)
    with contextlib.suppress(SystemExit):
        runpy.run_module(f"benchmarks.peers.{script}", run_name="__main__")
"""


def test_every_script_helps_without_the_frameworks_that_it_needs() -> None:
    assert len(SCRIPTS) >= 8
    done = subprocess.run([sys.executable, "-c", HELP, *SCRIPTS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    texts = done.stdout.split("script ")[1:]
    assert [text.splitlines()[0] for text in texts] == SCRIPTS
    assert all("usage:" in text and "positional arguments:" in text for text in texts)


def test_scripts_set_keys_that_recipes_have() -> None:
    known = {key for family in families().values() for key in known_keys(family.recipe_of(family.sizes[0]))}
    set_there = {
        (path.name, found[1])
        for path in (ROOT / "benchmarks").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if (found := re.match(r"([a-z0-9_]+(?:\.[a-z0-9_]+)*)=", node.value))
    }
    assert len(set_there) > 50
    assert [(name, key) for name, key in set_there if key not in known] == []


def write_run(folder: Path, command: str, finished: str | None, settings: Sequence[str] = ()) -> None:
    """Write the description of a run that a command made, with the recipe of `cnn` small and other settings."""
    recipe = decide(TrainingRequest(family="cnn", size="small", settings=settings)).recipe
    model = described(Preprocessing(8, 8, 1, (0.5,), (0.5,)))
    by = dataclasses.replace(provenance.here(seed=0), command=command, finished=finished)
    folder.mkdir()
    run.write(folder, run.Run(migration.SCHEMA, model, None, recipe, by))


def test_folders_that_another_command_made_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[object, ...]] = []
    monkeypatch.setattr(measured, "zoo", lambda *words: called.append(words))
    command = ("train", "cnn", "--data", "folder:my images", "--seed", 0)
    measured.made(tmp_path / "new", *command)
    assert called.pop() == (*command, "--out", tmp_path / "new")
    write_run(tmp_path / "half", "zoo train cnn --data 'folder:my images' --seed 0 --out elsewhere --json", None)
    measured.made(tmp_path / "half", *command)
    assert called.pop() == ("train", "--resume", tmp_path / "half")
    write_run(tmp_path / "run", "zoo train cnn --data 'folder:my images' --seed 0", provenance.now())
    measured.made(tmp_path / "run", *command)
    make_artifact(tmp_path / "artifact")
    for folder, others in (("run", (*command, "--epochs", 9)), ("half", command[:-2]), ("artifact", ("export", "x"))):
        with pytest.raises(
            SystemExit, match=f"{folder} was made by another command .*: name another folder as SCRATCH"
        ):
            measured.made(tmp_path / folder, *others)
    assert called == []


def test_runs_with_another_recipe_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "run", "ingredients.py", provenance.now(), ["mixup=0.2", "seed=1"])
    assert trained("cnn-small", tmp_path, ["mixup=0.2", "seed=1"], tmp_path / "run").finished
    with pytest.raises(SystemExit, match="run was trained with another recipe: name another folder as SCRATCH"):
        trained("cnn-small", tmp_path, ["mixup=0.2", "seed=1", "epochs=3"], tmp_path / "run")


def test_networks_of_transformers_that_are_required_and_missing_end_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bert-small").mkdir()
    np.savez(tmp_path / "bert-small/answers.npz", expected=np.zeros(1))
    monkeypatch.setattr(compare_transformers, "import_keras", lambda: pytest.fail("the comparison began"))
    monkeypatch.setattr(sys, "argv", ["compare", str(tmp_path), "--require", "bert-small", "bert-small.real"])
    with pytest.raises(SystemExit, match=f"{tmp_path} lacks bert-small.real: write them with export_transformers"):
        compare_transformers.main()


def test_the_table_names_every_network_that_timm_has() -> None:
    published = {
        (family.name, size.name): size.weights["timm"].model for family, size in matching() if "timm" in size.weights
    }
    assert {(peer.family, peer.size): peer.timm for peer in peers()} == published
    counted = {f"{family.name}-{size.name}": size.parameters for family, size in matching()}
    assert {peer.name: peer.parameters for peer in peers()}.items() <= counted.items()


def test_only_takes_families_and_networks() -> None:
    assert [peer.name for peer in peers(["vit-base", "resnet"])] == [
        "resnet-small", "resnet-34", "resnet-base", "resnet-large", "vit-base",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers.export_timm", "out", "--only", "resnet", "resnet50"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("no network is called 'resnet50': models.tsv lists them")


def test_what_slows_a_whole_round_down_leaves_the_ratio_alone() -> None:
    slow = np.where(np.arange(40) % 4 == 0, 7.0, 1.0)
    found = compare(0.9 * slow, 1.0 * slow)
    assert (found.ours_ms, found.peer_ms, found.rounds) == (900, 1000, 40)
    assert (found.ratio, found.low, found.high) == pytest.approx((0.9, 0.9, 0.9))


def test_the_interval_holds_the_ratio_and_widens_with_noise() -> None:
    noise = np.random.default_rng(1).lognormal(sigma=0.2, size=(2, 200))
    quiet, loud = compare(*noise**0.1), compare(*noise)
    assert quiet.low <= quiet.ratio <= quiet.high
    assert loud.low <= loud.ratio <= loud.high
    assert loud.high - loud.low > 5 * (quiet.high - quiet.low)


def test_calls_take_turns() -> None:
    made: list[str] = []
    seconds = take_turns([lambda: made.append("ours"), lambda: made.append("peer")], 0)
    assert seconds.shape == (2, 10)
    assert (seconds > 0).all()
    assert made == ["ours", "peer"] * 13


def write_mean(path: Path, kind: str, shape: list[int | str]) -> None:
    """An ONNX file that gives the mean of each image."""
    import onnx
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["logits"], keepdims=0),
    ]
    given = helper.make_tensor_value_info("image", getattr(TensorProto, kind), shape)
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [shape[0]])
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])
    graph = helper.make_graph(nodes, "mean", [given], [logits], [axes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


@pytest.mark.parametrize("setting", [Setting(seconds=0), Setting(2, 3, 0, 32, from_pixels=True)])
def test_files_of_either_layout_are_compared_by_name(setting: Setting, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "peers"
    for folder in (ours, theirs):
        folder.mkdir()
    write_mean(ours / "vit-small.onnx", "UINT8", ["batch", 16, 16, 3])
    write_mean(ours / "vit-base.onnx", "UINT8", ["batch", 16, 16, 3])
    with pytest.raises(SystemExit, match="both name theirs FAMILY-SIZE"):
        list(compare_folders(ours, theirs, setting))
    write_mean(theirs / "vit-small.onnx", "FLOAT", ["batch", 3, 16, 16])
    write_mean(theirs / "vit-small.keras.onnx", "FLOAT", ["batch", "height", "width", 3])
    ((name, peer, found),) = compare_folders(ours, theirs, setting)
    assert name == "vit-small"
    assert peer in ("vit-small.onnx", "vit-small.keras.onnx")
    assert found.rounds == 10


def test_pixels_are_normalized_as_the_peers_want_them() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    expected = (pixels / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    np.testing.assert_allclose(normalize(pixels, nchw=False), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(normalize(pixels, nchw=True), expected.transpose(0, 3, 1, 2), rtol=0, atol=1e-5)
