"""Time and memory of zoo's graph passes and of the same passes written with onnx-ir and onnxscript.rewriter.

`fuse_gelu` is ported to onnxscript.rewriter and `convolve_nhwc_image` to onnx-ir. Each library loads the graph that the
passes start from, runs one pass and saves the result, in a process of its own. The graphs are those of VGG-16 and
ViT-L/16 at 224 pixels with fresh weights. Both libraries, which zoo does not depend on, have to be installed:
`pip install onnx-ir onnxscript`.

usage: python -m benchmarks.graph_libraries SCRATCH [NETWORK…]      writes results/graph_libraries.json

The script checks that the results have the same nodes, and that their logits for a random image differ by no more than
rounding. `whole` is the conversion from the Keras network to the file. In it, onnx-ir loads the folded graph, runs its
one pass and saves the file, in place of all of zoo's passes, so a full port would take longer.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record, recorded

SIDE = 224
NETWORKS = ("vgg-base", "vit-large")
REPEATS = 5
PORTS = {"fuse_gelu": "onnxscript.rewriter", "convolve_nhwc_image": "onnx-ir"}
"""The library that each pass is ported to."""


def main() -> None:
    """Measure every pass on every network."""
    scratch, *names = sys.argv[1:]
    figures = recorded("graph_libraries")
    figures["versions"] = {name: importlib.metadata.version(name) for name in ("onnx-ir", "onnxscript")}
    for network in names or NETWORKS:
        figures[network] = measured(network, Path(scratch))
        record("graph_libraries", figures)


def measured(network: str, scratch: Path) -> dict[str, Any]:
    """Compare the libraries on one network; the runs alternate, so that a busy machine slows both."""
    folded = scratch / f"{network}.onnx"
    if not folded.exists():
        child("--convert", network, folded)
    figures: dict[str, Any] = {"gigabytes_of_file": gigabytes(folded.stat().st_size)}
    for name, library in PORTS.items():
        written = {kind: scratch / f"{network}.{name}.{kind}.onnx" for kind in ("zoo", library)}
        runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in written}
        for _ in range(REPEATS):
            for kind, path in written.items():
                runs[kind].append(child("--run", kind, name, folded, path))
        figures[name] = {kind: summary(found) for kind, found in runs.items()}
        figures[name] |= {"same": child("--compare", *written.values())}
        ours, theirs = figures[name]["zoo"], figures[name][library]
        figures[name]["more"] = more_than_zoo(network, ours, theirs)
        for path in written.values():
            path.unlink()
    figures["whole"] = {kind: child("--whole", kind, network) for kind in ("zoo", "onnx-ir")}
    return figures


def summary(runs: list[dict[str, float]]) -> dict[str, float]:
    """Summarize the runs of one pass: medians of the times, and the highest peak."""
    times = {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0] if key != "peak"}
    return times | {"peak_gigabytes": gigabytes(max(run["peak"] for run in runs))}


def more_than_zoo(network: str, ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    """Return what a library adds to the whole export, as shares of the export's recorded time and memory.

    The import of the library counts, too; the memory is an upper bound, because the export may peak elsewhere.
    """
    export = recorded("exports")[network]
    seconds = theirs["seconds"] + theirs["import_seconds"] - ours["seconds"] - ours["import_seconds"]
    return {
        "share_of_export_seconds": round(seconds / export["seconds"], 3),
        "share_of_export_memory": round((theirs["peak_gigabytes"] - ours["peak_gigabytes"]) / export["gigabytes"], 3),
    }


def gigabytes(count: float) -> float:
    """Round bytes to gigabytes with two decimals."""
    return round(count / 1e9, 2)


def child(*arguments: object) -> Any:
    """Run this script in a process of its own and return the JSON document on its last line."""
    command = [sys.executable, "-m", "benchmarks.graph_libraries", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    print(*command[3:], done.stdout.splitlines()[-1], file=sys.stderr, flush=True)
    return json.loads(done.stdout.splitlines()[-1])


def traced_network(network: str) -> Any:
    """Build and trace a network for 1000 classes with fresh weights."""
    import zoo
    from zoo.description import Model
    from zoo.export.graph import trace
    from zoo.inputs.image.preprocessing import Preprocessing

    family, _, size = network.partition("-")
    model = zoo.create(family, size=size, classes=1000, input_shape=(SIDE, SIDE, 3))
    preprocessing = Preprocessing(SIDE, SIDE, 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    labels = tuple(map(str, range(1000)))
    return trace(model, Model(family, size, labels, preprocessing, parameters=0, multiply_adds=0))


def convert(network: str, target: Path) -> bool:
    """Write the graph of a network after constant folding."""
    from zoo.export.onnx import conversion

    with conversion.folded(traced_network(network)) as (folded, _):
        shutil.copyfile(folded, target)
    return True


def whole(kind: str, network: str) -> dict[str, float]:
    """Convert a network from Keras to its file; return the time in seconds and the peak of memory in gigabytes."""
    from zoo.export.onnx import conversion

    traced = traced_network(network)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        if kind == "zoo":
            conversion.write_onnx(traced, path)
        else:
            load, save, one = onnx_ir("convolve_nhwc_image")
            with conversion.folded(traced) as (folded, _):
                model = load(folded)
            one(model)
            save(model, path)
    return {"seconds": round(time.perf_counter() - began, 1), "peak_gigabytes": gigabytes(peak())}


def peak() -> int:
    """Return the peak of this process's memory in bytes."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def run(kind: str, name: str, source: Path, target: Path) -> dict[str, float]:
    """Load a model, run one pass and save it; return times in seconds and the peak of memory in bytes."""
    began = time.perf_counter()
    load, save, one = LIBRARIES[kind](name)
    imported, worked = time.perf_counter(), time.process_time()
    model = load(source)
    loaded = time.perf_counter()
    one(model)
    passed = time.perf_counter()
    save(model, target)
    saved = time.perf_counter()
    return {
        "import_seconds": imported - began,
        "load_seconds": loaded - imported,
        "pass_seconds": passed - loaded,
        "save_seconds": saved - passed,
        "seconds": saved - imported,
        "cpu_seconds": time.process_time() - worked,
        "peak": peak(),
    }


def compare(one: Path, other: Path) -> dict[str, Any]:
    """Return whether two files have the same nodes, and by what share of the largest logit they differ."""
    import onnxruntime

    from zoo.export.onnx import skeleton
    from zoo.export.onnx.lint import node_counts

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    image = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    counts, logits = [], []
    for path in (one, other):
        counts.append(node_counts(skeleton.load(path)))
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        logits.append(session.run(["logits"], {"image": image})[0])
        del session
    difference = float(np.abs(logits[0] - logits[1]).max() / np.abs(logits[0]).max())
    return {"nodes": counts[0] == counts[1], "largest_difference": difference}


Loader = Callable[[Path], Any]
Saver = Callable[[Any, Path], None]
Pass = Callable[[Any], Any]


def zoo_passes(name: str) -> tuple[Loader, Saver, Pass]:
    """Load with onnx, and use zoo's own pass."""
    import onnx

    from zoo.export.onnx.passes import PASSES

    return onnx.load, onnx.save, next(one.run for one in PASSES if one.run.__name__ == name)


def onnx_ir(name: str) -> tuple[Loader, Saver, Pass]:
    """Load with onnx-ir, and use the pass that is ported to it."""
    import onnx_ir as ir

    assert name == "convolve_nhwc_image"
    return ir.load, ir.save, convolve_nhwc_image


def rewriter(name: str) -> tuple[Loader, Saver, Pass]:
    """Load with onnx-ir, and use the rule of onnxscript.rewriter."""
    import onnx_ir as ir
    from onnxscript.rewriter import pattern

    assert name == "fuse_gelu"

    def pieces(op: Any, x: Any) -> Any:
        return op.Mul(x, op.Mul(op.Add(op.Erf(op.Mul(x, math.sqrt(0.5))), 1.0), 0.5))

    def gelu(op: Any, x: Any) -> Any:
        return op.Gelu(x)

    rules = pattern.RewriteRuleSet([pattern.RewriteRule(pieces, gelu)], commute=True)
    return ir.load, ir.save, rules.apply_to_model


LIBRARIES: dict[str, Callable[[str], tuple[Loader, Saver, Pass]]] = {
    "zoo": zoo_passes,
    "onnx-ir": onnx_ir,
    "onnxscript.rewriter": rewriter,
}


def convolve_nhwc_image(model: Any) -> None:
    """Port of `zoo.export.onnx.passes.first_convolution.convolve_nhwc_image` to onnx-ir."""
    import onnx_ir as ir
    from onnx_ir import convenience

    from zoo.export.onnx.passes.transposes import NHWC_TO_NCHW

    graph = model.graph
    for cast in [node for node in graph if node.op_type == "Cast"]:
        chain = chain_from(cast, ["Cast", "Mul", "Add", "Transpose", "Conv"])
        if not chain:
            continue
        _, multiply, add, transpose, convolution = chain
        kernel = convolution.inputs[1].const_value
        attributes = convolution.attributes
        supported = (
            attributes.get_string("auto_pad", "NOTSET") == "NOTSET"
            and attributes.get_int("group", 1) == 1
            and set(attributes.get_ints("dilations", [1])) == {1}
            and list(transpose.attributes.get_ints("perm")) == NHWC_TO_NCHW
        )
        height, width, channels = cast.inputs[0].shape[1:]
        scale, offset = (channel_constant(node, channels) for node in (multiply, add))
        if not supported or kernel is None or scale is None or offset is None:
            continue
        scaled = kernel.numpy() * scale[:, None, None]
        filters, _, rows, columns = scaled.shape
        down, right = attributes.get_ints("strides", [1, 1])
        top, left, bottom, end = attributes.get_ints("pads", [0] * 4)
        stem = convolution.outputs[0].name
        arrays = {
            f"{stem}_offsets": np.tile(offset / scale, (width, 1)),
            f"{stem}_plane": np.array([0, 1, height, width * channels]),
            f"{stem}_rows": scaled.transpose(0, 2, 3, 1).reshape(filters, 1, rows, columns * channels),
        }
        constants = []
        for key, array in arrays.items():
            constants.append(ir.Value(name=key, const_value=ir.tensor(array, name=key)))
            graph.register_initializer(constants[-1])
        offsets, shape, one_channel = constants
        floats = ir.node("Cast", [cast.inputs[0]], {"to": ir.DataType.FLOAT})
        centered = ir.node("Add", [floats.outputs[0], offsets])
        reshaped = ir.node("Reshape", [centered.outputs[0], shape])
        new = ir.node(
            "Conv",
            [reshaped.outputs[0], one_channel, *convolution.inputs[2:]],
            {
                "kernel_shape": [rows, columns * channels],
                "strides": [down, right * channels],
                "pads": [top, left * channels, bottom, end * channels],
            },
        )
        nodes = [floats, centered, reshaped, new]
        convenience.replace_nodes_and_values(graph, convolution, chain, nodes, convolution.outputs, new.outputs)


def chain_from(first: Any, op_types: list[str]) -> list[Any]:
    """Return the nodes from `first` on, each the only user of the one before, if they have these types."""
    chain = [first]
    while len(chain) < len(op_types):
        value = chain[-1].outputs[0]
        if value.is_graph_output() or len(value.uses()) != 1:
            break
        chain.append(value.uses()[0].node)
    return chain if [node.op_type for node in chain] == op_types else []


def channel_constant(node: Any, channels: int) -> np.ndarray | None:
    """Return the constant that an Add or Mul applies to each channel of an NHWC map, float32 [channels]."""
    tensor = next((value.const_value for value in node.inputs if value.const_value is not None), None)
    if tensor is None or list(tensor.shape) not in ([channels], [1, 1, 1, channels]):
        return None
    return np.asarray(tensor.numpy().reshape(-1))


if __name__ == "__main__":
    command, *rest = sys.argv[1:2], *sys.argv[2:]
    if command == ["--convert"]:
        print(json.dumps(convert(rest[0], Path(rest[1]))))
    elif command == ["--run"]:
        print(json.dumps(run(rest[0], rest[1], Path(rest[2]), Path(rest[3]))))
    elif command == ["--whole"]:
        print(json.dumps(whole(rest[0], rest[1])))
    elif command == ["--compare"]:
        print(json.dumps(compare(Path(rest[0]), Path(rest[1]))))
    else:
        main()
