"""Compare the latency of networks of texts and sound with that of PyTorch's exports, in turns within one process.

usage: .venv/bin/python -m benchmarks.peers.sequence_latency OURS PEERS [--threads 1] [--only NAME...] [--seconds 5]

OURS/NAME.onnx is compared with every PEERS/NAME.*.onnx and PEERS/NAME/*.onnx, for each number of examples and of tokens
or samples; the ratio is that to the fastest of them. NAME begins with the family; NAME.SAMPLES is a file that takes
this number of samples. Every file gets examples without padding, under the names of its inputs.

Writes results/sequence_latency.json, where other networks and numbers of threads keep their figures. The exit status is
1 if a ratio is above the bound.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record, recorded
from benchmarks.peers.compare_latency import compare, geometric_mean, over_loads

HIGHEST, HIGHEST_MEAN = 1.02, 0.98
"""The bounds of each ratio and of their geometric mean."""

BATCHES, TOKENS = (1, 8), (16, 128, 384)

FIRST_ID, IDS = 1, 1000
"""Token ids are below this number; every vocabulary has more tokens."""

RESULT = "sequence_latency"


def main() -> int:
    """Compare every pair of files in every setting and print a line for each."""
    parser = argparse.ArgumentParser(description="Compare the latency of networks of texts and sound with PyTorch's.")
    parser.add_argument("ours", type=Path, help="a folder of NAME.onnx")
    parser.add_argument("peers", type=Path, help="a folder of NAME.*.onnx or NAME/*.onnx")
    parser.add_argument("--threads", type=int, default=1, help="[1]")
    parser.add_argument("--only", nargs="+", default=None, metavar="NAME", help="networks to measure [all]")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds per setting [5]")
    asked = parser.parse_args()

    import onnxruntime

    onnxruntime.set_global_thread_pool_sizes(asked.threads, 1)
    networks = recorded(RESULT).get("networks", {})
    for path in sorted(asked.ours.glob("*.onnx")):
        rivals = sorted({*asked.peers.glob(f"{path.stem}.*.onnx"), *asked.peers.glob(f"{path.stem}/*.onnx")})
        if rivals and (asked.only is None or path.stem in asked.only):
            for name, row in settings(path, rivals, asked.threads, asked.seconds):
                networks.setdefault(path.stem, {})[name] = row
                print(f"{path.stem:20} {name:36} {row}", flush=True)
    if not networks:
        raise SystemExit(f"no file of {asked.ours} has a peer in {asked.peers}: NAME.onnx, and NAME.*.onnx or NAME/")
    figures = summary(networks)
    record(RESULT, figures)
    return 0 if figures["holds"] else 1


def settings(path: Path, rivals: list[Path], threads: int, seconds: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each setting's name and its figures, with the machine's load before it."""
    samples = path.stem.partition(".")[2]
    lengths = [int(samples)] if samples else TOKENS
    for batch, length in itertools.product(BATCHES, lengths):
        load = round(os.getloadavg()[0], 1)
        times = over_loads([path, *rivals], _request(batch, length), seconds)
        fastest = int(np.argmin(np.median(times[1:], axis=1))) + 1
        found = dataclasses.asdict(compare(times[0], times[fastest]))
        unit = "samples" if samples else "tokens"
        yield (
            f"{threads} thread{'s' * (threads > 1)}, batch {batch}, {length} {unit}",
            {"peer": rivals[fastest - 1].name, **{key: round(value, 4) for key, value in found.items()}, "load": load},
        )


def _request(batch: int, length: int) -> Callable[[Any], Callable[[], Any]]:
    """From a session, a call that answers one request."""
    generator = np.random.default_rng(0)
    ids = generator.integers(FIRST_ID, IDS, (batch, length))
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    given["waveform"] = generator.standard_normal((batch, length)).astype(np.float32)

    def request(session: Any) -> Callable[[], Any]:
        feeds = {one.name: given[one.name] for one in session.get_inputs()}
        return lambda: session.run(["logits"], feeds)

    return request


def summary(networks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All figures, with the worst ratio, the mean, and whether both bounds hold."""
    ratios = [row["ratio"] for rows in networks.values() for row in rows.values()]
    worst, mean = max(ratios), geometric_mean(ratios)
    return {
        "bounds": {"each": HIGHEST, "geometric_mean": HIGHEST_MEAN},
        "worst": worst,
        "geometric_mean": mean,
        "holds": worst <= HIGHEST and mean <= HIGHEST_MEAN,
        "networks": networks,
    }


if __name__ == "__main__":
    sys.exit(main())
