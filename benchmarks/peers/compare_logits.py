"""Compare the logits of zoo's networks with timm's for the same weights.

Each FOLDER holds FAMILY-SIZE.safetensors and FAMILY-SIZE.npz (`image`, float32 [batch, height, width, channels] as fed
to the network, and timm's `logits`), as `export_timm --weights`, `other_channels` and `other_sizes` write them. If a
difference in float32 is above the bound, both networks are also compared in float64 (`float64_logits` computes timm's
logits in the peers' environment), and the float32 logits of each network with its own float64 logits: some random
weights amplify rounding so much that float32 and float64 logits of one network differ by more than the bound.

usage: .venv/bin/python -m benchmarks.peers.compare_logits .peers/bin/python SCRATCH FOLDER...

Writes results/peers.json after each network. The exit status is 1 if networks differ.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from benchmarks.measured import record
from zoo.tensorflow_setup import import_keras
from zoo.weights.pull import pull
from zoo.weights.timm_reader import read_timm

BOUND = 1e-4
"""The largest difference of float32 logits that is accepted, relative to the largest logit."""

EXACT_BOUND = 1e-9
"""The same for float64 logits."""


def compare(weights: Path, scratch: Path, timm_python: str) -> dict[str, Any]:
    """The largest difference of the logits of a network with the peer's weights, relative to the largest logit."""
    family, _, size = weights.stem.partition("-")
    answers = np.load(weights.with_suffix(".npz"), allow_pickle=False)
    image, expected = answers["image"], answers["logits"]
    height, _, channels = image.shape[1:]
    run = scratch / weights.stem
    pull(
        family,
        size=size,
        file=weights,
        license="Apache-2.0",
        classes=expected.shape[1],
        image_size=height,
        channels=channels,
        out=run,
    )

    ours = zoo.load(run)(image, training=False).numpy()
    shutil.rmtree(run)
    difference = _apart(ours, expected)
    figures: dict[str, Any] = {"input": list(image.shape[1:]), "classes": expected.shape[1], "difference": difference}
    if difference > BOUND:
        exact = zoo.create(
            family,
            size=size,
            classes=expected.shape[1],
            input_shape=image.shape[1:],
            structure="reference",
            precision="float64",
        )
        read_timm(weights, exact, family, size)
        ours_exact = exact(image.astype(np.float64), training=False).numpy()
        command = [timm_python, "-m", "benchmarks.peers.float64_logits", str(weights.parent), "--only", weights.stem]
        subprocess.run(command, check=True)
        expected_exact = np.load(weights.with_suffix(".exact.npz"), allow_pickle=False)["logits"]
        figures["difference_in_float64"] = _apart(ours_exact, expected_exact)
        figures["float32_from_float64"] = {
            "zoo": _apart(ours, ours_exact),
            "peer": _apart(expected, expected_exact),
        }
    return figures


def _apart(logits: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


def main() -> int:
    """Every network of every folder."""
    parser = argparse.ArgumentParser(description="Compare the logits of zoo's networks with timm's.")
    parser.add_argument("timm_python", help="the Python that has PyTorch and timm")
    parser.add_argument("scratch", type=Path, help="a folder for temporary runs")
    parser.add_argument("folders", type=Path, nargs="+", help="folders that the scripts for timm wrote")
    asked = parser.parse_args()
    import_keras()
    figures: dict[str, Any] = {}
    weights = [path for folder in asked.folders for path in folder.glob("*.safetensors")]
    others: list[str] = []
    # The smallest networks come first, because all of them take hours and early records then cover every family.
    for path in sorted(weights, key=lambda path: path.stat().st_size):
        if path.with_suffix(".npz").exists():
            key = f"{path.parent.name}/{path.stem}"
            figures[key] = compare(path, asked.scratch, asked.timm_python)
            print(key, figures[key], file=sys.stderr, flush=True)
            above = [key for key, found in figures.items() if found["difference"] > BOUND]
            others = [key for key in above if figures[key]["difference_in_float64"] > EXACT_BOUND]
            networks = dict(sorted(figures.items()))
            record("peers", {"bound": BOUND, "networks": networks, "above": above, "above_in_float64_too": others})
    return 1 if others or not figures else 0


if __name__ == "__main__":
    sys.exit(main())
