"""Latency of zoo's int8 files and of those that onnxruntime's own quantizer makes from timm's: one thread, one image.

TIMM is a folder of files FAMILY-SIZE.onnx (224 pixels) that `peers.export_timm` wrote. OURS is a folder of zoo's
exported files FAMILY-SIZE.onnx; without it, zoo's networks have random weights, which do not change the latency.
`peers.quantize_stock` describes how the stock files are made. Both files are calibrated on the same crops of
photographs. They take turns within one process, and only the thread's processor time counts. timm's files take floats
that are normalized before the measurement; zoo's files take pixels and normalize them.

usage: python -m benchmarks.int8_stock TIMM [--onnx OURS] [--only resnet-base …] [--seconds 20]

Writes results/int8_stock.json after each network; networks that are not named keep their figures. Ends with 1 where a
bound does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.int8 import described, fused_nodes, photographs, write_int8, write_random
from benchmarks.measured import record, recorded
from benchmarks.peers.compare_latency import compare, geometric_mean
from benchmarks.peers.normalize import normalize
from benchmarks.peers.quantize_stock import quantize
from zoo.registry import matching

HIGHEST, HIGHEST_MEAN = 1.00, 0.78
"""The largest latencies that are accepted, relative to the stock file: geometric mean, and each network."""


def main() -> int:
    """Measure each network in a process of its own and record all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("timm", type=Path)
    parser.add_argument("--onnx", type=Path, help="a folder of FAMILY-SIZE.onnx")
    parser.add_argument("--only", nargs="*", help="networks as FAMILY-SIZE; all when not given")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(_measure(asked.measure, asked.timm, asked.onnx, asked.seconds)))
        return 0
    names = [f"{family.name}-{size.name}" for family, size in matching() if family.name != "cnn"]
    networks = recorded("int8_stock").get("networks", {})
    for name in asked.only or names:
        command = [sys.executable, "-m", "benchmarks.int8_stock", *sys.argv[1:], "--measure", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        networks[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, networks[name], file=sys.stderr, flush=True)
        figures = _summary({name: networks[name] for name in names if name in networks})
        record("int8_stock", figures)
    return 0 if figures["holds"] else 1


def _summary(networks: dict[str, Any]) -> dict[str, Any]:
    ratios = [row["ratio"] for row in networks.values()]
    mean = geometric_mean(ratios)
    return {
        "bounds": {"geometric_mean": HIGHEST_MEAN, "each": HIGHEST},
        "geometric_mean": mean,
        "worst": max(ratios),
        "holds": mean <= HIGHEST_MEAN and max(ratios) <= HIGHEST,
        "networks": networks,
    }


def _measure(name: str, timm: Path, given: Path | None, seconds: float) -> dict[str, Any]:
    """The latencies of both int8 files of one network and their ratio, and the nodes that onnxruntime computes."""
    from zoo.contract import LOGITS, PROBABILITIES
    from zoo.export.int8 import latency_ratio
    from zoo.formats.onnx import inference_session
    from zoo.inputs.image.client import IMAGE

    pixels = photographs()
    floats = normalize(pixels, nchw=True)
    with tempfile.TemporaryDirectory() as scratch:
        float32, int8, stock, fused = (Path(scratch) / f"{one}.onnx" for one in ("float32", "int8", "stock", "fused"))
        if given:
            float32 = given / f"{name}.onnx"
        else:
            write_random(float32, described(*name.rsplit("-", 1)))
        write_int8(float32, int8, {"image": pixels})
        quantize(timm / f"{name}.onnx", stock, floats)
        ours, theirs = inference_session(int8, 1), inference_session(stock, 1)
        peer = theirs.get_inputs()[0].name
        started = os.getloadavg()[0]
        first, second = latency_ratio.processor_seconds(
            [
                lambda: ours.run([LOGITS, PROBABILITIES], {IMAGE: pixels[:1]}),
                lambda: theirs.run(None, {peer: floats[:1]}),
            ],
            seconds,
        )
        load = [round(value, 1) for value in (started, os.getloadavg()[0])]
        nodes = {"zoo": fused_nodes(int8, fused), "stock": fused_nodes(stock, fused)}
    found = compare(first, second)
    return {
        "zoo_ms": found.ours_ms,
        "stock_ms": found.peer_ms,
        "ratio": found.ratio,
        "low": found.low,
        "high": found.high,
        "rounds": found.rounds,
        "load": load,
        "nodes": nodes,
    }


if __name__ == "__main__":
    sys.exit(main())
