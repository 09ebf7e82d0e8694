"""Distance of two replicas from one device after 20 steps of resnet small, in float64 and in float32.

The control compares one device with itself: the same command with TensorFlow's other convolution kernels, which round
differently. Differences that are as large in the control are due to rounding, not to the replicas.

usage: python -m benchmarks.replicas SCRATCH      writes results/replicas.json
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from benchmarks.measured import record, zoo

FEW_IMAGES = ["split.test=0.45", "split.validation=0.47", "batch_size=26"]
SETTINGS = [*FEW_IMAGES, "image.shift=0", "keep=last"]
ONE, TWO = ["--strategy", "single"], ["--devices", 2, "--strategy", "mirrored"]


def train(scratch: Path, name: str, devices: Sequence[object], *settings: str) -> dict[str, np.ndarray]:
    """The weights and statistics after 20 steps."""
    changes = [part for setting in (*SETTINGS, *settings) for part in ("--set", setting)]
    zoo("train", "resnet", "--size", "small", "--epochs", 1, *devices, *changes, "--out", scratch / name)
    return load_file(scratch / name / "weights.safetensors")


def distance(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> dict[str, float | str]:
    """Relative differences of the worst variable, of the worst batch statistic, and of all variables together."""
    apart = {name: np.linalg.norm(two[name].astype(np.float64) - value) for name, value in one.items()}
    size = {name: np.linalg.norm(value.astype(np.float64)) for name, value in one.items()}
    relative = {name: float(apart[name] / size[name]) for name in one}
    worst = max(relative, key=lambda name: relative[name])
    return {
        "worst_variable": worst,
        "worst": relative[worst],
        "worst_statistic": max(value for name, value in relative.items() if "moving" in name),
        "together": float(np.linalg.norm(list(apart.values())) / np.linalg.norm(list(size.values()))),
    }


def main() -> None:
    """One device, two replicas, and the control, at each precision."""
    scratch = Path(sys.argv[1])
    figures: dict[str, dict[str, Any]] = {}
    for precision, *more in (("float64",), ("float32",), ("float32", "optimizer.lr=1e-4")):
        title = " ".join((precision, *more))
        settings = [f"precision={precision}", *more]
        one = train(scratch, f"{title} one", ONE, *settings)
        two = train(scratch, f"{title} two", TWO, *settings)
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
        control = train(scratch, f"{title} control", ONE, *settings)
        del os.environ["TF_ENABLE_ONEDNN_OPTS"]
        figures[title] = {"two replicas": distance(one, two), "control": distance(one, control)}
    record("replicas", figures)


if __name__ == "__main__":
    main()
