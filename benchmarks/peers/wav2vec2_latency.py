"""Compare the latency of zoo's ONNX file of Wav2Vec 2.0 base with torch's, in turns within one process.

FOLDER holds zoo/base-classes.SAMPLES.onnx, as `export_zoo_wav2vec2` writes them, and
torch/base-classes.SAMPLES.{torchscript,dynamo}.onnx, as `export_transformers_wav2vec2 --onnx` writes them.

usage: .venv/bin/python -m benchmarks.peers.wav2vec2_latency FOLDER [--seconds 60]

Latency is the CPU time of all threads, which other processes disturb less than wall-clock time. The ratio is that to
the faster of torch's files. Writes results/wav2vec2_latency.json after each setting; ends with 1 where a ratio is above
the bound.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record
from benchmarks.peers.compare_latency import compare, geometric_mean
from zoo.formats.onnx import inference_session

BOUND = 1.02

EXPORTERS = ("torchscript", "dynamo")

FEWEST = 5
"""Rounds, however long they take."""


def measure(folder: Path, samples: int, batch: int, threads: int, seconds: float) -> dict[str, Any]:
    """Compare the three files for clips of so many samples."""
    name = f"base-classes.{samples}"
    files = [folder / "zoo" / f"{name}.onnx", *(folder / "torch" / f"{name}.{one}.onnx" for one in EXPORTERS)]
    sessions = [inference_session(path, threads) for path in files]
    generator = np.random.default_rng(0)
    feeds = {"waveform": generator.standard_normal((batch, samples)).astype(np.float32)}
    for session in sessions:
        session.run(None, feeds)
    rounds: list[np.ndarray] = []
    end = time.perf_counter() + seconds
    while len(rounds) < FEWEST or time.perf_counter() < end:
        spent = np.zeros(len(sessions))
        for place in generator.permutation(len(sessions)):
            before = time.process_time()
            sessions[place].run(None, feeds)
            spent[place] = time.process_time() - before
        rounds.append(spent)
    ours, *peers = np.array(rounds).T
    fastest = int(np.argmin([np.median(peer) for peer in peers]))
    return {"exporter": EXPORTERS[fastest], **dataclasses.asdict(compare(ours, peers[fastest]))}


def main() -> int:
    """Every length, batch and number of threads."""
    parser = argparse.ArgumentParser(description="Compare the latency of zoo's Wav2Vec 2.0 with torch's.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60, help="for each setting [60]")
    asked = parser.parse_args()
    figures: dict[str, Any] = {}
    above: list[str] = []
    for batch, samples, threads in itertools.product((1, 8), (16_000, 80_000), (1, 2)):
        name = f"{samples // 16_000} s, batch {batch}, {threads} threads"
        figures[name] = found = measure(asked.folder, samples, batch, threads, asked.seconds)
        print(name, found, file=sys.stderr, flush=True)
        above = [name for name, one in figures.items() if one["ratio"] > BOUND]
        mean = geometric_mean([one["ratio"] for one in figures.values()])
        record("wav2vec2_latency", {"bound": BOUND, "geometric_mean": mean, "above": above, "settings": figures})
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
