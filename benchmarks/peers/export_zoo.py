"""Export zoo's networks with the peers' weights through the command line, to compare them with the peers' files.

usage: .venv/bin/python -m benchmarks.peers.export_zoo WEIGHTS OUT [--only NAME...] [--image-size 224]

WEIGHTS is a folder that `export_timm --weights` wrote. Writes OUT/FAMILY-SIZE.onnx: uint8 NHWC in, logits and
probabilities out.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.measured import zoo
from benchmarks.peers.table import add_only, peers, with_weights


def main() -> None:
    """Export every network that is asked for and has weights."""
    parser = argparse.ArgumentParser(description="Export zoo's networks with the peers' weights to ONNX.")
    parser.add_argument("weights", type=Path, help="the folder that export_timm --weights wrote")
    parser.add_argument("out", type=Path, help="the folder to write to")
    add_only(parser)
    parser.add_argument("--image-size", type=int, default=224, help="the side of the images in pixels [224]")
    asked = parser.parse_args()
    wanted = peers(asked.only)
    asked.out.mkdir(parents=True, exist_ok=True)
    for peer in with_weights(asked.weights):
        if peer in wanted:
            with tempfile.TemporaryDirectory(dir=asked.out) as scratch:
                run, artifact = Path(scratch) / "run", Path(scratch) / peer.name
                pull(asked.weights, peer.family, peer.size, asked.image_size, run)
                zoo("export", run, "--onnx", "--out", artifact)
                (artifact / "onnx" / "model.onnx").replace(asked.out / f"{peer.name}.onnx")


def pull(weights: Path, family: str, size: str, image_size: int, run: Path) -> None:
    """Make a run from the peer's weights."""
    file = weights / f"{family}-{size}.safetensors"
    told = ("--size", size, "--file", file, "--image-size", image_size, "--license", "Apache-2.0")
    zoo("pull", family, *told, "--out", run)


if __name__ == "__main__":
    main()
