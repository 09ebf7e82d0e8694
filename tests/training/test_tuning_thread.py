"""TensorFlow does not tune the pipelines that zoo reads: an iterator that ends may wait a minute for that thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import zoo
from tests import processes
from tests.conftest import leave_trial_exports_out

REPLICAS = Path(__file__).with_name("tuned_replicas.py")


@pytest.mark.parametrize(
    ("family", "data", "settings"),
    [
        ("linear", "iris", []),
        ("cnn", "digits", ["mixup=0.2"]),
        ("lstm", "messages", ["text.vocabulary=300"]),
        ("keyword", "synthetic_speech", []),
    ],
)
def test_no_pipeline_of_a_training_is_tuned(
    family: str, data: str, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    tuned: list[bool | None] = []
    begin = tf.data.Dataset.__iter__

    def recorded(dataset: Any) -> Any:
        tuned.append(dataset.options().autotune.enabled)
        return begin(dataset)

    leave_trial_exports_out(monkeypatch)
    monkeypatch.setattr(tf.data.Dataset, "__iter__", recorded)
    run = zoo.train(family, data=data, epochs=1, set=[*settings, "label_fraction=0.2"], out=tmp_path / "run")
    zoo.evaluate(run, out=tmp_path / "evaluation")
    assert set(tuned) == {False}
    assert len(tuned) >= 4, "training, validation, test and evaluation"


@pytest.mark.parametrize(
    ("family", "data", "settings"), [("linear", "iris", []), ("lstm", "messages", ["text.vocabulary=300"])]
)
def test_no_pipeline_of_several_logical_devices_is_tuned(
    family: str, data: str, settings: list[str], tmp_path: Path
) -> None:
    done = processes.run(REPLICAS, tmp_path / "run", family, data, "epochs=1", "label_fraction=0.2", *settings)
    assert done.returncode == 0, done.stderr[-3000:]
    tuned = done.stdout.split()
    assert {*tuned} == {"False"}
    assert len(tuned) >= 3, "training, validation and test"
