"""The graph in 8 bits: pairs of QuantizeLinear and DequantizeLinear where onnxruntime has integer kernels for them.

Written by zoo, not by onnxruntime's quantizer: which tensors become integers, with which types and ranges, decides both
speed and accuracy, and its defaults (1.31) are the slow types on x86, break chains of integer kernels at every
activation, and hold every tensor of the calibration in memory. onnxruntime makes QLinearConv, QGemm,
MatMulIntegerToFloat, QLinearAdd, … of the pairs when it loads the file; any other runtime can compute them as they
stand.

Nearly all of the time of ResNet and VGG goes to convolutions that the stock quantizer has too, at nine tenths of the
peak of AVX-512 VNNI (onnxruntime 1.32, Zen 4), so these files are hardly faster than its own. Two rearrangements were
measured and left out: a first convolution on blocks of 2 by 2 pixels, which saves 3 % of ResNet-18, 1 % of ResNet-50
and nothing elsewhere; and EfficientNet's SiLU on floats, which takes 1.2 times as long as on integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.artifact import Target
from zoo.export.onnx.graph_index import Index

Range = tuple[float, float]
"""The lowest and the highest value that a tensor's 8 bits express; 0 lies within."""

SMALLEST = 1e-12
"""No scale is below this: what is always 0 has no scale of its own."""

WEIGHTED = ("Conv", "MatMul", "Gemm")
"""Nodes whose second input are weights: nearly all of the work."""

NARROW = 16
"""Outputs of a convolution that are too few for integers, before any that has more: there, gathering what each of them
reads takes longer than the products. All of MobileNetV3's first stage; it is 0.73 of float32's time so, and 0.81 with
all in 8 bits (onnxruntime 1.31, x86-vnni)."""

ELEMENTWISE = ("Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid")
"""Computed on integers when everything that they read is: changing to floats and back would cost more."""

CURVES = ("HardSigmoid", "HardSwish")
"""Curves that are a change of scale: max(0, min(1, x / 6 + 1/2)) is x rounded to integers that saturate at -3 and 3,
and these integers read as numbers from 0 to 1. onnxruntime (1.31) has no integer kernels for them, but one for a
LeakyRelu of slope 1, which changes the scale by a table. MobileNetV3-Large: 0.82 of float32's time, 0.86 without."""

CARRIED = ("MaxPool", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze")
"""Nodes that only choose or move values: their output has the range of their input."""


@dataclass(frozen=True)
class Types:
    """What a processor's integer kernels take.

    `activation` is the type of activations, symmetric around 0 where they have negative values or with a zero point.
    Weights are int8, symmetric, with a scale for each output channel, and reach from -`weight` to `weight`.
    """

    activation: Any
    symmetric: bool
    weight: int


TYPES: dict[Target, Types] = {
    # VNNI sums four products of uint8 and int8 in 32 bits.
    "x86-vnni": Types(np.uint8, symmetric=False, weight=127),
    # Without it, two products are summed in 16 bits, which saturate; not with weights of 7 bits: 2 · 255 · 63 < 2^15.
    "x86-avx2": Types(np.uint8, symmetric=False, weight=63),
    # The dot products of ARM take int8 twice.
    "arm64": Types(np.int8, symmetric=True, weight=127),
    # uint8 and 7 bits are exact in the kernels of every processor.
    "portable": Types(np.uint8, symmetric=False, weight=63),
}


@dataclass(frozen=True)
class Plan:
    """What becomes of a graph.

    `weighted` are the nodes with weights that are computed on integers, by name; `integer` the outputs of all nodes
    that are; `eight_bits` every tensor that gets a pair; `absorbed` the outputs of nodes whose Relu or Clip the
    rounding to 8 bits does, with what the Relu or Clip gave.
    """

    weighted: dict[str, Any]
    integer: frozenset[str]
    eight_bits: frozenset[str]
    absorbed: dict[str, str]


def name_of(node: Any) -> str:
    """What people call a node: its own name, or that of its output."""
    return node.name or node.output[0]


def origin(index: Index, name: str) -> str:
    """The tensor that has the values of this one, and so its range: itself, or what it was moved or chosen from."""
    while name in index.makers and index.makers[name].op_type in CARRIED:
        name = index.makers[name].input[0]
    return name


def to_calibrate(index: Index) -> list[str]:
    """The tensors whose ranges `quantized` asks for, whichever nodes are kept."""
    return sorted({origin(index, name) for name in plan(index).eight_bits})


def weighted_nodes(index: Index) -> Iterator[Any]:
    """The nodes that can be computed on integers and have weights, from the first one for which it pays."""
    behind = set[str]()
    for node in index.graph.node:
        if not behind.isdisjoint(node.input):
            behind.update(node.output)
        if _has_integer_kernel(node, index) and (node.output[0] in behind or not _is_narrow(node, index)):
            behind.update(node.output)
            yield node


def _has_integer_kernel(node: Any, index: Index) -> bool:
    return (
        node.op_type in WEIGHTED
        and node.input[0] not in index.initializers
        and node.input[1] in index.initializers
        and all(name in index.initializers for name in node.input[2:])
        and not (node.op_type == "Conv" and node.output[0] in index.outputs)
        and all(attribute.f == 1 for attribute in node.attribute if attribute.name in ("alpha", "beta"))
    )


def _is_narrow(node: Any, index: Index) -> bool:
    return node.op_type == "Conv" and index.initializers[node.input[1]].dims[0] <= NARROW


def curves(index: Index) -> list[str]:
    """The names of the curves that are computed on integers, which costs more accuracy than anything else."""
    planned = plan(index)
    found = [node for node in index.graph.node if node.op_type in (*CURVES, "Sigmoid")]
    return [name_of(node) for node in found if planned.absorbed.get(node.output[0], node.output[0]) in planned.integer]


def plan(index: Index, kept: frozenset[str] = frozenset()) -> Plan:
    """Which tensors become integers when the nodes named by `kept` stay in float32."""
    weighted = {name_of(node): node for node in weighted_nodes(index) if name_of(node) not in kept}
    chosen = {node.output[0] for node in weighted.values()}
    integer: set[str] = set()
    eight_bits: set[str] = set()
    absorbed: dict[str, str] = {}
    for node in index.graph.node:
        if name_of(node) in kept:
            continue
        result = node.output[0]
        reads = [name for name in node.input if name and name not in index.initializers]
        if result in chosen:
            if not _is_integer(index, node.input[0]):
                eight_bits.add(node.input[0])
            # What a product gives stays in float32: norms and gelu follow, and 8 bits fewer are lost.
            computed = node.op_type == "Conv"
        elif node.op_type in CARRIED:
            computed = node.input[0] in integer
        elif node.op_type in CURVES:
            computed = node.input[0] in integer and _is_sixth(node)
        elif _clamps_at_zero(node, index):
            # What is read before it, too, is not absorbed.
            computed = node.input[0] in integer
        elif node.op_type == "GlobalAveragePool" and _feeds(index, result, chosen):
            # On floats it would need another layout than the integers around it: two transposes of the whole map.
            eight_bits.add(node.input[0])
            computed = True
        else:
            computed = node.op_type in ELEMENTWISE and len(reads) == len(node.input) and integer.issuperset(reads)
        if not computed or result in index.outputs:
            continue
        clamp = index.only_reader(result)
        if node.op_type not in CARRIED and clamp is not None and _clamps_at_zero(clamp, index):
            absorbed[result] = result = clamp.output[0]
        integer.add(result)
        eight_bits.add(result)
    return Plan(weighted, frozenset(integer), frozenset(eight_bits), absorbed)


def _feeds(index: Index, name: str, chosen: set[str]) -> bool:
    """Whether a value goes to a node that is computed on integers."""
    return any(
        reader.output[0] in chosen or (reader.op_type in CARRIED and _feeds(index, reader.output[0], chosen))
        for reader in index.readers.get(name, ())
    )


def _is_integer(index: Index, name: str) -> bool:
    """Whether a tensor is in 8 bits before anything is quantized, as pixels are."""
    return name in index.makers and index.makers[name].op_type == "DequantizeLinear"


def _is_sixth(node: Any) -> bool:
    """Whether a HardSigmoid is x / 6 + 1/2, as that within HardSwish is."""
    slope = {attribute.name: attribute.f for attribute in node.attribute}
    wanted = {"alpha": 1 / 6, "beta": 0.5}
    return node.op_type == "HardSwish" or all(
        math.isclose(slope.get(n, -1), v, rel_tol=1e-5) for n, v in wanted.items()
    )


def _clamps_at_zero(node: Any, index: Index) -> bool:
    if node.output[0] in index.outputs:
        return False
    return node.op_type == "Relu" or (
        node.op_type == "Clip" and len(node.input) == 3 and index.number(node.input[1]) == 0
    )


def quantized(model: Any, ranges: Mapping[str, Range], target: Target, kept: frozenset[str] = frozenset()) -> Any:
    """A copy of a float32 model with pairs around what is computed in 8 bits.

    Args:
        model: an ONNX model; it is not changed.
        ranges: of every tensor of `to_calibrate(index)`.
        target: whose types are taken.
        kept: the names of nodes that stay in float32.
    """
    import onnx

    index = Index(model)
    writer = _Writer(index, plan(index, kept), ranges, TYPES[target])
    nodes = [new for node in index.graph.node for new in writer.rewritten(node)]
    made = onnx.ModelProto(
        ir_version=model.ir_version,
        producer_name=model.producer_name,
        opset_import=model.opset_import,
        metadata_props=model.metadata_props,
        graph=onnx.GraphProto(
            name=model.graph.name, node=nodes, input=model.graph.input, output=model.graph.output,
            initializer=writer.initializers.values(),
        ),
    )  # fmt: skip
    read = {name for node in nodes for name in node.input}
    # The weights that are left are copied once.
    made.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in read)
    return made


class _Writer:
    """The new nodes of each old one, and the initializers that they read."""

    def __init__(self, index: Index, planned: Plan, ranges: Mapping[str, Range], types: Types) -> None:
        self.index, self.plan, self.ranges, self.types = index, planned, ranges, types
        self.initializers: dict[str, Any] = {}
        self.dequantized: set[str] = set()
        self.gates: set[str] = set()
        self.clamps = set(planned.absorbed.values())
        self.chosen = {node.output[0] for node in planned.weighted.values()}
        self.joined = dict(self._joined())

    def rewritten(self, node: Any) -> list[Any]:
        """What stands in the place of a node."""
        import onnx

        result = node.output[0]
        if result in self.clamps:
            return []
        if node.op_type in CURVES and result in self.plan.integer:
            return self._curve(node)
        chosen = result in self.chosen
        new, before = onnx.NodeProto(), list[Any]()
        new.CopyFrom(node)
        new.output[0] = self.plan.absorbed.get(result, result)
        if _clamps_at_zero(node, self.index) and result in self.plan.integer:
            # Its range begins at 0, where rounding to 8 bits cuts: a change of scale, as for `CURVES`.
            new.CopyFrom(onnx.helper.make_node("LeakyRelu", node.input[:1], [result], name=node.name, alpha=1.0))
        computed = chosen or new.output[0] in self.plan.integer
        for place, name in enumerate(node.input):
            if name in self.plan.integer or (computed and place == 0 and name in self.plan.eight_bits):
                # One of its own for each integer node, or they would not be fused; one for all the others.
                reader = f"{result}_{place}" if computed else "others"
                new.input[place] = self._dequantized(name, reader, before)
        if chosen:
            self._weights(node, new, before)
        return [*before, new, *(self._quantize(name) for name in new.output if name in self.plan.eight_bits)]

    def _curve(self, node: Any) -> list[Any]:
        """A HardSigmoid or HardSwish as a change of scale, and a product where it is the latter."""
        import onnx

        source, result = node.input[0], node.output[0]
        gate = result if node.op_type == "HardSigmoid" else f"{result}_gate"
        self.gates.add(gate)
        least = np.iinfo(self.types.activation).min
        parameters = [
            self._constant("hard_sigmoid_scale", np.float32(6 / 255)),
            self._constant("hard_sigmoid_zero", self.types.activation(least + 128)),
        ]
        new = list[Any]()
        floats = self._dequantized(source, f"{gate}_curve", new)
        new.append(onnx.helper.make_node("LeakyRelu", [floats], [f"{gate}_curve"], alpha=1.0))
        new.append(onnx.helper.make_node("QuantizeLinear", [f"{gate}_curve", *parameters], [f"{gate}_quantized"]))
        if node.op_type == "HardSwish":
            factors = [self._dequantized(name, f"{result}_product", new) for name in (source, gate)]
            new.append(onnx.helper.make_node("Mul", factors, [result], name=node.name))
            new.append(self._quantize(result))
        return new

    def range(self, name: str) -> Range:
        """The range of a tensor: its own, or that of what it is carried from or joined into."""
        own = whole = origin(self.index, name)
        while whole in self.joined:
            whole = origin(self.index, self.joined[whole])
        # Its Relu is done by a range that ends at 0.
        clamped = own in self.clamps or (
            own in self.index.makers and _clamps_at_zero(self.index.makers[own], self.index)
        )
        return self.ranges[own if clamped and self.ranges[whole][0] < 0 else whole]

    def _joined(self) -> Iterator[tuple[str, str]]:
        """What is joined with others takes the range of the whole, so that joining is copying."""
        for node in self.index.graph.node:
            whole = self.plan.absorbed.get(node.output[0], node.output[0])
            if node.op_type == "Concat" and whole in self.plan.integer:
                for name in node.input:
                    if self.index.makers[name].op_type not in (*CARRIED, "Clip"):
                        yield name, whole

    def _scale_and_zero(self, name: str) -> tuple[np.float32, Any]:
        if name in self.gates:
            return np.float32(1 / 255), self.types.activation(np.iinfo(self.types.activation).min)
        if _is_integer(self.index, name):
            scale, zero = (self.index.array(part) for part in self.index.makers[name].input[1:])
            return np.float32(scale), zero
        return scale_and_zero(self.range(name), self.types)

    def _constant(self, name: str, value: Any) -> str:
        import onnx

        if name not in self.initializers:
            self.initializers[name] = onnx.numpy_helper.from_array(np.asarray(value), name)
        return name

    def _parameters(self, name: str) -> list[str]:
        scale, zero = self._scale_and_zero(name)
        return [self._constant(f"{name}_scale", scale), self._constant(f"{name}_zero", zero)]

    def _quantize(self, name: str) -> Any:
        import onnx

        return onnx.helper.make_node("QuantizeLinear", [name, *self._parameters(name)], [f"{name}_quantized"])

    def _dequantized(self, name: str, reader: str, before: list[Any]) -> str:
        """The name of the floats of `name`'s integers for a reader."""
        import onnx

        result = f"{name}_for_{reader}"
        if result not in self.dequantized:
            self.dequantized.add(result)
            inputs = [f"{name}_quantized", *self._parameters(name)]
            before.append(onnx.helper.make_node("DequantizeLinear", inputs, [result]))
        return result

    def _weights(self, node: Any, new: Any, before: list[Any]) -> None:
        """Integers for the weights of `node`, a scale for each output channel, and for its bias those of the sum."""
        arrays = [self.index.array(name) for name in node.input[1:]]
        kernel, bias = arrays[0], arrays[1] if len(arrays) > 1 else None
        axis = 0 if node.op_type == "Conv" or _attribute(node, "transB") else kernel.ndim - 1
        others = tuple(number for number in range(kernel.ndim) if number != axis)
        step, _ = self._scale_and_zero(node.input[0])
        scale = np.maximum(np.abs(kernel).max(others), SMALLEST) / self.types.weight
        if bias is not None:
            bias = np.broadcast_to(bias.reshape(-1), scale.shape).astype(np.float64)
            # Its integers are of the products' scale, and must fit into 32 bits where all weights are near 0.
            scale = np.maximum(scale, np.abs(bias) / (step * 2.0**30))
        scale = scale.astype(np.float32)
        shape = [-1 if number == axis else 1 for number in range(kernel.ndim)]
        integers = np.clip(np.rint(kernel / scale.reshape(shape)), -self.types.weight, self.types.weight)
        stem = f"{node.input[1]}_of_{node.output[0]}"
        new.input[1] = self._stored(stem, integers.astype(np.int8), scale, axis, before)
        if bias is not None:
            steps = step * scale
            new.input[2] = self._stored(f"{stem}_bias", np.rint(bias / steps).astype(np.int32), steps, 0, before)

    def _stored(self, stem: str, integers: np.ndarray, scale: np.ndarray, axis: int, before: list[Any]) -> str:
        import onnx

        zero = np.zeros_like(scale, integers.dtype)
        names = [
            self._constant(f"{stem}_{part}", value)
            for part, value in (("quantized", integers), ("scale", scale), ("zero", zero))
        ]
        before.append(onnx.helper.make_node("DequantizeLinear", names, [f"{stem}_floats"], axis=axis))
        return f"{stem}_floats"


def scale_and_zero(of: Range, types: Types) -> tuple[np.float32, Any]:
    """The step between neighboring integers, and the integer that stands for 0."""
    low, high = min(of[0], 0.0), max(of[1], 0.0)
    bounds = np.iinfo(types.activation)
    if types.symmetric and low < 0:
        low = -(high := max(-low, high))
        return np.float32(max(high / bounds.max, SMALLEST)), types.activation(0)
    scale = np.float32(max((high - low) / (int(bounds.max) - int(bounds.min)), SMALLEST))
    zero = np.clip(bounds.min + np.rint(-low / scale), bounds.min, bounds.max)
    return scale, types.activation(zero)


def _attribute(node: Any, name: str) -> Any:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)
