"""The graph of a network's ONNX file as text, which does not depend on the versions of the libraries.

Each line is a node: its operation, its inputs and its attributes. An initializer appears as type, shape and norm; %3 is
the output of node 3.

usage: python -m tests.export.recorded_graphs [NETWORK…]      writes tests/export/graphs/NETWORK.txt
"""

from __future__ import annotations

import dataclasses
import re
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "graphs"
SIDE = 128
"""Pixels of images: at this size and above every network has its reference's structure."""

DAILY = (
    "cnn-small",
    "resnet-small",
    "vgg-small",
    "inception-small",
    "mobilenet-small",
    "efficientnet-b0",
    "convnext-tiny",
    "vit-small",
    "linear-small",
    "mlp-small",
    "keyword-small",
    "wav2vec2-small",
    "lstm-small",
    "bert-small",
)
OTHERS = (
    "cnn-large",
    "resnet-base",
    "inception-base",
    "inception-large",
    "mobilenet-large",
    "efficientnet-small",
    "convnext-small",
)
"""Networks that are deeper than the daily one of their family, or built of other layers."""

NORM = re.compile(r"~(\S+)")


def graph_text(network: str) -> str:
    """Return the graph of FAMILY-SIZE with 10 classes and fixed weights, as text."""
    import onnx

    import zoo
    from zoo.description import Model
    from zoo.export import graph
    from zoo.export.onnx.conversion import write_onnx
    from zoo.input import find
    from zoo.registry import resolve

    family, _, size = network.partition("-")
    record, row = resolve(family, size)
    side = 224 if network == "cnn-large" else SIDE
    shape: tuple[int, ...] = (side, side, 3) if record.input == "image" else row.input_shape
    preprocessing = find(record.input).data.reference(shape)
    if record.input == "image":
        preprocessing = dataclasses.replace(preprocessing, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    model = zoo.create(family, size=size, classes=10, input_shape=shape)
    for layer in model.layers:
        for weight in layer.weights:
            if weight.dtype == "float32":
                weight.assign(_values(f"{layer.name}.{weight.name}", weight.shape))
    labels = tuple(map(str, range(10)))
    description = Model(family, size, labels, preprocessing, parameters=0, multiply_adds=0)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        write_onnx(graph.trace(model, description), path)
        return text(onnx.load(path))


def _values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return fixed values for a weight, which depend on its name; between 0.5 and 1.5, to be valid as variances."""
    few = np.random.default_rng(zlib.crc32(name.encode())).uniform(0.5, 1.5, 1009).astype(np.float32)
    return np.resize(few, shape)


def text(model: Any) -> str:
    """Return the graph of an ONNX model as text, without names."""
    import onnx

    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    names = {"": "-"} | {value.name: value.name for value in model.graph.input}

    def called(name: str) -> str:
        if name not in constants:
            return names[name]
        value = constants[name]
        norm = np.sqrt(np.square(value, dtype=np.float64).sum())
        return f"{value.dtype}[{','.join(map(str, value.shape))}]~{norm:.5g}"

    lines = [f"opset {model.opset_import[0].version}, IR version {model.ir_version}"]
    for number, node in enumerate(model.graph.node, start=1):
        attributes = sorted(f"{one.name}={onnx.helper.get_attribute_value(one)}" for one in node.attribute)
        said = [node.op_type, *map(called, node.input), *(one.replace(" ", "") for one in attributes)]
        lines.append(f"{number} {' '.join(said)}")
        names |= {output: f"%{number}" + f".{place}" * (place > 0) for place, output in enumerate(node.output)}
    lines += [f"{value.name} {names[value.name]}" for value in model.graph.output]
    return "\n".join(lines) + "\n"


def apart(found: str, recorded: str) -> list[str]:
    """Return the lines that differ between two texts, ignoring differences of norms within rounding."""
    lines, wanted = found.splitlines(), recorded.splitlines()
    said = [
        f"{one}  (recorded: {other})"
        for one, other in zip(lines, wanted, strict=False)
        if NORM.sub("", one) != NORM.sub("", other) or not np.allclose(_norms(one), _norms(other), rtol=1e-3, atol=1e-6)
    ]
    return said + [f"{len(lines)} lines (recorded: {len(wanted)})"] * (len(lines) != len(wanted))


def _norms(line: str) -> list[float]:
    return [float(norm) for norm in NORM.findall(line)]


if __name__ == "__main__":
    for one in sys.argv[1:] or (*DAILY, *OTHERS):
        (FOLDER / f"{one}.txt").write_text(graph_text(one), encoding="utf-8")
        print(one, flush=True)
