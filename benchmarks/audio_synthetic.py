"""The accuracy of the keyword networks on synthetic speech, one seed each. It says nothing about human speech.

usage: python -m benchmarks.audio_synthetic SCRATCH      writes results/audio_synthetic.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.measured import record, zoo

SIZES = ("small", "base", "large")
EPOCHS, SEED = 15, 0


def main() -> None:
    """Train each size, and record its test accuracy with the 95 % interval, its parameters and its epochs."""
    scratch = Path(sys.argv[1])
    figures = {}
    for size in SIZES:
        zoo("train", "keyword", "--size", size, "--epochs", EPOCHS, "--seed", SEED, "--out", scratch / size)
        run = json.loads((scratch / size / "run.json").read_text(encoding="utf-8"))
        results = {name: run["results"][name] for name in ("test_accuracy", "test_interval", "test_examples")}
        figures[f"keyword-{size}"] = {**results, "parameters": run["model"]["parameters"], "epochs": EPOCHS}
    record("audio_synthetic", {"data": "synthetic_speech: made, not spoken", "networks": figures})


if __name__ == "__main__":
    main()
