"""Compare the latency of networks of texts with PyTorch's exports of the same, in turns within one process.

usage: .venv/bin/python -m benchmarks.peers.text_latency OURS PEERS [--only NAME...] [--seconds 2] [--wall]

OURS/NAME.onnx is compared with every PEERS/NAME.*.onnx, by each number of threads, texts and tokens, and the ratio is
that to the fastest of them. Their logits must agree. Every file is given whole texts under the names of its inputs.
Seconds are of the processor, over all threads of the process, so that other programs do not count; `--wall` takes them
from the clock. Writes results/text_latency.json, where networks that are not measured keep their figures; ends with 1
where a ratio is above the bound.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record, recorded
from benchmarks.peers.compare_latency import FEWEST, WARMUP, Comparison, compare, geometric_mean
from zoo.formats.onnx import inference_session

BOUND = 1.02
THREADS, BATCHES, TOKENS = (1, 2), (1, 8), (16, 128, 384)
IDS = 1000
"""Every vocabulary has more tokens."""

AGREEMENT = 1e-4
"""The largest difference between logits, as a share of the largest one, of files of the same weights."""

RESULT = "text_latency"


def main() -> int:
    """Compare every pair of files in every setting and print a line for each."""
    parser = argparse.ArgumentParser(description="Compare the latency of networks of texts with PyTorch's exports.")
    parser.add_argument("ours", type=Path, help="a folder of NAME.onnx")
    parser.add_argument("peers", type=Path, help="a folder of NAME.*.onnx")
    parser.add_argument("--only", nargs="+", default=None, metavar="NAME", help="networks to measure [all]")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each setting [2]")
    parser.add_argument(
        "--wall", action="store_true", help="seconds of the clock: for a machine that does nothing else"
    )
    asked = parser.parse_args()
    clock = time.perf_counter if asked.wall else time.process_time
    figures: dict[str, Any] = {}
    for path in sorted(asked.ours.glob("*.onnx")):
        rivals = sorted(asked.peers.glob(f"{path.stem}.*.onnx"))
        if rivals and (asked.only is None or path.stem in asked.only):
            figures[path.stem] = dict(_settings(path, rivals, asked.seconds, clock))
    if not figures:
        raise SystemExit(f"no file of {asked.ours} has a peer in {asked.peers}: NAME.onnx and NAME.*.onnx")
    ratios = [row["ratio"] for rows in figures.values() for row in rows.values()]
    mean, above = geometric_mean(ratios), sum(ratio > BOUND for ratio in ratios)
    print(f"{len(ratios)} ratios: geometric mean {mean:.3f}, worst {max(ratios):.3f}, {above} above {BOUND}")
    record(RESULT, {"clock": clock.__name__, "networks": {**recorded(RESULT).get("networks", {}), **figures}})
    return 1 if above else 0


def _settings(path: Path, rivals: list[Path], seconds: float, clock: Callable[[], float]) -> Any:
    """Yield each setting's name and its figures."""
    for threads in THREADS:
        sessions = [inference_session(file, threads, spinning=clock is time.perf_counter) for file in (path, *rivals)]
        for batch, tokens in itertools.product(BATCHES, TOKENS):
            peer, found = _compared(sessions, rivals, batch, tokens, seconds, clock)
            name = f"{threads} thread{'s' * (threads > 1)}, batch {batch}, {tokens} tokens"
            print(
                f"{path.stem:12} {name:34} {found.ours_ms:9.3f} ms   {peer:32} {found.peer_ms:9.3f} ms   "
                f"ratio {found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]   {found.rounds} rounds",
                flush=True,
            )
            yield name, {"peer": peer, **{key: round(value, 4) for key, value in dataclasses.asdict(found).items()}}


def _compared(
    sessions: list[Any], rivals: list[Path], batch: int, tokens: int, seconds: float, clock: Callable[[], float]
) -> tuple[str, Comparison]:
    """Return the fastest peer's name and the comparison with it."""
    ids = np.random.default_rng(0).integers(1, IDS, (batch, tokens))
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}

    def request(session: Any) -> Callable[[], np.ndarray]:
        feeds = {one.name: given[one.name] for one in session.get_inputs()}
        return lambda: session.run(["logits"], feeds)[0]

    calls = [request(session) for session in sessions]
    ours, *others = (call() for call in calls)
    for rival, theirs in zip(rivals, others, strict=True):
        difference = float(abs(ours - theirs).max() / abs(theirs).max())
        if difference > AGREEMENT:
            raise SystemExit(f"{rival} answers otherwise: logits differ by {difference:.1e} of the largest")
    first, *times = _turns(calls, seconds, clock)
    fastest = int(np.argmin([np.median(one) for one in times]))
    return rivals[fastest].name, compare(first, times[fastest])


def _turns(calls: list[Callable[[], Any]], seconds: float, clock: Callable[[], float]) -> np.ndarray:
    """Seconds of each call in each round, float64 [calls, rounds]; every other round goes backwards.

    A call finds what the one before it left in the caches: so each follows itself, and both its neighbors.
    """
    for _, call in itertools.product(range(WARMUP), calls):
        call()
    rounds: list[list[float]] = []
    end = time.perf_counter() + seconds
    while len(rounds) < FEWEST or time.perf_counter() < end:
        order = range(len(calls))
        row = [0.0] * len(calls)
        for place in order if len(rounds) % 2 else reversed(order):
            start = clock()
            calls[place]()
            row[place] = clock() - start
        rounds.append(row)
    return np.array(rounds).T


if __name__ == "__main__":
    sys.exit(main())
