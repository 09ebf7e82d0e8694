"""Whether zoo's networks say what timm's say with the same weights.

Each FOLDER holds FAMILY-SIZE.safetensors and FAMILY-SIZE.npz (`image`, float32 [batch, height, width, channels] as fed
to the network, and the peer's `logits`), as `export_timm.py --weights` and `peers_channels.py` write them. Where a
difference is above the bound, both are also held against zoo's network in float64. Where the peer's own float32 is
further than the bound from that, the weights amplify rounding, and no float32 can be held to another.

usage: python benchmarks/peers.py SCRATCH FOLDER...      writes results/peers.json; ends with 1 where it does not hold
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from measured import record

import zoo
from zoo.quiet import wake_tensorflow
from zoo.weights.pull import pull
from zoo.weights.read import read_timm

BOUND = 1e-4


def compare(weights: Path, scratch: Path) -> dict[str, Any]:
    """The largest difference of logits, as a share of the largest logit, of a network pulled from the peer's file."""
    family, _, size = weights.stem.partition("-")
    answers = np.load(weights.with_suffix(".npz"), allow_pickle=False)
    image, expected = answers["image"], answers["logits"]
    height, _, channels = image.shape[1:]
    run = scratch / weights.stem
    pull(
        family,
        size=size,
        file=weights,
        licence="Apache-2.0",
        classes=expected.shape[1],
        image_size=height,
        channels=channels,
        out=run,
    )

    def apart(logits: np.ndarray) -> float:
        return float(np.abs(logits - expected).max() / np.abs(expected).max())

    ours = zoo.load(run)(image, training=False).numpy()
    shutil.rmtree(run)
    figures: dict[str, Any] = {"input": list(image.shape[1:]), "classes": expected.shape[1], "difference": apart(ours)}
    if figures["difference"] > BOUND:
        exact = zoo.create(
            family, size=size, classes=expected.shape[1], input_shape=image.shape[1:], precision="float64"
        )
        read_timm(weights, exact, family, size)
        truth = exact(image.astype(np.float64), training=False).numpy()
        largest = np.abs(truth).max()
        figures["zoo_from_its_float64"] = float(np.abs(ours - truth).max() / largest)
        figures["peer_from_zoos_float64"] = float(np.abs(expected - truth).max() / largest)
    return figures


def main() -> int:
    """Every network of every folder."""
    wake_tensorflow()
    scratch, *folders = map(Path, sys.argv[1:])
    figures: dict[str, Any] = {}
    for folder in folders:
        for weights in sorted(folder.glob("*.safetensors")):
            if weights.with_suffix(".npz").exists():
                key = f"{folder.name}/{weights.stem}"
                figures[key] = compare(weights, scratch)
                print(key, figures[key], file=sys.stderr, flush=True)
    above = [key for key, found in figures.items() if found["difference"] > BOUND]
    amplified = [key for key in above if figures[key]["peer_from_zoos_float64"] > BOUND]
    found = {"bound": BOUND, "networks": figures, "above": above, "peer_above_from_float64_too": amplified}
    record("peers", found)
    return 0 if figures and above == amplified else 1


if __name__ == "__main__":
    sys.exit(main())
