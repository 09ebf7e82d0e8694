"""Fashion-MNIST, from name to artifact: compare the ONNX file's accuracy on all 10,000 test images with Keras'.

usage: python -m benchmarks.fashion_mnist DATA_DIR SCRATCH      writes results/fashion_mnist.json
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measured import record, zoo


def main() -> None:
    """Train for six epochs, export, and evaluate the run and the file."""
    data_dir, scratch = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    run, artifact = scratch / "run", scratch / "artifact"
    data = ["--data", "tfds:fashion_mnist", "--data-dir", data_dir]
    trained = zoo("train", "cnn", "--size", "base", *data, "--epochs", 6, "--out", run)
    zoo("export", run, "--onnx", "--out", artifact)
    by_keras = zoo("evaluate", run, "--out", scratch / "keras")
    by_onnx = zoo("evaluate", artifact, "--out", scratch / "onnx")
    record(
        "fashion_mnist",
        {
            "train": trained["results"],
            "keras": {key: by_keras[key] for key in ("correct", "examples", "accuracy", "low", "high")},
            "onnx": {key: by_onnx[key] for key in ("correct", "examples", "accuracy", "low", "high")},
            "images_apart": abs(by_keras["correct"] - by_onnx["correct"]),
        },
        seed=trained["provenance"]["seed"],
    )


if __name__ == "__main__":
    main()
