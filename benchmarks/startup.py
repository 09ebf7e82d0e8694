"""Time of the commands without training, as whole processes, interleaved with the start of a bare interpreter.

usage: python -m benchmarks.startup ARTIFACT IMAGE [--rounds 15]      writes results/startup.json
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np

from benchmarks.measured import record
from zoo.serving.statistics import median_interval


def main() -> None:
    """Time every command once a round, in turn."""
    parser = argparse.ArgumentParser()
    parser.add_argument("artifact")
    parser.add_argument("image")
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    zoo = [sys.executable, "-m", "zoo"]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "zoo --help": [*zoo, "--help"],
        "zoo list": [*zoo, "list"],
        "zoo list 'conv*' --json": [*zoo, "list", "conv*", "--json"],
        "zoo info vit --size large": [*zoo, "info", "vit", "--size", "large"],
        "zoo predict ARTIFACT IMAGE": [*zoo, "predict", asked.artifact, asked.image],
        "zoo verify ARTIFACT": [*zoo, "verify", asked.artifact],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(asked.rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            # The first round warms the file caches and is not counted.
            if number:
                seconds[name].append(time.perf_counter() - start)
    rows = {}
    for name, values in seconds.items():
        low, high = median_interval(np.array(values))
        rows[name] = {"median_s": float(np.median(values)), "low_s": low, "high_s": high, "runs": len(values)}
    record("startup", rows)


if __name__ == "__main__":
    main()
