"""Images that are too narrow to be scaled, and the preprocessing that a run keeps from training to evaluation."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tests.conftest import Answer, write_images
from tests.inputs.audio.sounds import encoded, noise
from tests.trainings import SINGLE, passes
from zoo import run, schema
from zoo.data.example import BadExamples
from zoo.description import Model
from zoo.errors import ZooError
from zoo.inputs.image.data import adapted
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings
from zoo.recipe import Recipe, override
from zoo.training import start
from zoo.training.request import DataRequest, TrainingRequest

NEEDLE = "cat/3.png: 2200 by 1 pixels are too narrow to be scaled to cover 224 by 224"


@pytest.fixture
def needles(tmp_path: Path) -> Path:
    """Two classes of ten small images; one of them is a line of pixels."""
    for number, label in enumerate(("cat", "dog")):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(10):
            pixels = np.random.default_rng(20 * number + index).integers(0, 256, (12, 10, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / label / f"{index}.png")
    Image.new("RGB", (2200, 1), (10, 90, 200)).save(tmp_path / "data" / "cat" / "3.png")
    return tmp_path / "data"


class Interrupted(keras.callbacks.Callback):
    """Ends a training after its first epoch, as a signal would."""

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        raise KeyboardInterrupt


def train(data: Path, out: Path, said: list[str], bad_examples: BadExamples) -> Path:
    settings = ["epochs=2", "batch_size=4", "image.size=224", "image.white_level=4095"]
    wanted = DataRequest(f"folder:{data}", bad_examples=bad_examples)
    request = TrainingRequest(family="cnn", size="small", data=wanted, settings=settings, out=out)
    return start.start(request, dataclasses.replace(SINGLE, callbacks=[Interrupted()], say=said.append), passes)


def test_a_needle_is_refused_by_name_or_left_out_by_every_verb(
    needles: Path, tmp_path: Path, zoo_command: Callable[..., Answer]
) -> None:
    out = tmp_path / "run"
    said: list[str] = []
    with pytest.raises(ZooError, match=rf"{NEEDLE}.*--bad-examples skip"):
        train(needles, out, said, "error")
    assert not out.exists()
    with pytest.raises(KeyboardInterrupt):
        train(needles, out, said, "skip")
    assert any(line.startswith(f"left out: {NEEDLE}") for line in said)
    begun = run.read(out)
    assert begun.data is not None
    assert sum(begun.data.counts.values()) == 19
    assert any(NEEDLE in line for line in begun.data.skipped)
    start.resume(out, None, SINGLE)
    done = run.read_finished(out)
    assert done.model.preprocessing.white_level == 4095
    assert done.model.preprocessing.background == "white"

    answer = zoo_command("evaluate", out, "--out", tmp_path / "evaluation", "--json")
    assert answer.status == 0, answer.err
    assert json.loads(answer.out)["examples"] == done.results["test_examples"] == begun.data.counts["test"]
    (needles / "dog" / "0.png").write_bytes((needles / "cat" / "3.png").read_bytes())
    answer = zoo_command("evaluate", out, "--data", f"folder:{needles}", "--out", tmp_path / "other")
    assert answer.status == 2
    assert NEEDLE in answer.err


def test_a_batch_fits_the_images_that_are_left(needles: Path, tmp_path: Path) -> None:
    split = tmp_path / "split"
    split.mkdir()
    needles.rename(split / "train")
    for number, name in enumerate(("val", "test")):
        for label in ("cat", "dog"):
            (split / name / label).mkdir(parents=True)
            shutil.copy(split / "train" / label / f"{number}.png", split / name / label)

    class Planned(Exception):
        """Ends a training before anything of it is written."""

    def stop(model: Model) -> None:
        raise Planned

    def plan(*settings: str) -> list[str]:
        said: list[str] = []
        data = DataRequest(f"folder:{split}", bad_examples="skip")
        asked = ("image.size=224", *settings)
        request = TrainingRequest(family="cnn", data=data, settings=asked, out=tmp_path / "run")
        with pytest.raises(Planned):
            start.start(request, dataclasses.replace(SINGLE, say=said.append), stop)
        return said

    assert "a batch has 19 examples: 19 training examples are fewer than 20" in plan()
    with pytest.raises(ZooError, match="a batch of 20 is more than the 19 training examples"):
        plan("batch_size=20")
    assert not (tmp_path / "run").exists()


def test_a_run_of_before_reads_its_images_as_it_did() -> None:
    """Its recipe and preprocessing lack the fields; a run that starts from its weights reads images in the same way."""
    recipe = schema.to_dict(Recipe(input=ImageSettings()))
    preprocessing = schema.to_dict(Preprocessing(8, 8, 3, (0.5,) * 3, (0.5,) * 3))
    for record in (recipe["input"], preprocessing):
        del record["white_level"], record["background"]
    assert schema.parse(Recipe, recipe, "recipe").input == ImageSettings()
    old = schema.parse(Preprocessing, preprocessing, "preprocessing")
    assert (old.white_level, old.background) == (65535, "none")
    assert adapted(old, ImageSettings()) == old
    changed = adapted(old, ImageSettings(white_level=4095, background="black"))
    assert (changed.white_level, changed.background) == (4095, "black")


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("image.white_level=70000", "white_level should be less than or equal to 65535"),
        ("image.background=red", "background should be 'auto', 'none', 'white' or 'black'"),
    ],
)
def test_what_no_image_has_cannot_be_set(setting: str, part: str) -> None:
    with pytest.raises(ZooError, match=part):
        override(Recipe(input=ImageSettings()), [setting])


@pytest.mark.parametrize(("kind", "moment"), [("image", 0), ("image", 1), ("audio", 1)])
def test_a_training_whose_files_disappear_is_saved_and_ends_in_one_line(tmp_path: Path, kind: str, moment: int) -> None:
    """The files disappear before the first batch of an epoch, also before the first one of all."""
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    if kind == "image":
        write_images(data, classes=2, each=20, side=12)
    else:
        for number in range(40):
            path = data / f"class{number % 2}" / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(noise(3_200, seed=number)))

    class Mover(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            if epoch == moment:
                data.rename(elsewhere)

    family = "cnn" if kind == "image" else "keyword"
    settings = ["epochs=3", "batch_size=4", *(["audio.seconds=0.2"] if kind == "audio" else [])]
    request = TrainingRequest(
        family=family, data=DataRequest(f"folder:{data}"), settings=settings, out=tmp_path / "run"
    )
    with pytest.raises(ZooError, match=r"a batch cannot be read .*put the data back as they were") as error:
        start.start(request, dataclasses.replace(SINGLE, callbacks=[Mover()]), passes)
    assert "\n" not in str(error.value)
    assert "{{" not in str(error.value)
    elsewhere.rename(data)
    start.resume(tmp_path / "run", None, SINGLE)
    assert run.read_finished(tmp_path / "run").results["epochs"] == 3
