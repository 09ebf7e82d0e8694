"""Compare the latency of BERT in int8 with float32, both in turns within one process on onnxruntime's CPU provider.

OURS/FAMILY-SIZE.onnx are exported float32 files, from which the script makes the int8 files. The ratio is the median of
the ratios of paired latencies. Nothing else should run on the machine. `sequence_latency` compares float32 with the
peers.

usage: python -m benchmarks.int8_bert OURS [--only NAME...] [--seconds 3]

Writes results/int8_bert.json after each network; networks that are not named keep their figures. Ends with 1
where the bound does not hold.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.int8 import write_int8
from benchmarks.measured import record, recorded
from zoo.formats.onnx import inference_session
from zoo.turns import in_turns

HIGHEST = 0.50
"""The largest latency of an int8 file that is accepted, relative to the float32 file."""

CALIBRATING = 8
"""The number of random examples for calibration; the speed of an int8 file does not depend on its ranges."""

WARM_UP, FEWEST, MOST = 1, 5, 10_000
"""Rounds of warm-up, and the fewest and the most rounds that are measured."""

THREADS, BATCHES, LENGTHS = (1, 2), (1, 8), (16, 128, 384)
"""The settings; lengths are in tokens."""


def examples(names: Sequence[str], batch: int, length: int) -> dict[str, np.ndarray]:
    """Inputs of a network by the contract's names: random tokens, without padding."""
    generator = np.random.default_rng(0)
    made = {
        "input_ids": generator.integers(1000, 30_000, (batch, length)),
        "attention_mask": np.ones((batch, length), np.int64),
    }
    return {name: made[name] for name in names}


def latencies(files: Sequence[Path], threads: int, batch: int, length: int, seconds: float) -> np.ndarray:
    """Seconds of each file in each round, float64 [files, rounds]; each round runs all in a random order."""
    sessions = [inference_session(path, threads) for path in files]
    inputs = examples([one.name for one in sessions[0].get_inputs()], batch, length)
    calls = [functools.partial(session.run, ["logits"], inputs) for session in sessions]
    return in_turns(calls, seconds, fewest=FEWEST, most=MOST, warm_up=WARM_UP, order=np.random.default_rng(0))


def measure(int8: Path, float32: Path, seconds: float) -> list[dict[str, Any]]:
    """A row for each setting: medians in milliseconds, and the median of the paired ratios of int8 to float32."""
    rows = []
    for threads, batch, length in itertools.product(THREADS, BATCHES, LENGTHS):
        ours, peer = latencies([int8, float32], threads, batch, length, seconds)
        milliseconds = dict(zip(("int8", "float32"), (1e3 * np.median([ours, peer], 1)).round(2).tolist(), strict=True))
        row = {"threads": threads, "batch": batch, "length": length, "ms": milliseconds}
        row |= {"ratio": float(np.median(ours / peer)), "rounds": len(ours)}
        rows.append(row)
        print(float32.stem, row, file=sys.stderr, flush=True)
    return rows


def main() -> int:
    """Measure every network that is named."""
    parser = argparse.ArgumentParser(description="Compare the latency of BERT in int8 with float32.")
    parser.add_argument("ours", type=Path)
    parser.add_argument("--only", nargs="*", default=["bert-small", "bert-base"])
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of measuring per setting [3]")
    asked = parser.parse_args()
    networks = recorded("int8_bert").get("networks", {})
    for name in asked.only:
        float32 = asked.ours / f"{name}.onnx"
        with tempfile.TemporaryDirectory() as scratch:
            int8 = Path(scratch) / f"{name}.int8.onnx"
            names = [one.name for one in inference_session(float32).get_inputs()]
            write_int8(float32, int8, examples(names, CALIBRATING, LENGTHS[0]))
            networks[name] = measure(int8, float32, asked.seconds)
        worst = max(row["ratio"] for rows in networks.values() for row in rows)
        figures = {"bound": HIGHEST, "worst": worst, "holds": worst <= HIGHEST, "networks": networks}
        record("int8_bert", figures)
    return 0 if figures["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
