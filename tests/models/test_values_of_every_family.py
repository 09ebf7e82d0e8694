"""Values instead of classes: every family builds a network for them, and images, texts and sound go all the way."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import soundfile
from PIL import Image

import zoo
from tests.conformance import EVERY
from zoo.errors import ZooError


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return f"csv:{path}"


def images(folder: Path) -> dict[str, Any]:
    """Gray images, and their brightness."""
    (folder / "images").mkdir()
    random, rows = np.random.default_rng(0), []
    for number in range(60):
        brightness = random.uniform(20, 220)
        Image.fromarray(np.full((12, 12), brightness, np.uint8)).save(folder / "images" / f"{number}.png")
        rows.append((f"images/{number}.png", f"{brightness:.3f}"))
    source = write_table(folder / "images.csv", ("file", "brightness"), rows)
    return {"data": source, "image_column": "file", "target_column": "brightness"}


def texts(folder: Path) -> dict[str, Any]:
    """Texts of good and bad words, and the number of good words less that of bad ones, plus 5.5."""
    random, rows = np.random.default_rng(0), []
    for number in range(120):
        words = random.choice(["good", "bad", "table"], 6)
        stars = 5.5 + int((words == "good").sum()) - int((words == "bad").sum())
        rows.append((f"{' '.join(words)} {number}", stars))
    source = write_table(folder / "texts.csv", ("text", "stars"), rows)
    return {"data": source, "text_column": "text", "target_column": "stars"}


def sounds(folder: Path) -> dict[str, Any]:
    """Tones, and the logarithm of their frequency."""
    (folder / "sounds").mkdir()
    random, rows, time = np.random.default_rng(0), [], np.arange(8_000) / 16_000
    for number in range(60):
        pitch = random.uniform(7, 12)
        tone = 0.3 * np.sin(2 * np.pi * 2**pitch * time) + random.normal(scale=0.01, size=len(time))
        soundfile.write(folder / "sounds" / f"{number}.flac", tone, 16_000)
        rows.append((f"sounds/{number}.flac", f"{pitch:.4f}"))
    source = write_table(folder / "sounds.csv", ("file", "pitch"), rows)
    return {"data": source, "audio_column": "file", "target_column": "pitch"}


@pytest.mark.parametrize(("family", "size"), EVERY)
def test_every_family_builds_a_network_for_values(family: str, size: str) -> None:
    model = zoo.create(family, size=size, task="values", classes=1)
    assert model.output_shape == (None, 1)


def test_one_class_is_refused_with_the_task_that_takes_one() -> None:
    with pytest.raises(ZooError, match="classes=1: a whole number of at least 2 is needed; task='values' takes 1"):
        zoo.create("cnn", classes=1)


@pytest.mark.parametrize(
    ("family", "data", "settings"),
    [
        ("cnn", images, {"epochs": 12, "batch_size": 8}),
        ("lstm", texts, {"epochs": 2, "text.max_length": 12}),
        ("keyword", sounds, {"epochs": 2, "batch_size": 8}),
    ],
)
@pytest.mark.usefixtures("no_trial_export")
def test_values_go_all_the_way(family: str, data: Any, settings: dict[str, Any], tmp_path: Path) -> None:
    run = zoo.train(family, **data(tmp_path), set=settings, out=tmp_path / "run")
    assert run.test_score.metric == "r2"
    made = zoo.export_run(run, out=tmp_path / "artifact")
    assert zoo.verify(made).passed
    evaluated = zoo.evaluate(made, out=tmp_path / "evaluation")
    assert evaluated.evaluation.r2 == pytest.approx(made.manifest.score["onnx"].value, abs=1e-6)
    session = onnxruntime.InferenceSession(tmp_path / "artifact" / "onnx/model.onnx")
    assert [output.name for output in session.get_outputs()] == ["values"]
    if family == "cnn":
        assert run.test_score.value > 0.8
        (answer,) = zoo.predict(made, tmp_path / "images/0.png")
        brightness = float(np.asarray(Image.open(tmp_path / "images/0.png")).mean())
        assert answer.answer.plain()["values"]["brightness"] == pytest.approx(brightness, abs=60)


@pytest.mark.usefixtures("no_trial_export")
def test_a_network_of_classes_is_fine_tuned_for_values(tmp_path: Path) -> None:
    first = zoo.train("cnn", data="digits", epochs=1, out=tmp_path / "first")
    second = zoo.train(weights=first, **images(tmp_path), epochs=1, out=tmp_path / "second")
    assert second.run.initial is not None
    assert second.run.initial.new_head
    assert second.run.model.task == "values"
