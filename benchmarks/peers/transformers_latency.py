"""Compare the latency of zoo's ONNX files with PyTorch's own exports of transformers' networks, and with int8.

OURS/FAMILY-SIZE.onnx are files of the contract, PEERS/FAMILY-SIZE/script.onnx and dynamo.onnx those that
`export_transformers --onnx` writes. All files of a network run in turns within one process, and processor time counts,
which other processes do not add to. The ratio is that to the faster of the peers. With --int8 the time of zoo's int8
file is measured as well, as a share of the float32 file's.

usage: .venv/bin/python -m benchmarks.peers.transformers_latency OURS PEERS [--only NAME...] [--int8] [--seconds 3]

Writes results/transformers_latency.json after each network; networks that are not named keep their figures. Ends with 1
where a bound does not hold.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.int8 import write_int8
from benchmarks.measured import record, recorded
from benchmarks.peers.compare_latency import geometric_mean
from zoo.formats.onnx import inference_session

HIGHEST, HIGHEST_MEAN, HIGHEST_INT8 = 1.02, 0.98, 0.50
"""Latency as a multiple of the faster peer's, each and on average, and of an int8 file as one of float32's."""

THREADS, BATCHES = (1, 2), (1, 8)

CALIBRATING = 8
"""Random examples that calibrate an int8 file, whose speed does not depend on its ranges."""

WARMUP, FEWEST = 1, 5
"""Rounds that do not count, and those that are made in any case."""

SECOND = 16_000
"""Samples of a second of sound."""

LENGTHS = {"bert": (16, 128, 384), "wav2vec2": (SECOND, 5 * SECOND)}
"""By family, the lengths of inputs: tokens or samples."""


def examples(names: Sequence[str], batch: int, length: int) -> dict[str, np.ndarray]:
    """Inputs of a network by the contract's names: random ones, without padding."""
    generator = np.random.default_rng(0)
    made: dict[str, Callable[[], np.ndarray]] = {
        "input_ids": lambda: generator.integers(1000, 30_000, (batch, length)),
        "attention_mask": lambda: np.ones((batch, length), np.int64),
        "waveform": lambda: generator.normal(size=(batch, length)).astype(np.float32),
    }
    return {name: made[name]() for name in names}


def in_turns(files: Sequence[Path], threads: int, batch: int, length: int, seconds: float) -> np.ndarray:
    """Processor seconds of each file in each round, float64 [rounds, files]; each round runs all in a random order."""
    generator, rounds = np.random.default_rng(0), list[list[float]]()
    sessions = [inference_session(path, threads) for path in files]
    inputs = examples([one.name for one in sessions[0].get_inputs()], batch, length)
    end = time.perf_counter() + seconds
    while len(rounds) < WARMUP + FEWEST or time.perf_counter() < end:
        spent = [0.0] * len(files)
        for number in generator.permutation(len(files)):
            start = time.process_time()
            sessions[number].run(["logits"], inputs)
            spent[number] = time.process_time() - start
        rounds.append(spent)
    return np.array(rounds[WARMUP:])


def measure(ours: Path, peers: dict[str, Path], lengths: Sequence[int], seconds: float) -> list[dict[str, Any]]:
    """A row for each setting: medians in milliseconds, and the median of the paired ratios to the faster peer."""
    rows = []
    for threads, batch, length in itertools.product(THREADS, BATCHES, lengths):
        times = in_turns([ours, *peers.values()], threads, batch, length, seconds)
        medians = np.median(times, 0)
        fastest = int(np.argmin(medians[1:])) + 1
        milliseconds = dict(zip(["zoo", *peers], (1e3 * medians).round(2).tolist(), strict=True))
        row = {"threads": threads, "batch": batch, "length": length, "ms": milliseconds}
        row |= {"ratio": float(np.median(times[:, 0] / times[:, fastest])), "rounds": len(times)}
        rows.append(row)
        print(ours.stem, row, file=sys.stderr, flush=True)
    return rows


def main() -> int:
    """Measure every network that has files on both sides."""
    parser = argparse.ArgumentParser(description="Compare zoo's latency with PyTorch's exports of transformers.")
    parser.add_argument("ours", type=Path)
    parser.add_argument("peers", type=Path)
    parser.add_argument("--only", nargs="*", default=["bert-small", "bert-base"])
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each setting [3]")
    asked = parser.parse_args()
    networks = recorded("transformers_latency").get("networks", {})
    for name in asked.only:
        ours, lengths = asked.ours / f"{name}.onnx", LENGTHS[name.partition("-")[0]]
        peers = {kind: asked.peers / name / f"{kind}.onnx" for kind in ("script", "dynamo")}
        networks[name] = {"float32": measure(ours, peers, lengths, asked.seconds)}
        if asked.int8:
            with tempfile.TemporaryDirectory() as scratch:
                int8 = Path(scratch) / f"{name}.int8.onnx"
                names = [one.name for one in inference_session(ours).get_inputs()]
                write_int8(ours, int8, examples(names, CALIBRATING, lengths[0]))
                networks[name]["int8"] = measure(int8, {"float32": ours}, lengths, asked.seconds)
        figures = summary(networks)
        record("transformers_latency", figures)
    return 0 if figures["holds"] else 1


def summary(networks: dict[str, Any]) -> dict[str, Any]:
    """All figures, with the worst and the mean of each kind."""
    ratios = {
        kind: [row["ratio"] for one in networks.values() for row in one.get(kind, ())] for kind in ("float32", "int8")
    }
    found = {
        "worst": max(ratios["float32"]),
        "geometric_mean": geometric_mean(ratios["float32"]),
        "worst_int8": max(ratios["int8"], default=None),
    }
    holds = found["worst"] <= HIGHEST and found["geometric_mean"] <= HIGHEST_MEAN
    return {
        "bounds": {"each": HIGHEST, "geometric_mean": HIGHEST_MEAN, "int8": HIGHEST_INT8},
        **found,
        "holds": holds and (found["worst_int8"] or 0) <= HIGHEST_INT8,
        "networks": networks,
    }


if __name__ == "__main__":
    sys.exit(main())
