"""Latency of int8 against float32: one thread, one example, in turns within one process.

usage: python -m benchmarks.int8 [--only resnet-base …] [--onnx FOLDER]      writes results/int8_latency.json
       python -m benchmarks.int8 --kinds [--only bert-small …]           writes results/int8_kinds.json

With --kinds, the script measures networks with inputs other than images. Images have 224 pixels a side, texts 128
tokens, clips one second, tables ten columns. The weights are random, because they do not change the latency, unless
--onnx names a FOLDER with exported files FAMILY-SIZE.onnx. The int8 files are calibrated on crops of scikit-learn's
photographs, or on random examples. Each network is measured in a process of its own; networks that --only does not
name keep their figures.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record, recorded
from zoo.description import Model
from zoo.input import find, kind_of
from zoo.registry import matching, resolve

SIDE = 224
EXAMPLES = 8
# The largest latency of int8 that is accepted, relative to float32.
BOUNDS = {
    "resnet": 0.30,
    "vgg": 0.29,
    "inception": 0.42,
    "convnext": 0.48,
    "vit": 0.50,
    "bert": 0.50,
    "efficientnet": 0.55,
    "mobilenet-base": 0.80,
    "mobilenet-large": 0.80,
}


def main() -> None:
    """Measure each network and record all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", help="networks as FAMILY-SIZE; all when not given")
    parser.add_argument("--onnx", type=Path, help="a folder of FAMILY-SIZE.onnx")
    parser.add_argument("--kinds", action="store_true", help="measure networks with inputs other than images")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of measuring per network [20]")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        family, size = asked.measure
        print(json.dumps(_measure(family, size, asked.onnx, asked.seconds)))
        return
    measured = [row for row in matching() if (row[0].input != "image") == asked.kinds and row[0].name != "cnn"]
    names = asked.only or [f"{family.name}-{size.name}" for family, size in measured]
    result = "int8_kinds" if asked.kinds else "int8_latency"
    rows = recorded(result) if asked.only else {}
    for name in names:
        command = [sys.executable, "-m", "benchmarks.int8", "--measure", *name.rsplit("-", 1)]
        command += ["--seconds", str(asked.seconds)]
        command += ["--onnx", str(asked.onnx)] if asked.onnx else []
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        row = json.loads(done.stdout.splitlines()[-1])
        bound = BOUNDS.get(name, BOUNDS.get(name.rpartition("-")[0]))
        rows[name] = {**row, "bound": bound, "holds": bound is None or row["high"] <= bound}
        print(name, f"{row['ratio']:.3f} ({row['low']:.3f}-{row['high']:.3f}), bound {bound}", file=sys.stderr)
    record(result, rows)


def _measure(family: str, size: str, given: Path | None, seconds: float) -> dict[str, Any]:
    """The ratio of latencies of one network, and the nodes that onnxruntime computes."""
    from zoo.export.batches import part
    from zoo.export.int8 import latency_ratio

    with tempfile.TemporaryDirectory() as scratch:
        float32, int8, fused = (Path(scratch) / f"{name}.onnx" for name in ("float32", "int8", "fused"))
        description = described(family, size)
        if given:
            float32 = given / f"{family}-{size}.onnx"
        else:
            write_random(float32, description)
        batch = examples(description)
        write_int8(float32, int8, batch)
        measured = latency_ratio.compare(float32, int8, part(batch, slice(1)), seconds)
        nodes = fused_nodes(int8, fused)
    return {**dataclasses.asdict(measured), "nodes": nodes}


def write_int8(float32: Path, int8: Path, batch: dict[str, np.ndarray]) -> None:
    """Write the int8 file of a float32 file for this machine, with every node in int8, calibrated on one batch."""
    import onnx

    from zoo.export.int8 import calibration, options, qdq, quantize
    from zoo.export.onnx.graph_index import GraphIndex

    model, target = onnx.load(float32), options.this_machine()
    quantize.prepare(model, target)
    found = calibration.collect(model, qdq.to_calibrate(GraphIndex(model)), [batch])
    chosen = {name: histogram.range("minmax") for name, histogram in found.items()}
    onnx.save(qdq.quantized(model, chosen, target), int8)


def photographs() -> np.ndarray:
    """uint8 [EXAMPLES, SIDE, SIDE, 3]: crops of two photographs."""
    from sklearn.datasets import load_sample_images

    images = load_sample_images().images
    return np.stack([images[number % 2][20 * number :, 30 * number :][:SIDE, :SIDE] for number in range(EXAMPLES)])


def described(family: str, size: str) -> Model:
    """A network for a thousand classes of images, or for another input, the one that its size's figures describe."""
    from zoo.inputs.image.preprocessing import Preprocessing

    record, row = resolve(family, size)
    if record.input == "image":
        preprocessing: Any = Preprocessing(SIDE, SIDE, 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    else:
        preprocessing = find(record.input).data.reference(row.input_shape)
    return Model(family, size, tuple(map(str, range(row.classes))), preprocessing, parameters=0, multiply_adds=0)


def examples(description: Model) -> dict[str, np.ndarray]:
    """A batch of photographs, or of random examples of another kind of input."""
    kind = kind_of(description.preprocessing)
    if kind.kind == "image":
        return {"image": photographs()}
    return kind.client.random(description.preprocessing, EXAMPLES, np.random.default_rng(0))


def write_random(path: Path, description: Model) -> None:
    """A network with fresh weights as ONNX."""
    import zoo
    from zoo.export.graph import trace
    from zoo.export.onnx.conversion import write_onnx

    model = zoo.create(
        description.family,
        size=description.size,
        classes=len(description.labels),
        preprocessing=description.preprocessing,
    )
    write_onnx(trace(model, description), path)


def fused_nodes(int8: Path, fused: Path) -> dict[str, int]:
    """The nodes of a file as onnxruntime computes them on this machine, by kind."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(fused)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(int8), options, providers=["CPUExecutionProvider"])
    graph = onnx.load(fused, load_external_data=False).graph
    return dict(Counter(node.op_type for node in graph.node).most_common())


if __name__ == "__main__":
    main()
