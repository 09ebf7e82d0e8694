"""ONNX, converted by tf2onnx: the only module that imports it.

The weights are inputs of the graph that tf2onnx works on, so that it holds no constants; they become initializers
afterwards and constants are folded at the level of ONNX. With the weights inside, tf2onnx 1.17 takes more than 24 GB
for a VGG-16; this way it is under 4 GB, and the numbers agree to 2e-10.
"""

from __future__ import annotations

import json
import logging
import math
import tempfile
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

from zoo import files
from zoo.contract import BATCH, IMAGE, OUTPUTS
from zoo.errors import ZooError
from zoo.export.graph import Network, outputs
from zoo.export.onnx import passes
from zoo.export.onnx.expected_transposes import transposes
from zoo.export.onnx.lint import Origin, kinds
from zoo.onnx_file import DIGEST, graph_digest

OPSET = 21
"""What a file is written in unless something else is asked for: the newest that onnxruntime two years back accepts.

onnxruntime 1.20 (November 2024) refuses opset 22 and IR version 11.
"""

LOWEST_OPSET = 18
"""What tf2onnx 1.17 writes, and its newest: before, it makes a LayerNormalization's means of GlobalAveragePool.

onnx' version converter goes on from there, while the graph has no weights.
"""

STEPS = (
    "ConstFoldOptimizer",
    "MergeDuplicatedNodesOptimizer",
    "BackToBackOptimizer",
    "IdentityOptimizer",
)
"""Those of tf2onnx' optimizers that leave a mark on the networks here; each goes over the whole graph several times.

Its TransposeOptimizer (1.17) takes longer than all of them, and moves Transposes into a LayerNormalization's pieces,
which nothing fuses any more. onnxruntime's folding moves them as well, and not there.
"""

LEFT_TO_PASSES = ("Pad_Fusion",)
"""Steps of onnxruntime's basic level that `zoo.export.onnx.passes` takes, for versions differ in what they do.

Pad_Fusion puts zeros into a MaxPool up to 1.31, of negative maps too, which changes the answer; from 1.32 on never.
"""

LARGEST_FILE = 2**31 - 2**20
"""Bytes of weights: a protobuf ends at 2 GiB, and the graph takes some of them."""


def check_opset(opset: int) -> None:
    """Raise ZooError for an operator set that the passes, onnx or onnxruntime do not know."""
    import onnx

    known = range(LOWEST_OPSET, onnx.defs.onnx_opset_version() + 1)
    if opset in known and _loads(opset):
        return
    highest = max(version for version in known if _loads(version))
    raise ZooError(
        f"opset {opset} cannot be written: name one from {LOWEST_OPSET} to {highest} (the default is {OPSET})"
    )


def check_size(model: Any) -> None:
    """Raise ZooError for a Keras network whose weights are more than one file can hold."""
    weights = 4 * sum(math.prod(variable.shape) for variable in model.weights)
    if weights > LARGEST_FILE:
        raise ZooError(f"{weights} bytes of weights are more than an ONNX file holds: export a SavedModel")


def ir_version(opset: int) -> int:
    """The lowest version of ONNX' format that an operator set can be written in."""
    import onnx

    return int(onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)]))


def write_onnx(network: Network, path: Path, metadata: dict[str, Any], opset: int = OPSET) -> Origin:
    """Write an ONNX file of the contract, and say what it was made of.

    Args:
        network: what is written.
        path: where the file goes, whole or not at all.
        metadata: what `metadata_props` holds; values that are not text become JSON.
        opset: the version of ONNX' operator set.
    """
    import onnx

    proto = _convert(network, opset)
    origin = Origin(kinds(proto), transposes(network.model))
    passes.global_average(proto)
    with tempfile.TemporaryDirectory() as scratch:
        bound, folded = Path(scratch) / "bound.onnx", Path(scratch) / "folded.onnx"
        bound.write_bytes(proto.SerializeToString())
        del proto
        _fold(bound, folded)
        proto = onnx.load(folded)
    passes.tidy(proto)
    _name_batch(proto.graph)
    passes.repeated_gates(proto)
    _drop_unused_domains(proto)
    for key, value in metadata.items():
        proto.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    with files.staged_file(path) as staging:
        save(proto, staging)
    return origin


def save(proto: Any, path: Path) -> None:
    """Write an ONNX file that keeps the digest of its own graph, see `zoo.onnx_file.DIGEST`."""
    import onnx

    kept = [entry for entry in proto.metadata_props if entry.key != DIGEST]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    onnx.save(proto, path)
    # What is appended to a protobuf is added to its lists: the file is not read into memory again.
    entry = onnx.StringStringEntryProto(key=DIGEST, value=graph_digest(path))
    with path.open("ab") as file:
        file.write(onnx.ModelProto(metadata_props=[entry]).SerializeToString())


def _convert(network: Network, opset: int) -> Any:
    """The network as tf2onnx gives it, with its weights as initializers."""
    import keras
    import onnx

    # The state of dropout's random numbers (uint32) is no weight: nothing reads it in inference.
    weights = {f"{layer.name}.{weight.name}": weight for layer in network.model.layers for weight in layer.weights}
    proto = _tf2onnx(*_with_weights_as_inputs(network, weights), opset)
    for value in [value for value in proto.graph.input if value.name in weights]:
        proto.graph.input.remove(value)
        weight = keras.ops.convert_to_numpy(weights[value.name])
        proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, value.name))
    return proto


def _with_weights_as_inputs(network: Network, weights: dict[str, Any]) -> tuple[Any, list[str], dict[str, str]]:
    """The contract's graph around the network's one trace, with a placeholder for each variable.

    Args:
        network: what is converted.
        weights: its variables by the names that their placeholders get.

    Returns:
        The graph's definition, the names of its inputs, and its outputs by the contract's names.
    """
    import tensorflow as tf

    traced = network.logits.get_concrete_function()
    image, *captured = (tensor.op.name for tensor in traced.inputs)
    handles = dict(zip(captured, map(id, traced.captured_inputs), strict=True))
    names = {id(weight.value.handle): name for name, weight in weights.items()}
    definition, reads = tf.compat.v1.GraphDef(), {}
    for node in traced.graph.as_graph_def().node:
        if node.op == "ReadVariableOp":
            reads[node.name] = names[handles[node.input[0]]]
        elif node.op not in ("Placeholder", "NoOp"):
            definition.node.append(node)
            # A function waits for all of its reads; a network has no other effects to wait for.
            operands = [name for name in node.input if not name.startswith("^")]
            del definition.node[-1].input[:]
            definition.node[-1].input.extend(operands)
    with tf.Graph().as_default() as graph:
        pixels = tf.compat.v1.placeholder(tf.uint8, [None, *network.preprocessing.shape], IMAGE)
        read = {name: weights[name].shape for name in reads.values()}
        values = {name: tf.compat.v1.placeholder(tf.float32, shape, name) for name, shape in read.items()}
        given = {node: values[name] for node, name in reads.items()}

        def logits(images: Any) -> Any:
            (answer,) = tf.graph_util.import_graph_def(definition, {image: images, **given}, [traced.outputs[0].name])
            return answer

        answers = outputs(pixels, logits, network.preprocessing)
    inputs = [tensor.name for tensor in (pixels, *values.values())]
    return graph.as_graph_def(add_shapes=True), inputs, {name: tensor.name for name, tensor in answers.items()}


def _tf2onnx(definition: Any, inputs: list[str], answers: dict[str, str], opset: int) -> Any:
    import onnx
    import tensorflow as tf

    with warnings.catch_warnings():
        # tf2onnx 1.17 calls what numpy 2 and onnx 1.23 call deprecated.
        warnings.simplefilter("ignore")
        import tf2onnx.optimizer
        import tf2onnx.tf_loader
        import tf2onnx.tfonnx

        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        given = list(answers.values())
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(tf2onnx.tf_loader.tf_optimize(inputs, given, definition), name="")
            converted = tf2onnx.tfonnx.process_tf_graph(
                graph,
                continue_on_error=True,
                opset=LOWEST_OPSET,
                input_names=inputs,
                output_names=given,
                tensors_to_rename={tensor: name for name, tensor in answers.items()}
                | {tensor: tensor.rpartition(":")[0] for tensor in inputs},
            )
        steps = OrderedDict((name, getattr(tf2onnx.optimizer, name)) for name in STEPS)
        # tf2onnx.convert copies the whole graph before each of its steps, which takes as long as the steps.
        proto = tf2onnx.optimizer.optimize_graph(converted, False, steps).make_model("zoo")
    if opset > LOWEST_OPSET:
        proto = onnx.version_converter.convert_version(proto, opset)
    proto.ir_version = ir_version(opset)
    proto.producer_name = "zoo"
    assert isinstance(proto, onnx.ModelProto)
    return proto


def _fold(source: Path, target: Path) -> None:
    """Fold constants, batch normalizations and transposes.

    By onnxruntime's basic level, which ties the file to no processor, without what its versions do differently.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        str(source), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(LEFT_TO_PASSES)
    )


def _loads(opset: int) -> bool:
    """Whether the onnxruntime that is installed takes a graph of this operator set."""
    import onnx
    import onnxruntime

    image, answer = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "probe", [image], [answer])
    imports = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=ir_version(opset))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # onnxruntime raises classes of its own, which are no part of its interface
        return False
    return True


def _name_batch(graph: Any) -> None:
    """Call the open dimension by the contract's name, which tf2onnx numbers anew each time."""
    for value in (*graph.input, *graph.output):
        if value.name in (IMAGE, *OUTPUTS):
            value.type.tensor_type.shape.dim[0].dim_param = BATCH
    del graph.value_info[:]


def _drop_unused_domains(proto: Any) -> None:
    """Keep the standard operator set only: onnxruntime 1.31 lists every domain that it knows in what it writes."""
    used = {node.domain for node in proto.graph.node} | {""}
    kept = [imported for imported in proto.opset_import if imported.domain in used]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
