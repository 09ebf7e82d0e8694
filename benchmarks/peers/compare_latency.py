"""Compare the latency of ONNX files with the peers', in turns within one process on onnxruntime's CPU provider.

usage: .venv/bin/python -m benchmarks.peers.compare_latency OURS PEERS [--threads 1] [--batch 1] [--seconds 6]
       [--image-size 224] [--from-pixels]

OURS/FAMILY-SIZE.onnx is compared with PEERS/FAMILY-SIZE.onnx and every PEERS/FAMILY-SIZE.*.onnx; the ratio is that to
the fastest of them. The exit status is 1 if a ratio is above 1. `benchmarks.latency` records the same measurement.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.normalize import normalize
from zoo.formats.onnx import inference_session

WARMUP, FEWEST = 3, 10
"""Rounds of warm-up, and the fewest rounds that are measured, even if they take longer than the time given."""

DRAWS = 500
"""The number of bootstrap resamples."""

LOADS = 3
"""The number of times that `over_loads` opens the files."""


@dataclass(frozen=True)
class Setting:
    """The conditions under which both files run.

    `image_size` replaces open dimensions of a file. With `from_pixels`, each request starts from uint8 NHWC images: for
    a file that takes floats, the time includes normalizing (and transposing to NCHW) in numpy, as its users must do.
    """

    threads: int = 1
    batch: int = 1
    seconds: float = 6.0
    image_size: int = 224
    from_pixels: bool = False


@dataclass(frozen=True)
class Comparison:
    """Median latencies, and the median of the paired ratios with its 95 % interval."""

    ours_ms: float
    peer_ms: float
    ratio: float
    low: float
    high: float
    rounds: int


def main() -> int:
    """Compare every pair of files and print a line for each."""
    parser = argparse.ArgumentParser(description="Compare the latency of ONNX files with the peers', in turns.")
    parser.add_argument("ours", type=Path, help="a folder of FAMILY-SIZE.onnx")
    parser.add_argument("peers", type=Path, help="a folder of FAMILY-SIZE.onnx and FAMILY-SIZE.*.onnx")
    parser.add_argument("--threads", type=int, default=Setting.threads, help="[1]")
    parser.add_argument("--batch", type=int, default=Setting.batch, help="images per request [1]")
    parser.add_argument("--seconds", type=float, default=Setting.seconds, help="seconds per network [6]")
    parser.add_argument("--image-size", type=int, default=Setting.image_size, help="for open dimensions [224]")
    parser.add_argument("--from-pixels", action="store_true", help="include the peers' normalization of images")
    asked = vars(parser.parse_args())
    ratios = []
    for name, peer, found in compare_folders(asked.pop("ours"), asked.pop("peers"), Setting(**asked)):
        ratios.append(found.ratio)
        print(
            f"{name:20} {found.ours_ms:9.2f} ms   {peer:32} {found.peer_ms:9.2f} ms   "
            f"ratio {found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]   {found.rounds} rounds",
            flush=True,
        )
    mean, worst, above = geometric_mean(ratios), max(ratios), sum(ratio > 1 for ratio in ratios)
    print(f"{len(ratios)} networks: geometric mean {mean:.3f}, worst {worst:.3f}, {above} above 1")
    return 1 if above else 0


def compare_folders(ours: Path, peers: Path, setting: Setting) -> Iterator[tuple[str, str, Comparison]]:
    """Yield each network's name, the file of the fastest peer, and the comparison with it.

    Raises:
        SystemExit: no file has a peer.
    """
    pairs = [(path, _rivals(path.stem, peers)) for path in sorted(ours.glob("*.onnx"))]
    if not any(rivals for _, rivals in pairs):
        raise SystemExit(f"no file of {ours} has a peer in {peers}: both name theirs FAMILY-SIZE.onnx")
    for path, rivals in pairs:
        if rivals:
            calls = [_request(file, setting) for file in (path, *rivals)]
            first, *others = take_turns(calls, setting.seconds)
            fastest = int(np.argmin([np.median(times) for times in others]))
            yield path.stem, rivals[fastest].name, compare(first, others[fastest])


def take_turns(
    calls: Sequence[Callable[[], Any]], seconds: float, warmup: int = WARMUP, fewest: int = FEWEST
) -> np.ndarray:
    """Wall-clock seconds of each call in each round, float64 [calls, rounds], measured for a total of `seconds`.

    Every round makes the calls in the same order, so that each call always finds the caches as another call left them.
    """
    for _ in range(warmup):
        for call in calls:
            call()
    rounds: list[np.ndarray] = []
    end = time.perf_counter() + seconds
    while len(rounds) < fewest or time.perf_counter() < end:
        ticks = [time.perf_counter()]
        for call in calls:
            call()
            ticks.append(time.perf_counter())
        rounds.append(np.diff(ticks))
    return np.array(rounds).T


def over_loads(files: Sequence[Path], call: Callable[[Any], Callable[[], Any]], seconds: float) -> np.ndarray:
    """Wall-clock seconds of each file in each round, float64 [files, rounds]; the files are opened `LOADS` times.

    The position of its weights in memory makes a small network up to 5 % faster or slower for as long as it is open.
    All files share one thread pool, which `onnxruntime.set_global_thread_pool_sizes` has created before: with a pool
    for each file, the threads of one file would spin on the CPUs on which another file runs.

    Args:
        files: ONNX files of the same network.
        call: from a session, the call that is timed.
        seconds: for all loads together.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.use_per_session_threads = False
    times = []
    for load in range(LOADS):
        order = np.roll(range(len(files)), load)
        sessions = [
            onnxruntime.InferenceSession(files[place], options, providers=["CPUExecutionProvider"]) for place in order
        ]
        turns = take_turns([*map(call, sessions)], seconds / LOADS, warmup=1, fewest=2)
        times.append(turns[np.argsort(order)])
    return np.concatenate(times, axis=1)


def compare(ours: np.ndarray, peer: np.ndarray) -> Comparison:
    """Compare seconds [rounds] that were measured in turns.

    Each round gives one ratio, so that a slowdown of the whole round cancels; the interval is a bootstrap over rounds.
    """
    ratios = ours / peer
    rounds = np.random.default_rng(0).integers(0, len(ratios), (DRAWS, len(ratios)))
    low, high = np.percentile(np.median(ratios[rounds], axis=1), [2.5, 97.5])
    ours_ms, peer_ms, ratio = (float(np.median(values)) for values in (1e3 * ours, 1e3 * peer, ratios))
    return Comparison(ours_ms, peer_ms, ratio, float(low), float(high), len(ratios))


def geometric_mean(ratios: list[float]) -> float:
    """The mean of ratios, the same whichever side is the denominator."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def _rivals(name: str, peers: Path) -> list[Path]:
    return sorted({*peers.glob(f"{name}.onnx"), *peers.glob(f"{name}.*.onnx")})


def _request(path: Path, setting: Setting) -> Callable[[], Any]:
    """A call that answers one request by a file."""
    session = inference_session(path, setting.threads, spinning=True)
    (taken,) = session.get_inputs()
    open_axes = [setting.batch, *[setting.image_size] * (len(taken.shape) - 1)]
    shape = [
        given if isinstance(given, int) else open_axis for given, open_axis in zip(taken.shape, open_axes, strict=True)
    ]
    generator = np.random.default_rng(0)
    if taken.type == "tensor(uint8)":
        pixels = generator.integers(0, 256, shape, dtype=np.uint8)
        return lambda: session.run(None, {taken.name: pixels})
    if not setting.from_pixels:
        image = generator.random(shape, dtype=np.float32)
        return lambda: session.run(None, {taken.name: image})
    nchw = shape[1] in (1, 3)
    nhwc = [shape[0], *shape[2:], shape[1]] if nchw else shape
    pixels = generator.integers(0, 256, nhwc, dtype=np.uint8)
    return lambda: session.run(None, {taken.name: normalize(pixels, nchw=nchw)})


if __name__ == "__main__":
    sys.exit(main())
