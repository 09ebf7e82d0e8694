"""Studies and scales of networks that take images, texts and sound; the other modules of this folder have tables."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo
from tests.inputs.audio.sounds import encoded, noise
from zoo import run

pytestmark = pytest.mark.full

SPACE = {"optimizer.lr": {"low": 1e-4, "high": 1e-2, "log": True}, "network.width": [0.5, 1.0]}


def clips(folder: Path) -> str:
    """Two classes of 20 short clips each."""
    for number in range(40):
        path = folder / f"class{number % 2}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(noise(3_200, seed=number)))
    return f"folder:{folder}"


@pytest.mark.parametrize("family", ["cnn", "lstm", "keyword"])
def test_a_study_tries_two_recipes_and_keeps_the_best_run(family: str, tmp_path: Path) -> None:
    data = {"cnn": "digits", "lstm": "messages"}.get(family) or clips(tmp_path / "clips")
    settings = ["batch_size=8"] if family == "keyword" else []
    made = zoo.tune(
        family, size="small", data=data, epochs=1, trials=2, space=SPACE, set=settings, out=tmp_path / "study"
    )
    values = [trial.value for trial in made.trials]
    best = run.read_finished(tmp_path / "study" / "best")
    assert (best.model.family, best.model.size) == (family, "small")
    assert best.results["val_accuracy"] == max(value for value in values if value is not None)
    assert None not in values, [trial.reason for trial in made.trials]
    assert made.trials[1].params.keys() == SPACE.keys()
    assert best.results["test_accuracy"] >= 0


@pytest.mark.usefixtures("no_trial_export")
def test_a_scale_of_networks_of_images_measures_each_width(tmp_path: Path) -> None:
    made = zoo.scale("cnn", widths=[0.5, 1], data="digits", epochs=1, seconds=0.1, out=tmp_path / "scale")
    rows = made.record.results["networks"]
    assert [row["name"] for row in rows] == ["small-x0.5", "small"]
    assert rows[0]["parameters"] < rows[1]["parameters"]
    assert all(row["latency"]["p50_ms"] > 0 and row["not_exported"] is None for row in rows)
