"""How fast zoo's int8 files are against those that onnxruntime's own quantizer makes of timm's: one thread, one image.

TIMM has FAMILY-SIZE.onnx files that `export_timm.py` wrote (224 pixels), OURS FAMILY-SIZE.onnx files of the contract;
without it zoo's networks have random weights, for latency asks for no accuracy. The quantizer does what its
documentation recommends for x86: QDQ, weights in int8 for each channel, activations in uint8, after its own
preprocessing. Both sides are calibrated on the same crops of photographs. Both files run in turns within one process,
and only the time counts that the thread was at work. timm's files take floats, normalized before; zoo's take pixels and
normalize them.

usage: python benchmarks/int8_stock.py TIMM [--onnx OURS] [--only resnet-base …] [--seconds 20]

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

import numpy as np
from int8 import fused_nodes, photographs, write_int8, write_random
from measured import record, recorded

from zoo.registry import matching

HIGHEST, HIGHEST_MEAN = 1.00, 0.78
"""Latency as a multiple of the stock file's: of each network, and the geometric mean of all."""

MEAN, STD = (np.array(values, np.float32) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


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
        command = [sys.executable, __file__, *sys.argv[1:], "--measure", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        networks[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, networks[name], file=sys.stderr, flush=True)
        figures = _summary({name: networks[name] for name in names if name in networks})
        record("int8_stock", figures)
    return 0 if figures["holds"] else 1


def _summary(networks: dict[str, Any]) -> dict[str, Any]:
    ratios = [row["ratio"] for row in networks.values()]
    mean = float(np.exp(np.log(ratios).mean()))
    return {
        "bounds": {"geometric_mean": HIGHEST_MEAN, "each": HIGHEST},
        "geometric_mean": mean,
        "worst": max(ratios),
        "holds": mean <= HIGHEST_MEAN and max(ratios) <= HIGHEST,
        "networks": networks,
    }


def _measure(name: str, timm: Path, given: Path | None, seconds: float) -> dict[str, Any]:
    """The latencies of both int8 files of one network and their ratio, and the nodes that onnxruntime computes."""
    from zoo.contract import IMAGE, OUTPUTS
    from zoo.export.int8 import latency_ratio
    from zoo.intervals import ratio_of_medians

    pixels = photographs()
    floats = ((pixels / np.float32(255) - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32)
    with tempfile.TemporaryDirectory() as scratch:
        float32, int8, stock, fused = (Path(scratch) / f"{one}.onnx" for one in ("float32", "int8", "stock", "fused"))
        if given:
            float32 = given / f"{name}.onnx"
        else:
            write_random(float32, *name.rsplit("-", 1))
        write_int8(float32, int8, pixels)
        _write_stock(timm / f"{name}.onnx", stock, floats)
        ours, theirs = latency_ratio.session(int8), latency_ratio.session(stock)
        peer = theirs.get_inputs()[0].name
        started = os.getloadavg()[0]
        first, second = latency_ratio.in_turns(
            [
                lambda: ours.run(list(OUTPUTS), {IMAGE: pixels[:1]}),
                lambda: theirs.run(None, {peer: floats[:1]}),
            ],
            seconds,
        )
        load = [round(value, 1) for value in (started, os.getloadavg()[0])]
        nodes = {"zoo": fused_nodes(int8, fused), "stock": fused_nodes(stock, fused)}
    ratio, low, high = ratio_of_medians(first, second, seed=0)
    return {
        "zoo_ms": 1e3 * float(np.median(first)),
        "stock_ms": 1e3 * float(np.median(second)),
        "ratio": ratio,
        "low": low,
        "high": high,
        "rounds": len(first),
        "load": load,
        "nodes": nodes,
    }


def _write_stock(source: Path, target: Path, floats: np.ndarray) -> None:
    """timm's file in 8 bits by onnxruntime's quantizer, calibrated on float32 [n, channels, height, width]."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Batches(CalibrationDataReader):
        def __init__(self) -> None:
            self._batches = iter([{"image": image[None]} for image in floats])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._batches, None)

    ready = target.with_suffix(".ready.onnx")
    quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
    quantize_static(
        str(ready),
        str(target),
        Batches(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    ready.unlink()


if __name__ == "__main__":
    sys.exit(main())
