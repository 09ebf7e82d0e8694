"""Wrong requests: each ends with its exit status and one line that says how to fix it, and leaves nothing behind."""

from __future__ import annotations

import functools
import json
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import processes
from tests.conftest import Answer, write_images
from zoo.cli import main

Place = Path
Command = Callable[..., Answer]


@pytest.fixture
def place(digits_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a copy of a finished run and its artifact."""
    shutil.copytree(digits_made, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def refuse(zoo_command: Command, place: Path, arguments: list[str], status: int, *parts: str) -> None:
    """The command ends with `status` and one line that has every part, and the folder is as it was."""
    before = tree(place)
    answer = zoo_command(*arguments)
    lines = [line for line in answer.err.splitlines() if line.startswith("zoo: ")]
    assert answer.status == status, answer.err
    assert len(lines) == 1, answer.err
    assert "Traceback" not in answer.err
    for part in parts:
        assert part in lines[0], lines[0]
    assert tree(place) == before


TRAIN = [
    (["trian"], "did you mean 'train'"),
    (["train"], "name a family"),
    (["train", "resnett"], "did you mean 'resnet'"),
    (["train", "resnet", "--size", "huge"], "resnet has no size 'huge'"),
    (["train", "resnet50", "--size", "large"], "'resnet50' is resnet base"),
    (["train", "cnn", "--checkpoint-minutes", "0"], "--checkpoint-minutes 0: a number above 0"),
    (["train", "cnn", "--profile", "0"], "--profile 0: a number of steps above 0"),
    (["train", "cnn", "--precision", "float8"], "precision should be 'float32', 'bfloat16', 'float16' or 'float64'"),
    (["train", "cnn", "--epochs", "0"], "epochs should be greater than or equal to 1"),
    (["train", "cnn", "--epochs", "many"], "'many' is not a valid integer"),
    (["train", "cnn", "--seed", "-1"], "seed should be greater than or equal to 0"),
    (["train", "cnn", "--set", "optimizer.rate=1"], "no recipe has the key 'optimizer.rate'"),
    (["train", "cnn", "--set", "optimizer.lr=quick"], "optimizer.lr should be a valid number"),
    (["train", "resnet", "--recipe", "a4"], "resnet has no recipe 'a4'"),
    (["train", "resnet", "--recipe", "nothing.toml"], "there is no recipe file at nothing.toml"),
    (["train", "resnet", "--recipe", "fine-tune"], "the recipe fine-tune starts from weights"),
    (["train", "cnn", "--recipe", "original"], "cnn's recipe original is for large, not for small"),
    (["train", "cnn", "--set", "network.drop_path=0.1"], "cnn small has no residual branches"),
    (["train", "cnn", "--set", "network.dropout=1"], "dropout should be 0 or more and below 1, or -1"),
    (["train", "cnn", "--set", "schedule.shape=square"], "schedule.shape should be 'cosine', 'constant', 'linear'"),
    (["train", "cnn", "--set", "batch_size=5000"], "a batch of 5000 is more than the"),
    (["train", "cnn", "--set", "image.size=4"], "each side must be 8 to 4096 pixels"),
    (["train", "cnn", "--data", "digit"], "did you mean 'digits'"),
    (["train", "cnn", "--data", "folder:nowhere"], "nowhere"),
    (["train", "cnn", "--data", "folder:empty"], "empty"),
    (["train", "cnn", "--data", "folder:one-class"], "class"),
    (["train", "cnn", "--data", "folder:unlike"], "class"),
    (["train", "cnn", "--data", "folder:broken"], "a/3.png", "--bad-examples skip"),
    (["train", "cnn", "--data", "tfds:nothing", "--data-dir", "."], "nothing"),
    (["train", "cnn", "--out", "runs/cnn-small-digits"], "exists already"),
    (["train", "cnn", "--strategy", "single", "--devices", "2"], "one device trains"),
    (["train", "cnn", "--devices", "99"], "1 to 16 logical CPU devices"),
    (["train", "cnn", "--resume", "runs/cnn-small-digits"], "leave family out"),
    (
        ["train", "--resume", "runs/a", "--weights", "runs/cnn-small-digits", "--freeze"],
        "leave --weights, --freeze out",
    ),
    (["train", "--weights", "runs/nothing"], "there is no run at runs/nothing"),
    (["train", "--weights", "artifacts/cnn-small-digits"], "is an artifact, not a run: name the run"),
    (["train", "--resume", "artifacts/cnn-small-digits"], "is an artifact, not a run: name the run"),
    (
        ["train", "cnn", "--data", "digits", "--data-dir", "."],
        "--data digits takes no such option: leave --data-dir out",
    ),
    (["train", "cnn", "--data", "folder:unlike", "--data-dir", "."], "takes no such option: leave --data-dir out"),
    (["train", "vit", "--weights", "runs/cnn-small-digits"], "holds weights of cnn small, not of vit small"),
    (["train", "--size", "base", "--weights", "runs/cnn-small-digits"], "not of cnn base"),
    (["train", "resnet50", "--weights", "runs/cnn-small-digits"], "not of resnet base"),
    (["train", "--weights", "runs/cnn-small-digits", "--set", "image.channels=3"], "channels=3: the weights take 1"),
    (["train", "--weights", "runs/cnn-small-digits", "--set", "image.size=20"], "of another shape: logits/kernel"),
    (["train", "cnn", "--freeze"], "name the run to take --weights from"),
    (["train", "cnn", "--prune", "0.5"], "name the run to take --weights from"),
    (["train", "--weights", "runs/cnn-small-digits", "--prune", "1"], "--prune 1: a share above 0 and below 1"),
    (["train", "--weights", "runs/cnn-small-digits", "--prune", "0.01"], "of its multiply-adds: ask for 0."),
    (["train", "cnn", "--set", "optimizer.layer_decay=0"], "layer_decay should be greater than 0"),
    (["train", "--resume", "runs/nothing"], "there is no run at runs/nothing"),
    (["train", "--resume", "runs/cnn-small-digits"], "is finished already"),
    (["train", "cnn", "--frobnicate"], "No such option"),
]


@pytest.mark.parametrize(
    ("arguments", "parts"), [(row[0], row[1:]) for row in TRAIN], ids=lambda value: " ".join(value)
)
def test_training(zoo_command: Command, place: Path, arguments: list[str], parts: tuple[str, ...]) -> None:
    (place / "empty").mkdir()
    write_images(place / "one-class", classes=1, each=4)
    write_images(place / "unlike" / "train", classes=3, each=4)
    write_images(place / "unlike" / "test", classes=2, each=4)
    for label in "ab":
        write_images(place / "broken", classes=1, each=6)
        (place / "broken" / "class0").rename(place / "broken" / label)
    truncated = (place / "broken" / "a" / "3.png").read_bytes()[:200]
    (place / "broken" / "a" / "3.png").write_bytes(truncated)
    refuse(zoo_command, place, arguments, 2, *parts)


OTHERS = [
    (["list", "nothing*"], 2, "no family or size matches"),
    (["list", "--input", "imag"], 2, "there is no kind of input 'imag': did you mean 'image'?"),
    (["info", "vvg"], 2, "did you mean 'vgg'"),
    (["info", "runs/nothing"], 2, "there is no run and no artifact at runs/nothing"),
    (["info", "runs"], 2, "runs holds runs but is not one: name one of them, such as runs/cnn-small-digits"),
    (["info", "runs/cnn-small-digits", "--size", "base"], 2, "has one: leave it out"),
    (["evaluate", "artifacts/cnn-small-digits", "--out", "artifacts/cnn-small-digits/x"], 2, "is within the artifact"),
    (["export", "--out", "artifacts/cnn-small-digits/x"], 2, "is within the artifact"),
    (["train", "cnn", "--out", "artifacts/cnn-small-digits/x"], 2, "is within the artifact"),
    (["tune", "mlp", "--trials", "3", "--out", "artifacts/cnn-small-digits/x"], 2, "is within the artifact"),
    (["scale", "mlp", "--out", "new/../artifacts/cnn-small-digits/x"], 2, "is within the artifact"),
    (["train", "mlp", "--size", "small,base", "--out", "artifacts/cnn-small-digits/x/y"], 2, "is within the artifact"),
    (
        ["predict", "artifacts/cnn-small-digits", "whole.png", "--out", "n/../artifacts/cnn-small-digits/x.csv"],
        2,
        "is within the artifact",
    ),
    (["predict", "artifacts/nonesuch", "whole.png"], 2, "there is nothing at artifacts/nonesuch: name an artifact"),
    (["predict", "artifacts/cnn-small-digits/labels.txt", "whole.png"], 2, "is a part of the artifact"),
    (["predict", "artifacts/cnn-small-digits", "x" * 300 + ".png"], 2, "there is no image at xxx"),
    (["evaluate", "nowhere"], 2, "there is no run or artifact at nowhere: name one"),
    (["benchmark", "--csv", "artifacts/cnn-small-digits/x.csv"], 2, "is within the artifact"),
    (["benchmark", "--csv", "broken.png/x.csv"], 2, "broken.png: it is a file: choose another place"),
    (["evaluate", "runs/nothing"], 2, "there is no run"),
    (["evaluate", "runs/cnn-small-digits", "--out", "runs"], 2, "exists already"),
    (["export", "runs/nothing"], 2, "there is no run"),
    (["export", "--saved-model", "--opset", "20"], 2, "only ONNX has an opset, and not saved_model: add --onnx"),
    (["evaluate", "runs"], 2, "runs holds runs but is not one: name one of them, such as runs/cnn-small-digits"),
    (["evaluate", "artifacts"], 2, "artifacts is neither a run nor an artifact"),
    (["evaluate", "artifacts/cnn-small-digits/onnx"], 2, "is a part of the artifact artifacts/cnn-small-digits"),
    (["evaluate", "runs/cnn-small-digits", "--bad-examples", "skip"], 2, "name them with --data"),
    (["evaluate", "runs/cnn-small-digits", "--data-dir", "."], 2, "takes no such option: leave --data-dir out"),
    (["export", "artifacts/cnn-small-digits"], 2, "is an artifact, not a run: name the run that it was made from"),
    (["export", "runs/cnn-small-digits/run.json"], 2, "is a part of the run runs/cnn-small-digits"),
    (["export", "--out", "artifacts/cnn-small-digits"], 2, "exists already"),
    (["verify", "runs/cnn-small-digits"], 2, "is a run, not an artifact: make one from it with 'zoo export"),
    (["verify", "artifacts/cnn-small-digits/manifest.json"], 2, "is a part of the artifact"),
    (["benchmark", "runs/cnn-small-digits"], 2, "is a run, not an artifact"),
    (["benchmark", "artifacts"], 2, "artifacts holds artifacts but is not one"),
    (["predict", "runs/cnn-small-digits"], 2, "is a run, not an artifact"),
    (["predict", "runs/cnn-small-digits", "broken.png"], 2, "is a run, not an artifact"),
    (["predict", "broken.png", "runs/cnn-small-digits"], 2, "is a run, not an artifact"),
    (["predict", "artifacts/cnn-small-digits", "runs/cnn-small-digits"], 2, "is a run, not an artifact"),
    (["predict", "artifacts/cnn-small-digits", "artifacts/cnn-small-digits"], 2, "is a second artifact"),
    (["predict", "artifacts/cnn-small-digits/onnx", "broken.png"], 2, "is a part of the artifact"),
    (["predict", "artifacts", "broken.png"], 2, "artifacts holds artifacts but is not one"),
    (["predict", "evaluations/one", "broken.png"], 2, "is an evaluation, not an artifact"),
    (["verify", "nowhere"], 2, "there is no artifact"),
    (["publish"], 2, "Missing argument"),
    (["publish", "nowhere", "base"], 2, "there is no artifact at nowhere"),
    (["publish", "runs/cnn-small-digits", "base"], 2, "is a run, not an artifact"),
    (["publish", "artifacts/cnn-small-digits", "base"], 2, "has no SavedModel, only onnx: export with --saved-model"),
    (["publish", "base"], 2, "has no SavedModel"),
    (["publish", "one", "two", "base"], 2, "one artifact is published at a time: leave two out"),
    (["publish", "artifacts/cnn-small-digits", "base", "--keep", "0"], 2, "--keep 0 would leave nothing to serve"),
    (["publish", "artifacts/cnn-small-digits", "base", "--keep", "all"], 2, "'all' is not a valid integer"),
    (["publish", "--rollback", "base"], 2, "base is not a base path that 'zoo publish' wrote to"),
    (["publish", "--rollback", "artifacts"], 2, "artifacts is not a base path that 'zoo publish' wrote to"),
    (["publish", "--rollback", "artifacts/cnn-small-digits", "base"], 2, "leave artifacts/cnn-small-digits out"),
    (["predict", "artifacts/cnn-small-digits", "nowhere.png"], 2, "nowhere.png"),
    (["predict", "artifacts/cnn-small-digits", "broken.png"], 2, "broken.png"),
    (["predict", "artifacts/cnn-small-digits", "whole.png", "--out", "broken.png"], 2, "broken.png exists already"),
    (["train", "cnn", "--target", "y"], 2, "--data digits takes no such option: leave --target out"),
    (["evaluate", "--data", "folder:evaluations", "--text", "y"], 2, "takes no such option: leave --text out"),
    (["benchmark", "nowhere"], 2, "nowhere"),
    (["benchmark", "--batch", "0"], 2, "0"),
    (["benchmark", "--batch", "one"], 2, "'one' is not a list of integers separated by commas"),
    (["benchmark", "--threads", "4096"], 2, "4096"),
    (["benchmark", "--runtime", "tensorrt"], 2, "tensorrt"),
]


@pytest.mark.parametrize(
    ("arguments", "status", "part"), OTHERS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_other_verbs(zoo_command: Command, place: Path, arguments: list[str], status: int, part: str) -> None:
    (place / "evaluations/one").mkdir(parents=True)
    (place / "evaluations/one/report.json").write_text('{"target": "run", "overlap": {}, "provenance": {}}')
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(place / "evaluations/one/confusion.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(place / "broken.png")
    (place / "broken.png").write_bytes((place / "broken.png").read_bytes()[:50])
    refuse(zoo_command, place, arguments, status, part)


def test_what_was_not_foreseen_is_one_line_and_a_traceback_with_debug(
    zoo_command: Command, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import zoo.information

    def broken(pattern: str, input: str | None) -> None:
        raise RuntimeError("of a\nkind that nobody knows")

    monkeypatch.setattr(zoo.information, "list_models", broken)
    refuse(zoo_command, place, ["list"], 2, "RuntimeError: of a kind that nobody knows: an unexpected error")
    monkeypatch.setattr(sys, "argv", ["zoo", "--debug", "list"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "Traceback" in capsys.readouterr().err


def test_used_up_memory_is_one_line(zoo_command: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    import zoo.information

    monkeypatch.setattr(zoo.information, "list_models", lambda pattern, input: tf.ones([10**6, 10**7, 10]))
    refuse(zoo_command, place, ["list"], 2, "there is not enough memory (ResourceExhaustedError: OOM when allocating")


def test_a_disk_that_fills_up_under_tensorflow_is_one_line(tmp_path: Path) -> None:
    """TensorFlow writes variables by itself and raises errors of its own."""
    import zoo
    from tests.described import described
    from zoo.errors import ZooError
    from zoo.export.graph import trace
    from zoo.export.tf_serving.saved_model import write_saved_model
    from zoo.inputs.image.preprocessing import Preprocessing

    (tmp_path / "file").write_text("no folder can be made below this")
    preprocessing = Preprocessing(8, 8, 1, (0.5,), (0.5,))
    model = zoo.create("cnn", classes=3, input_shape=(8, 8, 1))
    with pytest.raises(ZooError, match="the SavedModel cannot be written"):
        write_saved_model(trace(model, described(preprocessing)), tmp_path / "file" / "1")


def test_no_run_and_no_artifact_to_take(zoo_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for verb, part in (
        ("export", "no finished run"),
        ("evaluate", "no finished run"),
        ("verify", "no artifact"),
        ("benchmark", "no artifact"),
        ("publish base", "no artifact"),
    ):
        refuse(zoo_command, tmp_path, verb.split(), 2, part)


def rewrite(path: Path, change: Callable[[dict], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_a_damaged_run_is_refused(zoo_command: Command, place: Path) -> None:
    run = place / "runs/cnn-small-digits"
    weights = run / "weights.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[: len(good) // 2])
    refuse(zoo_command, place, ["export", str(run)], 2, "weights.safetensors is damaged")
    weights.write_bytes(good)
    rewrite(run / "run.json", lambda value: value["model"].update(size="base"))
    refuse(
        zoo_command, place, ["export", str(run)], 2, "does not describe the network", "151,306 parameters, not 29,066"
    )
    rewrite(run / "run.json", lambda value: value["model"].update(size="small"))
    rewrite(run / "run.json", lambda value: value["data"].update(fingerprint="0" * 64))
    refuse(zoo_command, place, ["evaluate", str(run)], 2, "has changed since it was trained on")
    rewrite(run / "run.json", lambda value: value["recipe"].update(epochs="all"))
    refuse(zoo_command, place, ["export", str(run)], 2, "recipe.epochs should be a valid integer")
    (run / "run.json").write_text("{")
    refuse(zoo_command, place, ["export", str(run)], 2, "run.json cannot be read")


def test_a_damaged_checkpoint_is_refused(zoo_command: Command, place: Path) -> None:
    run = place / "runs/cnn-small-digits"
    rewrite(run / "run.json", lambda value: value["provenance"].update(finished=None))
    refuse(zoo_command, place, ["export", str(run)], 2, "is not finished", "--resume")
    refuse(zoo_command, place, ["train", "--weights", str(run)], 2, "is not finished", "--resume")
    for name in ("last", "previous"):
        checkpoint = run / f"checkpoints/{name}.safetensors"
        checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    refuse(zoo_command, place, ["train", "--resume", str(run)], 2, "last.safetensors is damaged")


def test_a_damaged_artifact_is_refused(zoo_command: Command, place: Path) -> None:
    artifact = place / "artifacts/cnn-small-digits"
    onnx = artifact / "onnx/model.onnx"
    data = bytearray(onnx.read_bytes())
    data[len(data) // 2] ^= 1
    onnx.write_bytes(bytes(data))
    refuse(zoo_command, place, ["verify", str(artifact)], 1, "is refused")
    refuse(zoo_command, place, ["benchmark", str(artifact)], 1, "model.onnx")
    rewrite(
        artifact / "manifest.json", lambda value: value["files"].update({"../outside": value["files"]["labels.txt"]})
    )
    refuse(zoo_command, place, ["verify", str(artifact)], 1, "outside the artifact")
    (artifact / "manifest.json").write_text("[]")
    refuse(zoo_command, place, ["verify", str(artifact)], 1, "manifest")


@pytest.mark.parametrize(
    "arguments", [["train", "cnn", "--epochs", "1"], ["export", "--out", "made"]], ids=lambda value: value[0]
)
def test_a_full_disk_ends_with_one_line(place: Path, arguments: list[str]) -> None:
    """A limit on file sizes, which needs no privileges, simulates the full disk: a write fails in the middle."""
    limited = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (60_000, 60_000))
    before = tree(place / "artifacts")
    done = processes.run("zoo", *arguments, before=limited)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("zoo: ")]) == 1, done.stderr
    assert tree(place / "artifacts") == before
    assert not list(place.rglob(".*-*"))
    assert not (place / "made").exists()
