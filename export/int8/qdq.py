"""Quantization: pairs of QuantizeLinear and DequantizeLinear (QDQ) where onnxruntime has integer kernels.

zoo does this itself, because the choice of the tensors that become integers, and of their types and ranges, decides
both speed and accuracy. By default, onnxruntime's own quantizer (1.31) takes types that are slow on x86, returns to
float32 at every activation, and keeps every tensor of the calibration in memory. When onnxruntime loads the file, it
fuses the pairs into QLinearConv, QGemm, MatMulIntegerToFloat, QLinearAdd and so on; any other runtime can compute them
as they are.

zoo's int8 files of ResNet and VGG are hardly faster than those of onnxruntime's quantizer: both turn the convolutions,
which take nearly all of the time, into integers, and these run at nine tenths of the peak of AVX-512 VNNI (onnxruntime
1.32, Zen 4). Two rearrangements were measured and left out: a first convolution on blocks of 2 by 2 pixels, which
saves 3 % of ResNet-18, 1 % of ResNet-50 and nothing elsewhere; and EfficientNet's SiLU on floats, which takes 1.2 times
as long as on integers. BERT's products with their biases as QGemm take 1.0 to 1.1 times as long as MatMulIntegerToFloat
and a sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.artifact import Target
from zoo.export.onnx.graph_index import GraphIndex, attributes_of
from zoo.export.onnx.integer_kernels import node_name, weighted_nodes

Range = tuple[float, float]
"""The lowest and the highest value that a tensor's 8 bits represent; 0 lies within."""

SMALLEST_SCALE = 1e-12
"""The scale of a tensor that is 0 throughout."""

COMPUTED_ON_INTEGERS = ("Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid")
"""Operators that are computed on integers if all their inputs are: converting to float32 and back would cost more."""

HARD_ACTIVATIONS = ("HardSigmoid", "HardSwish")
"""Activations that are a change of scale on integers.

max(0, min(1, x / 6 + 1/2)) is x, rounded to integers that saturate at -3 and 3; the same integers are then read with a
scale from 0 to 1. onnxruntime (1.31) has no integer kernels for the two operators, but it has one for LeakyRelu. With a
slope of 1 it changes the scale by a lookup table. The int8 latency of MobileNetV3-Large is 0.82 times that of float32
this way, and 0.86 times with the two operators in float32.
"""

RANGE_PRESERVING = ("MaxPool", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze")
"""Operators that only choose or move values: their output has the range of their input."""


@dataclass(frozen=True)
class IntegerTypes:
    """The integer types that a processor's kernels take.

    Attributes:
        activation: the numpy type of activations.
        symmetric: whether activations with negative values have the zero point 0.
        weight: the largest absolute weight. Weights are int8 with zero point 0 and a scale for each output channel.
    """

    activation: Any
    symmetric: bool
    weight: int


TYPES: dict[Target, IntegerTypes] = {
    # VNNI sums four products of uint8 and int8 in 32 bits.
    "x86-vnni": IntegerTypes(np.uint8, symmetric=False, weight=127),
    # Without VNNI, two products are summed in 16 bits, which saturate. Weights of 7 bits avoid it: 2 · 255 · 63 < 2^15.
    "x86-avx2": IntegerTypes(np.uint8, symmetric=False, weight=63),
    # ARM's dot products take int8 for both operands.
    "arm64": IntegerTypes(np.int8, symmetric=True, weight=127),
    # uint8 activations and weights of 7 bits are exact on every processor.
    "portable": IntegerTypes(np.uint8, symmetric=False, weight=63),
}


@dataclass(frozen=True)
class QuantizationPlan:
    """The nodes and tensors of a graph that become integers.

    Attributes:
        weighted: the nodes with weights that are computed on integers, by name.
        on_integers: the outputs of all nodes that are computed on integers.
        quantized: all tensors that get a pair of QuantizeLinear and DequantizeLinear.
        absorbed: Relu and Clip nodes that quantization replaces, because rounding to 8 bits clips as they do: their
            outputs, by the output of the node before them.
    """

    weighted: dict[str, Any]
    on_integers: frozenset[str]
    quantized: frozenset[str]
    absorbed: dict[str, str]


def range_source(index: GraphIndex, name: str) -> str:
    """Return the tensor that a tensor's values, and therefore its range, come from; often the tensor itself."""
    while name in index.producers and index.producers[name].op_type in RANGE_PRESERVING:
        name = index.producers[name].input[0]
    return name


def to_calibrate(index: GraphIndex) -> list[str]:
    """Return the tensors whose ranges `quantized` needs, whichever nodes stay in float32."""
    return sorted({range_source(index, name) for name in plan_quantization(index).quantized})


def integer_activations(index: GraphIndex) -> list[str]:
    """Return the names of hard activations and sigmoids on integers, which cost more accuracy than any other node."""
    plan = plan_quantization(index)
    activations = [node for node in index.graph.node if node.op_type in (*HARD_ACTIVATIONS, "Sigmoid")]
    return [
        node_name(node) for node in activations if plan.absorbed.get(node.output[0], node.output[0]) in plan.on_integers
    ]


def plan_quantization(index: GraphIndex, float32_nodes: frozenset[str] = frozenset()) -> QuantizationPlan:
    """Decide which nodes and tensors become integers; nodes named by `float32_nodes` stay in float32."""
    weighted = {node_name(node): node for node in weighted_nodes(index) if node_name(node) not in float32_nodes}
    weighted_outputs = {node.output[0] for node in weighted.values()}
    on_integers: set[str] = set()
    quantized: set[str] = set()
    absorbed: dict[str, str] = {}
    for node in index.graph.node:
        if node_name(node) in float32_nodes:
            continue
        result = node.output[0]
        activations = [name for name in node.input if name and name not in index.initializers]
        if result in weighted_outputs:
            if not _is_dequantized(index, node.input[0]):
                quantized.add(node.input[0])
            # The output of a matrix product stays in float32: a normalization or Gelu follows, and rounding it to 8
            # bits would cost accuracy for nothing.
            computed = node.op_type == "Conv"
        elif node.op_type in RANGE_PRESERVING:
            computed = node.input[0] in on_integers
        elif node.op_type in HARD_ACTIVATIONS:
            computed = node.input[0] in on_integers and _has_slope_of_hard_swish(node)
        elif _clips_at_zero(node, index):
            # Not absorbed: something else reads its input, too.
            computed = node.input[0] in on_integers
        elif node.op_type == "GlobalAveragePool" and _feeds(index, result, weighted_outputs):
            # In float32 it would need another layout than the integers around it: two Transposes of the whole map.
            quantized.add(node.input[0])
            computed = True
        else:
            all_activations = len(activations) == len(node.input)
            computed = node.op_type in COMPUTED_ON_INTEGERS and all_activations and on_integers.issuperset(activations)
        if not computed or result in index.outputs:
            continue
        clip = index.sole_consumer(result)
        if node.op_type not in RANGE_PRESERVING and clip is not None and _clips_at_zero(clip, index):
            absorbed[result] = result = clip.output[0]
        on_integers.add(result)
        quantized.add(result)
    return QuantizationPlan(weighted, frozenset(on_integers), frozenset(quantized), absorbed)


def _feeds(index: GraphIndex, name: str, outputs: set[str]) -> bool:
    """Return whether a node with one of these outputs reads a value, directly or behind nodes that only move it."""
    return any(
        consumer.output[0] in outputs
        or (consumer.op_type in RANGE_PRESERVING and _feeds(index, consumer.output[0], outputs))
        for consumer in index.consumers.get(name, ())
    )


def _is_dequantized(index: GraphIndex, name: str) -> bool:
    """Return whether a tensor has 8 bits before zoo quantizes anything, as a uint8 image has."""
    return name in index.producers and index.producers[name].op_type == "DequantizeLinear"


def _has_slope_of_hard_swish(node: Any) -> bool:
    """Return whether a hard activation uses x / 6 + 1/2; every HardSwish does."""
    attributes = attributes_of(node)
    wanted = {"alpha": 1 / 6, "beta": 0.5}
    return node.op_type == "HardSwish" or all(
        math.isclose(attributes.get(name, -1), value, rel_tol=1e-5) for name, value in wanted.items()
    )


def _clips_at_zero(node: Any, index: GraphIndex) -> bool:
    if node.output[0] in index.outputs:
        return False
    return node.op_type == "Relu" or (
        node.op_type == "Clip" and len(node.input) == 3 and index.scalar(node.input[1]) == 0
    )


def quantized(
    model: Any, ranges: Mapping[str, Range], target: Target, float32_nodes: frozenset[str] = frozenset()
) -> Any:
    """Return a copy of a float32 model with QDQ pairs around the nodes that are computed on integers.

    Args:
        model: an onnx.ModelProto; it is not changed.
        ranges: the range of every tensor of `to_calibrate(index)`.
        target: the processor whose types are used.
        float32_nodes: the names of nodes that stay in float32.
    """
    import onnx

    index = GraphIndex(model)
    writer = _Writer(index, plan_quantization(index, float32_nodes), ranges, TYPES[target])
    nodes = [new for node in index.graph.node for new in writer.rewritten(node)]
    quantized_model = onnx.ModelProto(
        ir_version=model.ir_version,
        producer_name=model.producer_name,
        opset_import=model.opset_import,
        metadata_props=model.metadata_props,
        graph=onnx.GraphProto(
            name=model.graph.name, node=nodes, input=model.graph.input, output=model.graph.output,
            initializer=writer.initializers.values(),
        ),
    )  # fmt: skip
    used = {name for node in nodes for name in node.input}
    # After the model is built, so that the remaining float32 weights are copied only once.
    quantized_model.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in used)
    return quantized_model


class _Writer:
    """The nodes that replace each node of a graph, and the initializers that they read."""

    def __init__(
        self, index: GraphIndex, plan: QuantizationPlan, ranges: Mapping[str, Range], types: IntegerTypes
    ) -> None:
        self.index, self.plan, self.ranges, self.types = index, plan, ranges, types
        self.initializers: dict[str, Any] = {}
        self.dequantized: set[str] = set()
        self.hard_sigmoids: set[str] = set()
        self.absorbed_outputs = set(plan.absorbed.values())
        self.weighted_outputs = {node.output[0] for node in plan.weighted.values()}
        self.concatenated = dict(self._concatenated())

    def rewritten(self, node: Any) -> list[Any]:
        """Return the nodes that replace a node."""
        import onnx

        result = node.output[0]
        if result in self.absorbed_outputs:
            return []
        if node.op_type in HARD_ACTIVATIONS and result in self.plan.on_integers:
            return self._hard_activation(node)
        weighted = result in self.weighted_outputs
        new, before = onnx.NodeProto(), list[Any]()
        new.CopyFrom(node)
        new.output[0] = self.plan.absorbed.get(result, result)
        if _clips_at_zero(node, self.index) and result in self.plan.on_integers:
            # Its range begins at 0, and quantization clips there: a change of scale, as for `HARD_ACTIVATIONS`.
            new.CopyFrom(onnx.helper.make_node("LeakyRelu", node.input[:1], [result], name=node.name, alpha=1.0))
        computed = weighted or new.output[0] in self.plan.on_integers
        for position, name in enumerate(node.input):
            if name in self.plan.on_integers or (computed and position == 0 and name in self.plan.quantized):
                # onnxruntime fuses a DequantizeLinear only if one node reads it: each integer node gets its own, and
                # all float32 nodes share one.
                reader = f"{result}_{position}" if computed else "others"
                new.input[position] = self._dequantize(name, reader, before)
        if weighted:
            self._quantize_weights(node, new, before)
        return [*before, new, *(self._quantize(name) for name in new.output if name in self.plan.quantized)]

    def _hard_activation(self, node: Any) -> list[Any]:
        """Return a HardSigmoid as a change of scale, and for a HardSwish also the product with its input."""
        import onnx

        source, result = node.input[0], node.output[0]
        sigmoid = result if node.op_type == "HardSigmoid" else f"{result}_gate"
        self.hard_sigmoids.add(sigmoid)
        least = np.iinfo(self.types.activation).min
        parameters = [
            self._constant("hard_sigmoid_scale", np.float32(6 / 255)),
            self._constant("hard_sigmoid_zero", self.types.activation(least + 128)),
        ]
        new = list[Any]()
        floats = self._dequantize(source, f"{sigmoid}_curve", new)
        new.append(onnx.helper.make_node("LeakyRelu", [floats], [f"{sigmoid}_curve"], alpha=1.0))
        new.append(onnx.helper.make_node("QuantizeLinear", [f"{sigmoid}_curve", *parameters], [f"{sigmoid}_quantized"]))
        if node.op_type == "HardSwish":
            factors = [self._dequantize(name, f"{result}_product", new) for name in (source, sigmoid)]
            new.append(onnx.helper.make_node("Mul", factors, [result], name=node.name))
            new.append(self._quantize(result))
        return new

    def range(self, name: str) -> Range:
        """Return the range of a tensor: its own, or that of the tensor that its values come from or go into."""
        source = whole = range_source(self.index, name)
        while whole in self.concatenated:
            whole = range_source(self.index, self.concatenated[whole])
        # A range that begins at 0 does the work of a Relu. The range of the concatenated tensor would undo it.
        clipped = source in self.absorbed_outputs or (
            source in self.index.producers and _clips_at_zero(self.index.producers[source], self.index)
        )
        return self.ranges[source if clipped and self.ranges[whole][0] < 0 else whole]

    def _concatenated(self) -> Iterator[tuple[str, str]]:
        """Yield each input of a Concat with its output: they share a range, so that the Concat only copies."""
        for node in self.index.graph.node:
            whole = self.plan.absorbed.get(node.output[0], node.output[0])
            if node.op_type == "Concat" and whole in self.plan.on_integers:
                for name in node.input:
                    if self.index.producers[name].op_type not in (*RANGE_PRESERVING, "Clip"):
                        yield name, whole

    def _scale_and_zero_point(self, name: str) -> tuple[np.float32, Any]:
        if name in self.hard_sigmoids:
            return np.float32(1 / 255), self.types.activation(np.iinfo(self.types.activation).min)
        if _is_dequantized(self.index, name):
            scale, zero_point = (self.index.array(part) for part in self.index.producers[name].input[1:])
            return np.float32(scale), zero_point
        return scale_and_zero_point(self.range(name), self.types)

    def _constant(self, name: str, value: Any) -> str:
        """Return the name of an initializer, which is added if it is new."""
        import onnx

        if name not in self.initializers:
            self.initializers[name] = onnx.numpy_helper.from_array(np.asarray(value), name)
        return name

    def _parameters(self, name: str) -> list[str]:
        """Return the names of a tensor's scale and zero point."""
        scale, zero_point = self._scale_and_zero_point(name)
        return [self._constant(f"{name}_scale", scale), self._constant(f"{name}_zero", zero_point)]

    def _quantize(self, name: str) -> Any:
        import onnx

        return onnx.helper.make_node("QuantizeLinear", [name, *self._parameters(name)], [f"{name}_quantized"])

    def _dequantize(self, name: str, reader: str, before: list[Any]) -> str:
        """Return the name of a tensor dequantized for a reader; a new DequantizeLinear is appended to `before`."""
        import onnx

        result = f"{name}_for_{reader}"
        if result not in self.dequantized:
            self.dequantized.add(result)
            inputs = [f"{name}_quantized", *self._parameters(name)]
            before.append(onnx.helper.make_node("DequantizeLinear", inputs, [result]))
        return result

    def _quantize_weights(self, node: Any, new: Any, before: list[Any]) -> None:
        """Quantize the weights of `node` with a scale per output channel, and its bias with the products' scale."""
        arrays = [self.index.array(name) for name in node.input[1:]]
        kernel, bias = arrays[0], arrays[1] if len(arrays) > 1 else None
        axis = 0 if node.op_type == "Conv" or attributes_of(node).get("transB", 0) else kernel.ndim - 1
        others = tuple(number for number in range(kernel.ndim) if number != axis)
        input_scale, _ = self._scale_and_zero_point(node.input[0])
        scale = np.maximum(np.abs(kernel).max(others), SMALLEST_SCALE) / self.types.weight
        if bias is not None:
            bias = np.broadcast_to(bias.reshape(-1), scale.shape).astype(np.float64)
            # The bias has the scale of the products. Where all weights are close to 0, a larger scale lets it fit into
            # 32 bits.
            scale = np.maximum(scale, np.abs(bias) / (input_scale * 2.0**30))
        scale = scale.astype(np.float32)
        shape = [-1 if number == axis else 1 for number in range(kernel.ndim)]
        integers = np.clip(np.rint(kernel / scale.reshape(shape)), -self.types.weight, self.types.weight)
        stem = f"{node.input[1]}_of_{node.output[0]}"
        new.input[1] = self._quantized_constant(stem, integers.astype(np.int8), scale, axis, before)
        if bias is not None:
            bias_scale = input_scale * scale
            integers = np.rint(bias / bias_scale).astype(np.int32)
            new.input[2] = self._quantized_constant(f"{stem}_bias", integers, bias_scale, 0, before)

    def _quantized_constant(
        self, stem: str, integers: np.ndarray, scale: np.ndarray, axis: int, before: list[Any]
    ) -> str:
        """Return the name of a dequantized constant; its DequantizeLinear is appended to `before`."""
        import onnx

        zero_point = np.zeros_like(scale, integers.dtype)
        names = [
            self._constant(f"{stem}_{part}", value)
            for part, value in (("quantized", integers), ("scale", scale), ("zero", zero_point))
        ]
        before.append(onnx.helper.make_node("DequantizeLinear", names, [f"{stem}_floats"], axis=axis))
        return f"{stem}_floats"


def scale_and_zero_point(of: Range, types: IntegerTypes) -> tuple[np.float32, Any]:
    """Return the scale (the step from one integer to the next) and the zero point (the integer that represents 0)."""
    low, high = min(of[0], 0.0), max(of[1], 0.0)
    bounds = np.iinfo(types.activation)
    if types.symmetric and low < 0:
        low = -(high := max(-low, high))
        return np.float32(max(high / bounds.max, SMALLEST_SCALE)), types.activation(0)
    scale = np.float32(max((high - low) / (int(bounds.max) - int(bounds.min)), SMALLEST_SCALE))
    zero_point = np.clip(bounds.min + np.rint(-low / scale), bounds.min, bounds.max)
    return scale, types.activation(zero_point)
