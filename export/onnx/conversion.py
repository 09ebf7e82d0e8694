"""Conversion of a network to an ONNX file: tf2onnx, onnxruntime's constant folding, and zoo's passes.

This is the only module that imports tf2onnx. The weights are inputs of the graph that tf2onnx converts and become
initializers afterwards, so that tf2onnx holds no constants. With the weights inside, tf2onnx 1.17 needs more than 24 GB
for VGG-16; this way it needs less than 4 GB. The logits agree to 2e-10.
"""

from __future__ import annotations

import contextlib
import logging
import math
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo import contract, files, onnx_metadata, weights_file
from zoo.errors import ZooError
from zoo.export.graph import TracedModel, open_shape, outputs
from zoo.export.onnx import passes
from zoo.export.onnx.expected_transposes import expected_transposes
from zoo.export.onnx.lint import ConversionRecord, node_counts
from zoo.export.onnx.operators import OPERATORS
from zoo.formats.onnx import NO_EMPTY_BATCH, inference_session, write_optimized
from zoo.input import kind_of
from zoo.onnx_file import DIGEST, graph_digest
from zoo.signature import Signature

OPSET = 21
"""The default version of ONNX's operator set: the newest that onnxruntime 1.20 (November 2024) loads.

onnxruntime 1.20 refuses opset 22 and IR version 11.
"""

LOWEST_OPSET = 18
"""The version that tf2onnx 1.17 is told to write: its newest. For lower versions it writes the mean of a
LayerNormalization as GlobalAveragePool, which onnxruntime does not fuse.

onnx' version converter then raises the graph to the requested version, before the weights are added.
"""

TF2ONNX_OPTIMIZERS = (
    "ConstFoldOptimizer",
    "MergeDuplicatedNodesOptimizer",
    "BackToBackOptimizer",
    "IdentityOptimizer",
)
"""The optimizers of tf2onnx that change zoo's networks; each one goes over the whole graph several times.

TransposeOptimizer (1.17) is left out. It takes longer than all the others, and moves Transposes between the operations
of a LayerNormalization, which onnxruntime then no longer fuses. onnxruntime's constant folding moves Transposes, too,
but not to such places.
"""

DISABLED_FUSIONS = ("Pad_Fusion",)
"""Optimizers of onnxruntime's basic level that zoo's passes replace, because they differ between versions.

For Pad_Fusion see `zoo.export.onnx.passes.padding`.
"""

LARGEST_FILE = 2**31 - 2**20
"""Bytes of weights that fit into an ONNX file: a protobuf is limited to 2 GiB, and the graph takes some of them."""


def check_opset(opset: int) -> None:
    """Check that tf2onnx, onnx and the installed onnxruntime support a version of ONNX's operator set.

    Raises:
        ZooError: one of them does not.
    """
    import onnx

    supported = range(LOWEST_OPSET, onnx.defs.onnx_opset_version() + 1)
    if opset in supported and _loads(opset):
        return
    highest = max(version for version in supported if _loads(version))
    raise ZooError(
        f"opset {opset} cannot be written: name one from {LOWEST_OPSET} to {highest} (the default is {OPSET})"
    )


def check_size(model: Any) -> None:
    """Check that the weights of a Keras network fit into one ONNX file.

    Raises:
        ZooError: they do not.
    """
    weights = 4 * sum(math.prod(variable.shape) for variable in model.weights)
    if weights > LARGEST_FILE:
        raise ZooError(f"{weights} bytes of weights are more than an ONNX file holds: export a SavedModel")


def ir_version(opset: int) -> int:
    """Return the lowest version of the ONNX file format that supports an operator set."""
    import onnx

    return int(onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)]))


def write_onnx(network: TracedModel, path: Path, opset: int = OPSET) -> ConversionRecord:
    """Write an ONNX file that follows the contract, and return the record that the lint compares it with.

    Args:
        network: the network to convert.
        path: the file to write, whole or not at all.
        opset: the version of ONNX's operator set.
    """
    import onnx

    with folded(network, opset) as (source, record):
        proto = onnx.load(source)
    passes.apply(proto, "folded")
    _name_open_dimensions(proto, contract.of_every_format(network.description))
    metadata = onnx_metadata.entries(network.description)
    if any(node.op_type == "LSTM" for node in proto.graph.node):
        metadata[NO_EMPTY_BATCH] = "LSTM"
    for key, value in metadata.items():
        proto.metadata_props.add(key=key, value=value)
    with files.staged_file(path) as staging:
        save(proto, staging)
    return record


@contextlib.contextmanager
def folded(network: TracedModel, opset: int = OPSET) -> Iterator[tuple[Path, ConversionRecord]]:
    """Convert a network and fold its constants: the graph that the passes of the stage `folded` start from.

    Yields:
        A scratch file, removed at the end of the block, and the record that the lint compares the finished file with.
    """
    proto = _tf2onnx_with_weights(network, opset)
    record = ConversionRecord(node_counts(proto), expected_transposes(network.model))
    passes.apply(proto, "converted")
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "converted.onnx", Path(scratch) / "folded.onnx"
        source.write_bytes(proto.SerializeToString())
        # onnxruntime holds all weights while it folds constants: this copy would take the same memory again.
        del proto
        _fold_constants(source, target)
        yield target, record


def save(proto: Any, path: Path) -> None:
    """Write an ONNX file that holds a digest of its own graph, see `zoo.onnx_file.DIGEST`."""
    import onnx

    entries = [entry for entry in proto.metadata_props if entry.key != DIGEST]
    del proto.metadata_props[:]
    proto.metadata_props.extend(entries)
    onnx.save(proto, path)
    # Bytes appended to a protobuf extend its lists: the file does not have to be read into memory again.
    digest = onnx.StringStringEntryProto(key=DIGEST, value=graph_digest(path))
    with path.open("ab") as file:
        file.write(onnx.ModelProto(metadata_props=[digest]).SerializeToString())


def _name_open_dimensions(proto: Any, signature: Signature) -> None:
    """Give open dimensions the contract's names: tf2onnx numbers them differently each time."""
    stated = {**signature.inputs, **signature.outputs}
    for value in (*proto.graph.input, *proto.graph.output):
        for dimension, size in zip(value.type.tensor_type.shape.dim, stated[value.name].shape, strict=True):
            if isinstance(size, str):
                dimension.dim_param = size


def _tf2onnx_with_weights(network: TracedModel, opset: int) -> Any:
    """Convert the network with tf2onnx and return an onnx.ModelProto with its weights as initializers."""
    import keras
    import onnx

    # The random state of dropout (uint32) is among the variables, but no inference reads it.
    weights = {name.replace("/", "."): weight for name, weight in weights_file.weights(network.model).items()}
    proto = _tf2onnx(*_with_weights_as_inputs(network, weights), opset)
    for value in [value for value in proto.graph.input if value.name in weights]:
        proto.graph.input.remove(value)
        weight = keras.ops.convert_to_numpy(weights[value.name])
        proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, value.name))
    return proto


def _with_weights_as_inputs(network: TracedModel, weights: dict[str, Any]) -> tuple[Any, list[str], dict[str, str]]:
    """Build the TensorFlow graph of the contract with a placeholder for each input and each variable.

    Args:
        network: the network, whose trace is used as it is.
        weights: its variables by the names of their placeholders.

    Returns:
        The tf.GraphDef, the names of its input tensors, and its output tensors by the contract's names.
    """
    import tensorflow as tf

    client, preprocessing = kind_of(network.description.preprocessing).client, network.description.preprocessing
    traced = network.network.get_concrete_function()
    # TensorFlow sorts the arguments by name.
    arguments = sorted(client.network_tensors(preprocessing))
    names_in_trace = [tensor.op.name for tensor in traced.inputs]
    captured = names_in_trace[len(arguments) :]
    handles = dict(zip(captured, map(id, traced.captured_inputs), strict=True))
    names = {id(weight.value.handle): name for name, weight in weights.items()}
    definition, reads = tf.compat.v1.GraphDef(), {}
    for node in traced.graph.as_graph_def().node:
        if node.op == "ReadVariableOp":
            reads[node.name] = names[handles[node.input[0]]]
        elif node.op not in ("Placeholder", "NoOp"):
            definition.node.append(node)
            # The trace waits for all variables to be read before it returns; nothing else has a side effect.
            operands = [name for name in node.input if not name.startswith("^")]
            del definition.node[-1].input[:]
            definition.node[-1].input.extend(operands)
    with tf.Graph().as_default() as graph:
        inputs = {
            name: tf.compat.v1.placeholder(tensor.dtype, open_shape(tensor), name)
            for name, tensor in client.tensors(preprocessing).items()
        }
        # A variable may be read more than once. A read for the shape alone has no user: the shape is a constant of the
        # trace.
        used = {operand.partition(":")[0] for node in definition.node for operand in node.input}
        reads = {node: name for node, name in reads.items() if node in used}
        read_variables = {name: weights[name] for name in reads.values()}
        values = {
            name: tf.compat.v1.placeholder(variable.dtype, variable.shape, name)
            for name, variable in read_variables.items()
        }
        replaced = {node: values[name] for node, name in reads.items()}

        def imported_network(prepared: dict[str, Any]) -> Any:
            given = {traced_name: prepared[name] for name, traced_name in zip(arguments, names_in_trace, strict=False)}
            (answer,) = tf.graph_util.import_graph_def(definition, given | replaced, [traced.outputs[0].name])
            return answer

        answers = outputs(inputs, imported_network, network.description)
    placeholders = [tensor.name for tensor in (*inputs.values(), *values.values())]
    return graph.as_graph_def(add_shapes=True), placeholders, {name: tensor.name for name, tensor in answers.items()}


def _tf2onnx(definition: Any, inputs: list[str], answers: dict[str, str], opset: int) -> Any:
    """Convert a tf.GraphDef to an onnx.ModelProto of the given opset; `answers` maps output names to tensors."""
    import onnx
    import tensorflow as tf

    with warnings.catch_warnings():
        # tf2onnx 1.17 uses functions that numpy 2 and onnx 1.23 deprecate.
        warnings.simplefilter("ignore")
        import tf2onnx.optimizer
        import tf2onnx.tf_loader
        import tf2onnx.tfonnx

        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        output_names = list(answers.values())
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(tf2onnx.tf_loader.tf_optimize(inputs, output_names, definition), name="")
            converted = tf2onnx.tfonnx.process_tf_graph(
                graph,
                continue_on_error=True,
                opset=LOWEST_OPSET,
                custom_op_handlers=OPERATORS,
                input_names=inputs,
                output_names=output_names,
                tensors_to_rename={tensor: name for name, tensor in answers.items()}
                | {tensor: tensor.rpartition(":")[0] for tensor in inputs},
            )
        optimizers = OrderedDict((name, getattr(tf2onnx.optimizer, name)) for name in TF2ONNX_OPTIMIZERS)
        # tf2onnx.convert copies the whole graph before each optimizer, which takes as long as the optimizers.
        proto = tf2onnx.optimizer.optimize_graph(converted, False, optimizers).make_model("zoo")
    if opset > LOWEST_OPSET:
        proto = onnx.version_converter.convert_version(proto, opset)
    proto.ir_version = ir_version(opset)
    proto.producer_name = "zoo"
    assert isinstance(proto, onnx.ModelProto)
    return proto


def _fold_constants(source: Path, target: Path) -> None:
    """Fold constants, batch normalizations and Transposes with onnxruntime's basic optimizers.

    The basic level uses standard operators only, so that the file runs on every processor.
    """
    write_optimized(source, target, "basic", disabled=DISABLED_FUSIONS)


def _loads(opset: int) -> bool:
    """Return whether the installed onnxruntime loads a graph of this operator set."""
    import onnx

    image, answer = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "probe", [image], [answer])
    imports = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=ir_version(opset))
    try:
        inference_session(model.SerializeToString())
    except Exception:  # onnxruntime's exception classes are not part of its public interface
        return False
    return True
