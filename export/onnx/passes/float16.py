"""Conversion of weights and arithmetic to float16.

zoo has a converter of its own: that of onnxruntime.transformers (1.31; onnxconverter-common has an older copy) leaves
the nodes out of order if a node reads an output of the graph, as the softmax reads the logits. onnx' checker refuses
such a file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.errors import Refused
from zoo.export.onnx.graph_index import attributes_of

FARTHEST, FARTHEST_PRODUCT = 2.0**10, 2.0**15
"""The largest result of elementwise nodes on inputs, and the largest if they multiply inputs with each other: in
float16, products of larger ones with weights might exceed 65504, and differences of infinities are NaN. Of up to a
million rows, none is `FARTHEST` standard deviations from their mean."""

LEAST, MOST = "least_at_inputs", "most_at_inputs"
"""The names of the constants that limit the results of elementwise nodes on inputs."""

FLOAT32_INPUTS = {"Resize": (1, 2)}
"""By operator, the positions of inputs that ONNX defines as float32 whatever type the node computes with."""

COMPARISONS = frozenset(("And", "Equal", "Greater", "GreaterOrEqual", "IsNaN", "Less", "LessOrEqual", "Not", "Or"))
"""Operators with boolean results."""

FLOAT32_AT_INPUTS = COMPARISONS | {"Add", "Cast", "Concat", "Div", "Gather", "Max", "Min", "Mul", "Sub", "Where"}
"""Operators that stay in float32 where they are the first to compute with a float32 input."""

FLOATING = frozenset((
    "Abs", "Add", "Clip", "Concat", "Conv", "Div", "Exp", "Identity", "Log", "MatMul", "Max", "Min", "Mul", "Pad",
    "Pow", "ReduceMean", "ReduceSum", "Reshape", "Slice", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze",
))  # fmt: skip
"""Operators that compute floating-point numbers, or move them, and may be computed before a logarithm."""


def to_float16(model: Any) -> None:
    """Convert weights and arithmetic to float16; float32 inputs and outputs stay float32.

    Four parts are computed in float32:

    - nodes that read outputs alone: with a softmax of the logits in float16, the probabilities would not sum to 1;
    - elementwise nodes on float32 inputs and constants: the columns of a table are numbers of any size before they are
      standardized. Their results are limited to `FARTHEST` or `FARTHEST_PRODUCT`;
    - the last products and sums with constants, except the bias of a matrix product: values in the units of the data
      may be beyond 65504, or need more digits than float16 has, such as years;
    - logarithms and all that they depend on: a logarithm enlarges what float16 rounds, such as the quiet bands of a
      spectrum beside a loud one.

    Raises:
        Refused: a weight is too large for float16.
    """
    import onnx

    graph = model.graph
    full = _Full(graph)
    constants = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    outputs = {value.name for value in graph.output}
    read_in_full, read_in_half = set[str](), set[str]()
    for number, node in enumerate(graph.node):
        for position, name in enumerate(node.input):
            whole = number in full.nodes or position in FLOAT32_INPUTS.get(node.op_type, ())
            (read_in_full if whole else read_in_half).add(name)
    # The name of the copy of a value in the other type, once a node needs that copy, by the name of the value.
    halves: dict[str, str] = {}
    wholes: dict[str, str] = {}
    for name, tensor in constants.items():
        if name not in read_in_full:
            _convert(tensor)
        elif name in read_in_half:
            halves[name] = f"{name}_half"
            copy = graph.initializer.add()
            copy.CopyFrom(tensor)
            copy.name = halves[name]
            _convert(copy)
    nodes: list[Any] = []

    def cast(name: str, copies: dict[str, str], suffix: str, dtype: int) -> str:
        if name not in copies:
            copies[name] = f"{name}_{suffix}"
            nodes.append(onnx.helper.make_node("Cast", [name], [copies[name]], to=dtype))
        return copies[name]

    def limited(name: str) -> str:
        nodes.append(onnx.helper.make_node("Clip", [name, LEAST, MOST], [f"{name}_limited"]))
        return f"{name}_limited"

    def in_half(name: str) -> str:
        if name in full.at_inputs and name not in halves:
            halves[name] = cast(limited(name), halves, "half", onnx.TensorProto.FLOAT16)
        elif name in full.values and name not in constants:
            return cast(name, halves, "half", onnx.TensorProto.FLOAT16)
        return halves.get(name, name)

    def in_full(name: str) -> str:
        needs_no_cast = name in constants or name in full.others or name in full.values or not name
        return name if needs_no_cast else cast(name, wholes, "full", onnx.TensorProto.FLOAT)

    for number, node in enumerate(graph.node):
        if number in full.nodes:
            node.input[:] = [in_full(name) for name in node.input]
            nodes.append(node)
            continue
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == onnx.TensorProto.FLOAT:
                attribute.i = onnx.TensorProto.FLOAT16
            elif attribute.type == onnx.AttributeProto.TENSOR:
                _convert(attribute.t)
        fixed = FLOAT32_INPUTS.get(node.op_type, ())
        node.input[:] = [name if position in fixed else in_half(name) for position, name in enumerate(node.input)]
        nodes.append(node)
        for position, name in enumerate(node.output):
            if name in outputs:
                node.output[position] = halves[name] = f"{name}_half"
                nodes.append(onnx.helper.make_node("Cast", [halves[name]], [name], to=onnx.TensorProto.FLOAT))
    if any(LEAST in node.input for node in nodes):
        for key, bound in ((LEAST, -full.farthest), (MOST, full.farthest)):
            graph.initializer.append(onnx.numpy_helper.from_array(np.array(bound, np.float32), key))
    converted = onnx.helper.make_graph(nodes, graph.name, graph.input, graph.output, graph.initializer)
    model.graph.CopyFrom(converted)


class _Full:
    """The part of a graph that stays in float32.

    Attributes:
        nodes: the positions of its nodes in the graph.
        values: the names of its float32 values: inputs, outputs, and results of its nodes.
        at_inputs: those of them that are results of elementwise nodes on inputs.
        farthest: the number to which these results are limited.
        others: the names of the values of other types that the nodes compute or read.
    """

    def __init__(self, graph: Any) -> None:
        import onnx

        floats = onnx.TensorProto.FLOAT
        self._types = {value.name: value.type.tensor_type.elem_type for value in graph.input}
        self._types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
        self._constants = {tensor.name for tensor in graph.initializer}
        inputs = {value.name for value in graph.input if self._types[value.name] == floats}
        outputs = {value.name for value in graph.output}
        first = self._first(graph, inputs)
        self.nodes = first | self._last(graph, outputs) | self._after(graph, outputs)
        self.nodes |= self._before_logarithms(graph)

        def float_results(numbers: set[int]) -> set[str]:
            computed = {name for number in numbers for name in graph.node[number].output}
            return {name for name in computed if self._types.get(name, floats) == floats}

        self.at_inputs = float_results(first)
        products = [node for number, node in enumerate(graph.node) if number in first and node.op_type == "Mul"]
        multiplied = any(self._constants.isdisjoint(node.input) for node in products)
        self.farthest = FARTHEST_PRODUCT if multiplied else FARTHEST
        self.values = inputs | outputs | float_results(self.nodes)
        self.others = {name for name, dtype in self._types.items() if dtype != floats}

    def _first(self, graph: Any, inputs: set[str]) -> set[int]:
        """Find the elementwise nodes on inputs and constants alone, and note the types of their results."""
        import onnx

        numbers, from_inputs = set[int](), set(inputs)
        for number, node in enumerate(graph.node):
            if node.op_type not in FLOAT32_AT_INPUTS or not from_inputs.intersection(node.input):
                continue
            if node.op_type == "Gather" and node.input[0] not in from_inputs:
                continue  # an embedding: the input only chooses rows of a table of weights
            if not (from_inputs | self._constants).issuperset(node.input):
                continue
            numbers.add(number)
            from_inputs.update(node.output)
            dtype = self._types.get(node.input[1 if node.op_type == "Where" else 0], onnx.TensorProto.FLOAT)
            if node.op_type in COMPARISONS:
                dtype = onnx.TensorProto.BOOL
            if node.op_type == "Cast":
                dtype = attributes_of(node)["to"]
            self._types.update(dict.fromkeys(node.output, dtype))
        return numbers

    def _last(self, graph: Any, outputs: set[str]) -> set[int]:
        """Find the products and sums with constants that outputs end with, except the bias of a matrix product."""
        producers = {name: number for number, node in enumerate(graph.node) for name in node.output}
        numbers = set[int]()
        for name in outputs:
            chain: list[int] = []
            while name in producers and graph.node[producers[name]].op_type in ("Add", "Mul"):
                node = graph.node[producers[name]]
                variable = [operand for operand in node.input if operand not in self._constants]
                if len(variable) != 1:
                    break
                chain.append(producers[name])
                name = variable[0]
            behind_product = name in producers and graph.node[producers[name]].op_type == "MatMul"
            if chain and behind_product and graph.node[chain[-1]].op_type == "Add":
                chain.pop()
            numbers.update(chain)
        return numbers

    def _before_logarithms(self, graph: Any) -> set[int]:
        """Find the logarithms, and all nodes that they depend on if these compute with floating-point numbers only."""
        producers = {name: number for number, node in enumerate(graph.node) for name in node.output}
        numbers = set[int]()
        for number, node in enumerate(graph.node):
            needed, pending = set[int](), [number] if node.op_type == "Log" else []
            while pending:
                ancestor = pending.pop()
                if ancestor not in needed:
                    needed.add(ancestor)
                    pending += [producers[name] for name in graph.node[ancestor].input if name in producers]
            if all(graph.node[ancestor].op_type in FLOATING for ancestor in needed):
                numbers |= needed
        return numbers

    def _after(self, graph: Any, outputs: set[str]) -> set[int]:
        """Find the nodes that read outputs and nothing else, as the softmax of the logits does."""
        numbers, finished = set[int](), set(outputs)
        computed = set[str]()
        for number, node in enumerate(graph.node):
            if node.input and (finished & computed).issuperset(node.input):
                numbers.add(number)
                finished.update(node.output)
            computed.update(node.output)
        return numbers


def _convert(tensor: Any) -> None:
    """Convert a float32 tensor to float16 in place; leave tensors of other types alone."""
    import onnx

    if tensor.data_type != onnx.TensorProto.FLOAT:
        return
    values = onnx.numpy_helper.to_array(tensor)
    if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
        raise Refused(f"this network does not fit into fp16: {tensor.name} has values above 65504; leave --fp16 out")
    tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), tensor.name))
