"""The moving average of the weights: its formula, and that a run evaluates, keeps and resumes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.training.test_training import train
from tests.training.tiny import tiny_network
from zoo import run, weights_file
from zoo.training.average import Average


@pytest.mark.parametrize("kind", [tf.distribute.OneDeviceStrategy, tf.distribute.MirroredStrategy])
def test_the_average_follows_weights_and_statistics(kind: Any) -> None:
    strategy = kind(["CPU:0"] if kind is tf.distribute.MirroredStrategy else "CPU:0")
    with strategy.scope():
        trained, model = tiny_network(), tiny_network()
    average = Average(model, trained, 0.5)
    average.start()
    expected = {name: variable.numpy() for name, variable in weights_file.weights(trained).items()}

    @tf.function
    def update(updates: Any) -> None:
        average.update(strategy, updates)

    for updates in (1, 2, 30):
        for variable in trained.weights:
            variable.assign(variable.numpy() + updates)
        update(tf.constant(updates))
        decay = min(0.5, (1 + updates) / (10 + updates))
        for name, variable in weights_file.weights(trained).items():
            expected[name] = decay * expected[name] + (1 - decay) * variable.numpy()
    for name, variable in weights_file.weights(model).items():
        np.testing.assert_allclose(variable.numpy(), expected[name], rtol=1e-5, err_msg=name)


def test_a_run_keeps_the_average_of_its_weights(tmp_path: Path) -> None:
    for name, settings in {"plain": (), "average": ("ema_decay=0.9",)}.items():
        train(tmp_path / name, "epochs=2", "keep=last", *settings)
    plain, kept = (weights_file.read(tmp_path / name / run.WEIGHTS)[0] for name in ("plain", "average"))
    last, _ = weights_file.read(tmp_path / "average" / run.LAST)
    for name, values in plain.items():
        np.testing.assert_array_equal(last[f"model/{name}"], values, "the average does not change the training")
        np.testing.assert_array_equal(last[f"average/{name}"], kept[name])
    assert any((kept[name] != plain[name]).any() for name in plain)
