"""Two replicas and one device give the same result for a network of texts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from zoo.inputs.text.messages import messages

# Dropout draws other values on each replica, so it is left out. The devices of a process are fixed, so each training
# has one of its own.
TRAIN = """
import sys
from pathlib import Path
import keras
from zoo.dropout import Dropout
from zoo.training import start
from zoo.training.request import DataRequest, Execution, TrainingRequest
Dropout.call = lambda layer, x, training=False: x
out, devices, source, *settings = sys.argv[1:]
request = TrainingRequest(family="lstm", data=DataRequest(source), settings=settings, out=Path(out))
start.start(request, Execution(devices=int(devices)), lambda model: None)
"""


@pytest.mark.full
def test_two_replicas_train_an_lstm_as_one_device_does(tmp_path: Path) -> None:
    for number, (label, text) in enumerate(messages(12)):
        if label in ("alarm", "lights"):
            (tmp_path / "texts" / label).mkdir(parents=True, exist_ok=True)
            (tmp_path / "texts" / label / f"{number}.txt").write_text(text, encoding="utf-8")
    settings = ["epochs=2", "batch_size=4", "keep=last", "precision=float64", "text.vocabulary=200"]
    weights = []
    for devices in ("1", "2"):
        out = tmp_path / devices
        command = [sys.executable, "-c", TRAIN, str(out), devices, f"folder:{tmp_path / 'texts'}", *settings]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        weights.append(load_file(out / "weights.safetensors"))
    one, two = weights
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert value.dtype == np.float64
        np.testing.assert_allclose(two[name], value, rtol=1e-9, atol=1e-11, err_msg=name)
