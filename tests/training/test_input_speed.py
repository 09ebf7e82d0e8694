"""`zoo benchmark --data` tells whether a training would wait for its input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Answer
from zoo.training import input_speed
from zoo.training.input_speed import InputSpeed


@pytest.mark.parametrize(
    ("speeds", "lost", "waits"),
    [((900.0, 100.0, 98.0), 0.02, False), ((100.0, 900.0, 90.0), 0.9, True), ((900.0, 100.0, 103.0), 0.0, False)],
)
def test_a_training_waits_if_it_is_slower_than_its_steps(
    speeds: tuple[float, float, float], lost: float, waits: bool
) -> None:
    found = InputSpeed("cnn small", "digits", 32, *speeds)
    assert found.lost == pytest.approx(lost)
    assert found.waits == waits
    assert found.to_dict()["waits"] == waits


def test_the_speeds_of_a_training_are_measured_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zoo_command: Callable[..., Answer]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("benchmark", "--data", "digits", "--family", "cnn", "--set", "batch_size=64", "--seconds", "0.1")
    answer = zoo_command(*asked, "--json")
    assert answer.status == 0, answer.err
    found = json.loads(answer.out)
    assert set(found) == {"provenance", "seconds", "training"}
    training = found["training"]
    assert (training["network"], training["source"], training["batch_size"]) == ("cnn small", "digits", 64)
    assert min(training["input"], training["steps"], training["training"]) > 0
    assert list(tmp_path.iterdir()) == []


def test_the_steps_are_measured_as_a_training_makes_them(
    monkeypatch: pytest.MonkeyPatch, zoo_command: Callable[..., Answer]
) -> None:
    """On GPUs, a training in float32 multiplies in TensorFloat-32."""
    import tensorflow as tf

    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    seen: list[bool] = []

    def rate(step: object, wait: object, seconds: float) -> float:
        seen.append(enabled())
        return 1.0

    monkeypatch.setattr(input_speed, "_rate", rate)
    before = enabled()
    answer = zoo_command("benchmark", "--data", "iris", "--family", "linear", "--seconds", "0.1", "--json")
    assert answer.status == 0, answer.err
    assert len(seen) == 9
    assert all(seen)
    assert enabled() == before


def test_what_is_wrong_is_refused(zoo_command: Callable[..., Answer]) -> None:
    for asked, part in (
        (("--data", "digits", "--family", "cnn", "--csv", "rows.csv"), "leave artifacts"),
        (
            ("--data", "digits", "--family", "cnn", "--seconds", "0"),
            "--seconds 0 is out of range: give a number",
        ),
        (("--data", "digits", "--family", "resnot"), "did you mean 'resnet'"),
        (("--set", "batch_size=3"), "leave --set out, or name the data of a training with --data"),
    ):
        answer = zoo_command("benchmark", *asked)
        assert answer.status == 2
        assert part in answer.err
