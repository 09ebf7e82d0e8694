"""The data of runs and artifacts: evaluation leaves out training images, and `--data-dir` finds moved folders."""

from __future__ import annotations

import dataclasses
import json
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from tests.conformance import untrained_run
from tests.conftest import Answer, call_zoo, leave_trial_exports_out, write_images
from zoo import artifact, run
from zoo.data import digests
from zoo.errors import Refused
from zoo.export import model_card
from zoo.training import start
from zoo.training.request import DataRequest, Execution, TrainingRequest

Command = Callable[..., Answer]
pytestmark = pytest.mark.usefixtures("no_trial_export")
FEW = ("--epochs", 1, "--set", "batch_size=8", "--set", "schedule.warmup_epochs=0")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 2×20 images, a run that was trained on it, its artifact, and a run whose test/ is its train/."""
    place = tmp_path_factory.mktemp("made")
    write_images(place / "data", classes=2, each=20, side=12)
    shutil.copytree(place / "data", place / "copied/train")
    shutil.copytree(place / "data", place / "copied/test")
    for arguments in (
        ("train", "cnn", "--data", f"folder:{place / 'data'}", "--out", place / "run", *FEW),
        ("export", place / "run", "--onnx", "--out", place / "artifact"),
        ("train", "cnn", "--data", f"folder:{place / 'copied'}", "--out", place / "copied-run", *FEW),
    ):
        with pytest.MonkeyPatch.context() as patch:
            leave_trial_exports_out(patch)
            (place / "said.txt").write_text(call_zoo(*arguments, folder=place).err)
    return place


def evaluate(zoo_command: Command, target: Path, out: Path, *arguments: object) -> tuple[dict[str, Any], str]:
    """Run `zoo evaluate`; return its report and its standard error."""
    answer = zoo_command("evaluate", target, "--out", out, *arguments)
    assert answer.status == 0, answer.err
    return json.loads((out / "report.json").read_text()), answer.err


@pytest.mark.parametrize("target", ["run", "artifact"])
def test_images_that_were_trained_on_are_left_out(
    made: Path, tmp_path: Path, zoo_command: Command, target: str
) -> None:
    report, said = evaluate(zoo_command, made / target, tmp_path / "one", "--data", f"folder:{made / 'data'}")
    assert report["examples"] == 8
    assert report["overlap"] == {"examples": 32, "of": 40, "left_out": True, "unknown": None}
    assert "the model has seen 32 of the 40 examples in training or validation: left out\n" in said
    own, said = evaluate(zoo_command, made / target, tmp_path / "own")
    assert own["overlap"] == {"examples": 0, "of": 8, "left_out": False, "unknown": None}
    assert own["correct"] == report["correct"]
    assert "has seen" not in said
    report, said = evaluate(
        zoo_command, made / target, tmp_path / "all", "--data", f"folder:{made / 'data'}", "--include-training"
    )
    assert report["examples"] == 40
    assert report["overlap"] == {"examples": 32, "of": 40, "left_out": False, "unknown": None}
    assert "the model has seen 32 of the 40 examples in training or validation: measured on, too\n" in said


def test_nothing_left_to_measure_on_is_refused(made: Path, tmp_path: Path, zoo_command: Command) -> None:
    answer = zoo_command("evaluate", made / "copied-run", "--out", tmp_path / "out")
    assert answer.status == 2
    assert "all 40 examples were used to train or validate the model" in answer.err
    assert "--include-training" in answer.err
    assert not (tmp_path / "out").exists()
    report, _ = evaluate(zoo_command, made / "copied-run", tmp_path / "all", "--include-training")
    assert report["examples"] == report["overlap"]["examples"] == 40
    assert report["data"]["overlap"] == {"validation": 0, "test": 40}


def test_the_digests_are_a_part_of_the_artifact(made: Path, tmp_path: Path, zoo_command: Command) -> None:
    assert (made / "run" / digests.FILE).stat().st_size < 2500
    assert digests.FILE in artifact.read(made / "artifact").files
    assert zoo_command("verify", made / "artifact").status == 0
    damaged = tmp_path / "damaged"
    shutil.copytree(made / "artifact", damaged)
    shutil.copy(made / "copied-run" / digests.FILE, damaged / digests.FILE)
    answer = zoo_command("evaluate", damaged, "--data", f"folder:{made / 'data'}", "--out", tmp_path / "out")
    assert (answer.status, Refused.exit_status) == (1, 1)
    assert "digests.npz is not the file that the manifest lists" in answer.err


def test_old_artifacts_say_that_their_training_images_are_unknown(
    made: Path, tmp_path: Path, zoo_command: Command
) -> None:
    old = tmp_path / "old"
    shutil.copytree(made / "artifact", old)
    (old / digests.FILE).unlink()
    artifact.write(old, artifact.read(old))
    report, said = evaluate(zoo_command, old, tmp_path / "out", "--data", f"folder:{made / 'data'}")
    assert report["examples"] == 40
    assert report["overlap"]["examples"] is None
    assert "old was exported before zoo kept digests of the examples that a model was trained on" in said
    assert report["overlap"]["unknown"] in said


def test_old_runs_load_their_data_again(tmp_path: Path, images_folder: Path, zoo_command: Command) -> None:
    """If the data of such a run are gone, a message says that its training images are unknown."""
    shutil.copytree(images_folder, tmp_path / "data")
    old = untrained_run(tmp_path / "old", tmp_path / "data", "cnn", "small", 8)
    values = json.loads((old / run.DESCRIPTION).read_text())
    del values["data"]["overlap"], values["recipe"]["split"]["copies_together"]
    (old / run.DESCRIPTION).write_text(json.dumps(values))
    report, _ = evaluate(zoo_command, old, tmp_path / "one", "--data", f"folder:{tmp_path / 'data'}")
    assert report["overlap"] == {"examples": 48, "of": 60, "left_out": True, "unknown": None}
    (tmp_path / "data").rename(tmp_path / "moved")
    report, said = evaluate(zoo_command, old, tmp_path / "two", "--data", f"folder:{tmp_path / 'moved'}")
    assert (report["overlap"]["examples"], report["overlap"]["of"]) == (None, 60)
    assert (
        f"the measured examples may include training examples of the model: the data are not in {tmp_path / 'data'}"
        in said
    )


def test_images_that_the_initial_weights_were_trained_on_count(
    made: Path, tmp_path: Path, zoo_command: Command
) -> None:
    write_images(tmp_path / "new", classes=2, each=12, side=12, seed=7)
    write_images(tmp_path / "new/test", classes=2, each=3, side=12, seed=8)
    (tmp_path / "new/train").mkdir()
    for label in ("class0", "class1"):
        (tmp_path / "new" / label).rename(tmp_path / "new/train" / label)
        shutil.copy(made / "data" / label / "0.png", tmp_path / "new/test" / label / "old.png")
    answer = zoo_command(
        "train", "--weights", made / "run", "--data", f"folder:{tmp_path / 'new'}", "--out", tmp_path / "tuned", *FEW
    )
    assert answer.status == 0, answer.err
    had_seen = [line for line in answer.err.splitlines() if "training examples of the initial weights" in line]
    assert len(had_seen) == 1
    count = int(had_seen[0].split()[0])
    assert answer.err.splitlines()[-1].endswith(f"8 images, {count} of which it has seen in training or validation)")
    recorded = run.read_finished(tmp_path / "tuned").data
    assert recorded is not None
    assert recorded.overlap == {"validation": 0, "test": count}
    report, _ = evaluate(zoo_command, tmp_path / "tuned", tmp_path / "one")
    # One or both were in the first run's own test split.
    assert report["overlap"]["examples"] == count
    report, _ = evaluate(zoo_command, tmp_path / "tuned", tmp_path / "two", "--data", f"folder:{made / 'data'}")
    assert report["overlap"] == {"examples": 32, "of": 40, "left_out": True, "unknown": None}


def test_training_says_which_test_images_are_training_images(made: Path) -> None:
    said = (made / "said.txt").read_text()
    assert "36 of 40 test examples are also training examples: test/class0/" in said
    assert "4 of 40 test examples are also validation examples: test/class" in said
    assert said.splitlines()[-1].endswith("40 images, 40 of which it has seen in training or validation)")


def test_a_folder_that_has_moved_is_found_by_every_verb(made: Path, tmp_path: Path, zoo_command: Command) -> None:
    shutil.copytree(made / "data", tmp_path / "moved")
    one = tmp_path / "run"
    shutil.copytree(made / "run", one)
    values = json.loads((one / run.DESCRIPTION).read_text())
    values["data"]["source"] = f"folder:{tmp_path / 'data'}"
    (one / run.DESCRIPTION).write_text(json.dumps(values))
    before = run.read(one).data
    for verb, *options in (["evaluate"], ["export", "--onnx"]):
        answer = zoo_command(verb, one, *options, "--out", tmp_path / "out")
        assert answer.status == 2
        assert "--data-dir in which folder they are now" in answer.err
        assert zoo_command(verb, one, *options, "--out", tmp_path / verb, "--data-dir", tmp_path / "moved").status == 0
    assert zoo_command("evaluate", tmp_path / "export", "--out", tmp_path / "o", "--data-dir", tmp_path / "moved").status == 0  # noqa: E501  # fmt: skip
    values["provenance"]["finished"] = None
    (one / run.DESCRIPTION).write_text(json.dumps(values))
    assert "--data-dir" in zoo_command("train", "--resume", one).err
    answer = zoo_command("train", "--resume", one, "--data-dir", tmp_path / "moved")
    assert answer.status == 0, answer.err
    recorded = run.read_finished(one).data
    assert recorded is not None
    assert recorded.source == f"folder:{tmp_path / 'moved'}"
    assert dataclasses.replace(recorded, source=values["data"]["source"]) == before
    assert zoo_command("evaluate", one, "--out", tmp_path / "where-it-was-resumed").status == 0
    (tmp_path / "moved/class0/0.png").write_bytes(b"no image any more")
    values["provenance"]["finished"] = "2026-01-01"
    (one / run.DESCRIPTION).write_text(json.dumps(values))
    answer = zoo_command("evaluate", one, "--data-dir", tmp_path / "moved")
    assert answer.status == 2
    assert "has changed since it was trained on" in answer.err
    assert "1 cannot be read now: class0/0.png: " in answer.err
    assert "--bad-examples" not in answer.err


def test_evaluate_leaves_bad_images_out_when_told(made: Path, tmp_path: Path, zoo_command: Command) -> None:
    write_images(tmp_path / "new", classes=2, each=4, side=12, seed=7)
    (tmp_path / "new/class0/bad.jpg").write_text("<html>")
    other = ("--data", f"folder:{tmp_path / 'new'}")
    answer = zoo_command("evaluate", made / "artifact", *other)
    assert answer.status == 2
    assert "1 of 9 images" in answer.err
    assert "--bad-examples skip" in answer.err
    report, said = evaluate(zoo_command, made / "artifact", tmp_path / "out", *other, "--bad-examples", "skip")
    assert report["examples"] == 8
    assert report["data"]["skipped"][0].startswith("class0/bad.jpg: ")
    assert "left out: class0/bad.jpg: " in said


def test_labels_of_other_data_match_in_any_unicode_form(tmp_path: Path, zoo_command: Command) -> None:
    forms: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
    for form in forms:
        folder = write_images(tmp_path / form, classes=2, each=6, side=12, seed=len(form) + ord(form[-1]))
        (folder / "class0").rename(folder / unicodedata.normalize(form, "café"))
    untrained_run(tmp_path / "run", tmp_path / "NFC", "cnn", "small", 8)
    report, _ = evaluate(zoo_command, tmp_path / "run", tmp_path / "out", "--data", f"folder:{tmp_path / 'NFD'}")
    assert report["examples"] == 12
    assert "caf\u00e9" in {row["label"] for row in report["classes"]}
    arguments = ("train", "--weights", tmp_path / "run", "--data", f"folder:{tmp_path / 'NFD'}", *FEW)
    answer = zoo_command(*arguments, "--set", "batch_size=4", "--out", tmp_path / "tuned")
    assert "with its head" in answer.err
    (tmp_path / "NFD" / unicodedata.normalize("NFD", "café")).rename(tmp_path / "NFD/CAFE\u0301")
    answer = zoo_command("evaluate", tmp_path / "run", "--data", f"folder:{tmp_path / 'NFD'}")
    assert answer.status == 2
    assert r"(CAFE\u0301) for the model's 'café' (caf\xe9)" in answer.err


def test_a_card_says_that_test_images_were_trained_on(made: Path) -> None:
    manifest = artifact.read(made / "artifact")
    assert "in training or validation, too" not in model_card.text("one", manifest)
    assert manifest.data
    shared = dataclasses.replace(manifest.data, overlap={"validation": 0, "test": 5})
    text = model_card.text("one", dataclasses.replace(manifest, data=shared))
    assert "**5 of the 8 test images were in training or validation, too.**" in text


def test_large_images_do_not_set_the_input(tmp_path: Path) -> None:
    class Enough(Exception):
        """Ends a training once the network is described, because the test needs no training."""

    def preflight(model: Any) -> None:
        described.append(model)
        raise Enough

    described: list[Any] = []
    for name, sizes, settings, wanted, words in (
        ("large", [(300, 400)], [], (224, 224), "the images are 300×400 (height×width) and are scaled and cropped to"),
        ("long", [(8, 225)], [], (224, 224), "the images are 8×225"),
        ("edge", [(40, 224)], [], (40, 224), ""),
        ("small", [(20, 30)], [], (20, 30), ""),
        ("several", [(20, 30), (30, 30)], [], (224, 224), "the images differ in size and are scaled and cropped to"),
        ("asked", [(300, 400)], ["image.size=32"], (32, 32), ""),
    ):
        for label in "ab":
            (tmp_path / name / label).mkdir(parents=True)
            for number in range(4):
                shape = sizes[number % len(sizes)]
                pixels = np.full(shape, 20 * number + ord(label), np.uint8)
                Image.fromarray(pixels).save(tmp_path / name / label / f"{number}.png")
        said: list[str] = []
        with pytest.raises(Enough):
            data = DataRequest(f"folder:{tmp_path / name}")
            request = TrainingRequest(family="cnn", data=data, settings=["batch_size=2", *settings])
            start.start(request, Execution(strategy="single", say=said.append), preflight)
        assert described[-1].preprocessing.shape[:2] == wanted, name
        about_size = [line for line in said if "--set image.size=" in line]
        assert len(about_size) == bool(words), name
        assert all(line.startswith(words) for line in about_size)
