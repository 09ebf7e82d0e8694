"""Write ONNX files of zoo's Wav2Vec 2.0 from the network's waveform to its logits, like the peers' files.

usage: .venv/bin/python -m benchmarks.peers.export_zoo_wav2vec2 FOLDER SIZE-HEAD... [--samples 16000,80000]

FOLDER holds SIZE-HEAD.safetensors, as `export_transformers_wav2vec2` writes them. Writes
FOLDER/zoo/SIZE-HEAD.SAMPLES.onnx; 0 samples leave the length open.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from zoo.contract import LOGITS
from zoo.export.onnx import conversion, passes

WAVEFORM = "waveform"


def write(model: Any, path: Path) -> Any:
    """Write an ONNX file of a Keras network of one waveform, and return it as an onnx.ModelProto."""
    import keras
    import onnx

    weights = {f"{layer.name}.{weight.name}": weight for layer in model.layers for weight in layer.weights}
    proto = conversion._tf2onnx(*_with_weights_as_inputs(model, weights), conversion.OPSET)
    for value in [value for value in proto.graph.input if value.name in weights]:
        proto.graph.input.remove(value)
        weight = keras.ops.convert_to_numpy(weights[value.name])
        proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, value.name))
    passes.apply(proto, "converted")
    with tempfile.TemporaryDirectory() as scratch:
        source, folded = Path(scratch) / "converted.onnx", Path(scratch) / "folded.onnx"
        source.write_bytes(proto.SerializeToString())
        conversion._fold_constants(source, folded)
        proto = onnx.load(folded)
    passes.apply(proto, "folded")
    conversion.save(proto, path)
    return proto


def _with_weights_as_inputs(model: Any, weights: dict[str, Any]) -> tuple[Any, list[str], dict[str, str]]:
    """Trace as `zoo.export.onnx.conversion` does for the contract: the graph, its inputs, and its outputs by name."""
    import tensorflow as tf

    form = tf.TensorSpec(model.inputs[0].shape, tf.float32)
    traced = tf.function(lambda x: model(x, training=False), [form], autograph=False).get_concrete_function()
    waveform, *captured = (tensor.op.name for tensor in traced.inputs)
    handles = dict(zip(captured, map(id, traced.captured_inputs), strict=True))
    names = {id(weight.value.handle): name for name, weight in weights.items()}
    definition, reads = tf.compat.v1.GraphDef(), {}
    for node in traced.graph.as_graph_def().node:
        if node.op == "ReadVariableOp":
            reads[node.name] = names[handles[node.input[0]]]
        elif node.op not in ("Placeholder", "NoOp"):
            operands = [name for name in node.input if not name.startswith("^")]
            definition.node.append(node)
            del definition.node[-1].input[:]
            definition.node[-1].input.extend(operands)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, form.shape, WAVEFORM)
        values = {name: tf.compat.v1.placeholder(tf.float32, weights[name].shape, name) for name in reads.values()}
        feeds = {waveform: x, **{node: values[name] for node, name in reads.items()}}
        (answer,) = tf.graph_util.import_graph_def(definition, feeds, [traced.outputs[0].name])
        answer = tf.identity(answer)
    inputs = [tensor.name for tensor in (x, *values.values())]
    return graph.as_graph_def(add_shapes=True), inputs, {LOGITS: answer.name}


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description="Write ONNX files of zoo's Wav2Vec 2.0.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+", help="SIZE-HEAD, such as base-classes")
    parser.add_argument("--samples", default="16000,80000", help="0 for an open length [16000,80000]")
    asked = parser.parse_args()

    from safetensors import safe_open

    from benchmarks.peers.wav2vec2_logits import network
    from zoo.models.wav2vec2.reader import read_wav2vec2

    (asked.folder / "zoo").mkdir(exist_ok=True)
    for name in asked.names:
        size, _, head = name.partition("-")
        weights = asked.folder / f"{name}.safetensors"
        with safe_open(weights, framework="numpy") as file:
            count = file.get_slice("classifier.bias" if head == "classes" else "lm_head.bias").get_shape()[0]
        for samples in map(int, asked.samples.split(",")):
            model = network(size, head, count, samples or None)
            read_wav2vec2(weights, model)
            write(model, asked.folder / "zoo" / f"{name}.{samples}.onnx")
            print(name, samples, flush=True)


if __name__ == "__main__":
    main()
