"""What is rewritten in an ONNX model: pieces into the nodes that they mean, and moves of data that move nothing.

Each pass takes a model and changes it in place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

NEAR = 1e-6
"""Constants that agree to this are the same: they have been through float32."""

GELU_OPSET = 20
"""ONNX' operator set has Gelu from here on."""

LARGEST_SHAPE = 16
"""Elements; a constant that says a shape or the like has no more."""


class Index:
    """Who makes and who reads each value of a graph as a pass finds it, its constants and its shapes."""

    def __init__(self, model: Any) -> None:
        self.graph = graph = model.graph
        self.makers = {output: node for node in graph.node for output in node.output}
        self.readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.outputs = {value.name for value in graph.output}
        self.shapes = shapes(model)

    def number(self, name: str) -> float | None:
        """The value of a constant of one element; None for anything else."""
        import onnx

        tensor = self.initializers.get(name)
        if tensor is None or math.prod(tensor.dims) != 1:
            return None
        return float(onnx.numpy_helper.to_array(tensor).reshape(()))

    def array(self, name: str) -> np.ndarray:
        """The values of an initialiser."""
        import onnx

        return np.asarray(onnx.numpy_helper.to_array(self.initializers[name]))

    def with_number(self, node: Any, kind: str, wanted: float) -> str | None:
        """The other input of a node of this kind that has `wanted` for one of its two; None for other nodes."""
        if node is None or node.op_type != kind or len(node.input) != 2:
            return None
        for one, other in (node.input, reversed(node.input)):
            number = self.number(one)
            if number is not None and math.isclose(number, wanted, rel_tol=NEAR):
                return other
        return None

    def only_reader(self, name: str) -> Any | None:
        """The one node that reads a value, unless the graph gives it out too."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def constant(self, name: str, value: np.ndarray) -> str:
        """The name of a new initialiser."""
        import onnx

        self.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
        return name

    def replace(self, old: list[Any], new: list[Any]) -> None:
        """Put nodes in the place of the last of those that they replace; the last of both give the same value."""
        where = next(place for place, node in enumerate(self.graph.node) if node is old[-1] or node == old[-1])
        for offset, node in enumerate(new, start=1):
            self.graph.node.insert(where + offset, node)
        for node in old:
            self.graph.node.remove(node)


def opset(model: Any) -> int:
    """The version of ONNX' own operator set."""
    return next(int(imported.version) for imported in model.opset_import if not imported.domain)


def shapes(model: Any) -> dict[str, list[int | None]]:
    """The dimensions of every value, None for those that are open.

    Inferred without the weights: they stand as inputs, so that no copy of them is made.
    """
    import onnx

    graph = model.graph
    small = [tensor for tensor in graph.initializer if math.prod(tensor.dims) <= LARGEST_SHAPE]
    weights = [
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in graph.initializer
        if math.prod(tensor.dims) > LARGEST_SHAPE
    ]
    bare = onnx.helper.make_graph(graph.node, "shapes", [*graph.input, *weights], graph.output, small)
    inferred = onnx.shape_inference.infer_shapes(onnx.helper.make_model(bare, opset_imports=model.opset_import)).graph
    return {
        value.name: [
            part.dim_value if part.HasField("dim_value") else None for part in value.type.tensor_type.shape.dim
        ]
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }


def tidy(model: Any) -> None:
    """What is to be done after folding, in the order in which it helps."""
    moves = moves_before_reshapes, idle_moves, sums_between_moves
    for one in (*moves, bias, hard_swish, gelu, scaled_product, planes_first, unread_constants):
        one(model)


def moves_before_reshapes(model: Any) -> None:
    """Let a Reshape that says every length take what was there before moves that keep the order in memory."""
    index = Index(model)
    for node in [node for node in index.graph.node if node.op_type == "Reshape"]:
        if node.input[1] not in index.initializers or 0 in index.array(node.input[1]):
            continue
        while (maker := index.makers.get(node.input[0])) is not None and _moves_nothing(maker, index):
            node.input[0] = maker.input[0]
    _drop_unread(index.graph)


def idle_moves(model: Any) -> None:
    """Drop chains of Reshape and Transpose that leave every element where it was.

    tf2onnx 1.17 puts them around maps of one pixel.
    """
    index = Index(model)
    for node in list(index.graph.node):
        if not _moves_nothing(node, index):
            continue
        maker = index.makers.get(node.input[0])
        chain = [node]
        while maker is not None and _moves_nothing(maker, index):
            chain.insert(0, maker)
            maker = index.makers.get(maker.input[0])
        source, result = chain[0].input[0], node.output[0]
        if result in index.outputs or source not in index.shapes or index.shapes[source] != index.shapes.get(result):
            continue
        for reader in index.readers.get(result, []):
            for place, name in enumerate(reader.input):
                if name == result:
                    reader.input[place] = source
            index.readers.setdefault(source, []).append(reader)
        index.readers[result] = []
    _drop_unread(index.graph)


def _moves_nothing(node: Any, index: Index) -> bool:
    """Whether a node keeps the order in memory: a Reshape, or a Transpose that only moves axes of length 1."""
    if node.op_type == "Reshape":
        return True
    shape = index.shapes.get(node.input[0]) if node.op_type == "Transpose" else None
    if not shape:
        return False
    longer = [axis for axis in _order(node) if shape[axis] != 1]
    return longer == sorted(longer)


def _order(transpose: Any) -> list[int]:
    return next(list(attribute.ints) for attribute in transpose.attribute if attribute.name == "perm")


def _undoes(back: Any, move: Any) -> bool:
    """Whether one Transpose brings back what another moved."""
    first = _order(move)
    return [first[axis] for axis in _order(back)] == sorted(first)


def _drop_unread(graph: Any) -> None:
    """Remove nodes that nothing reads any more."""
    wanted = {value.name for value in graph.output}
    for node in reversed(list(graph.node)):
        if wanted.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            wanted.update(node.input)


def sums_between_moves(model: Any) -> None:
    """A sum of what was transposed, transposed back: T(S(x) + y) is x + T(y), where T undoes S."""
    import onnx

    # One at a time: the T of one sum may be the S of the next.
    while found := _sum_between_moves(Index(model)):
        index, move, y, add, back = found
        moved = f"{back.output[0]}_moved"
        transpose = onnx.helper.make_node("Transpose", [y], [moved], perm=_order(back))
        total = onnx.helper.make_node("Add", [move.input[0], moved], list(back.output))
        index.replace([move, add, back], [transpose, total])


def _sum_between_moves(index: Index) -> tuple[Index, Any, str, Any, Any] | None:
    """The first S, y, Add and T of a graph, with its index."""
    for back in [node for node in index.graph.node if node.op_type == "Transpose"]:
        add = index.makers.get(back.input[0])
        if add is None or add.op_type != "Add" or index.only_reader(add.output[0]) is None:
            continue
        for x, y in (add.input, reversed(add.input)):
            move = index.makers.get(x)
            if move is None or move.op_type != "Transpose" or not _undoes(back, move):
                continue
            if index.only_reader(x) is not None and len(index.shapes.get(y, ())) == len(_order(back)):
                return index, move, y, add, back
    return None


def bias(model: Any) -> None:
    """What is added to each channel behind a convolution's Transpose into the convolution.

    onnxruntime's own folding does so where no Transpose is between, and moves none for it.
    """
    index = Index(model)
    for convolution in [node for node in index.graph.node if node.op_type == "Conv" and len(node.input) == 2]:
        move = index.only_reader(convolution.output[0])
        add = index.only_reader(move.output[0]) if move and move.op_type == "Transpose" else None
        if move is None or add is None or add.op_type != "Add" or _order(move) != [0, 2, 3, 1]:
            continue
        name = next((name for name in add.input if name in index.initializers), None)
        channels = index.shapes[convolution.output[0]][1]
        if name is None or list(index.initializers[name].dims) not in ([channels], [1, 1, 1, channels]):
            continue
        convolution.input.append(index.constant(f"{convolution.output[0]}_bias", index.array(name).reshape(-1)))
        move.output[0] = add.output[0]
        index.graph.node.remove(add)


def hard_swish(model: Any) -> None:
    """max(0, min(6, x + 3)) / 6 into HardSigmoid, and x times that into HardSwish.

    onnxruntime 1.31 has no pattern for the pieces, and fuses the nodes into convolutions.
    """
    import onnx

    index = Index(model)
    for add in list(index.graph.node):
        x = index.with_number(add, "Add", 3)
        clip = index.only_reader(add.output[0])
        if (
            x is None
            or clip is None
            or clip.op_type != "Clip"
            or [index.number(name) for name in clip.input[1:]] != [0, 6]
        ):
            continue
        sixth = index.only_reader(clip.output[0])
        if sixth is None or index.with_number(sixth, "Mul", 1 / 6) is None:
            continue
        product = index.only_reader(sixth.output[0])
        if product is not None and product.op_type == "Mul" and x in product.input:
            index.replace([add, clip, sixth, product], [onnx.helper.make_node("HardSwish", [x], list(product.output))])
        else:
            gate = onnx.helper.make_node("HardSigmoid", [x], list(sixth.output), alpha=1 / 6, beta=0.5)
            index.replace([add, clip, sixth], [gate])


def gelu(model: Any) -> None:
    """x · (1/2 · (1 + erf(x · √1/2))) into Gelu; before opset 20 into x · (1 + erf(x / √2)) · 1/2.

    onnxruntime 1.31 fuses the last into Gelu, and not the first, which TensorFlow's constant folding makes of it.
    """
    import onnx

    index = Index(model)
    names: dict[str, str] = {}
    for erf in [node for node in index.graph.node if node.op_type == "Erf"]:
        scaled = index.makers.get(erf.input[0])
        x = index.with_number(scaled, "Mul", math.sqrt(0.5))
        plus = index.only_reader(erf.output[0])
        half = index.only_reader(plus.output[0]) if plus and index.with_number(plus, "Add", 1) else None
        product = index.only_reader(half.output[0]) if half and index.with_number(half, "Mul", 0.5) else None
        if x is None or product is None or product.op_type != "Mul" or x not in product.input:
            continue
        if opset(model) >= GELU_OPSET:
            index.replace([scaled, erf, plus, half, product], [onnx.helper.make_node("Gelu", [x], product.output)])
            continue
        if not names:
            values = {"gelu_root": math.sqrt(2), "gelu_one": 1.0, "gelu_half": 0.5}
            names = {key: index.constant(key, np.array(value, np.float32)) for key, value in values.items()}
        stem = product.output[0]
        new = [
            onnx.helper.make_node("Div", [x, names["gelu_root"]], [f"{stem}_divided"]),
            onnx.helper.make_node("Erf", [f"{stem}_divided"], [f"{stem}_erf"]),
            onnx.helper.make_node("Add", [f"{stem}_erf", names["gelu_one"]], [f"{stem}_plus"]),
            onnx.helper.make_node("Mul", [x, f"{stem}_plus"], [f"{stem}_product"]),
            onnx.helper.make_node("Mul", [f"{stem}_product", names["gelu_half"]], [stem]),
        ]
        index.replace([scaled, erf, plus, half, product], new)


def scaled_product(model: Any) -> None:
    """A factor for each channel after a product and its bias into the two: (x · W + b) · s is x · (W · s) + b · s."""
    import onnx

    index = Index(model)
    for product in [node for node in index.graph.node if node.op_type == "MatMul"]:
        add = index.only_reader(product.output[0])
        scale = index.only_reader(add.output[0]) if add and add.op_type == "Add" else None
        if add is None or scale is None or scale.op_type != "Mul":
            continue
        names = [next((n for n in node.input if n in index.initializers), "") for node in (product, add, scale)]
        if any(len(index.readers.get(name, ())) != 1 for name in names):
            continue
        tensors = [index.initializers[name] for name in names]
        weight, bias, factor = (onnx.numpy_helper.to_array(tensor) for tensor in tensors)
        if product.input[1] != names[0] or not bias.shape == factor.shape == weight.shape[1:]:
            continue
        tensors[0].CopyFrom(onnx.numpy_helper.from_array(weight * factor, names[0]))
        tensors[1].CopyFrom(onnx.numpy_helper.from_array(bias * factor, names[1]))
        add.output[0] = scale.output[0]
        index.graph.node.remove(scale)
        index.graph.initializer.remove(tensors[2])


def planes_first(model: Any) -> None:
    """Transpose the pixels as bytes, then normalise planes: a last axis of 3 costs onnxruntime 1.31 1.6 ms at 224."""
    import onnx

    index = Index(model)
    for cast in [node for node in index.graph.node if node.op_type == "Cast"]:
        chain = [cast]
        while len(chain) < 4 and (reader := index.only_reader(chain[-1].output[0])) is not None:
            chain.append(reader)
        if [node.op_type for node in chain] != ["Cast", "Mul", "Add", "Transpose"]:
            continue
        _, scale, offset, transpose = chain
        names = [next((n for n in node.input if n in index.initializers), "") for node in (scale, offset)]
        if _order(transpose) != [0, 3, 1, 2] or any(len(index.readers.get(name, ())) != 1 for name in names):
            continue
        planes = []
        for name in names:
            values = onnx.numpy_helper.to_array(index.initializers[name])
            planes.append(index.constant(f"{name}_planes", values.reshape(-1, 1, 1)))
        stem = transpose.output[0]
        to = next(attribute.i for attribute in cast.attribute if attribute.name == "to")
        new = [
            onnx.helper.make_node("Transpose", [cast.input[0]], [f"{stem}_bytes"], perm=_order(transpose)),
            onnx.helper.make_node("Cast", [f"{stem}_bytes"], [f"{stem}_floats"], to=to),
            onnx.helper.make_node("Mul", [f"{stem}_floats", planes[0]], [f"{stem}_scaled"]),
            onnx.helper.make_node("Add", [f"{stem}_scaled", planes[1]], [stem]),
        ]
        index.replace(chain, new)


def unread_constants(model: Any) -> None:
    """Remove initialisers that nothing reads: onnxruntime warns of each."""
    read = {name for node in model.graph.node for name in node.input}
    idle = [tensor for tensor in model.graph.initializer if tensor.name not in read]
    for tensor in idle:
        model.graph.initializer.remove(tensor)


def global_average(model: Any) -> None:
    """ReduceMean over height and width of a map into GlobalAveragePool, which needs no change of onnxruntime's layout.

    For a model that has not been folded: the pool is put between transpositions, which folding cancels against those of
    the convolutions before it. Without, a last batch normalisation stays behind a transposition and is not folded.
    """
    import onnx

    index = Index(model)
    for mean, axes, keeps in list(means(index)):
        if axes not in ([1, 2], [2, 3]) or len(index.shapes.get(mean.input[0], ())) != 4:
            continue
        source, result, new = mean.input[0], mean.output[0], []
        if axes == [1, 2]:
            new.append(onnx.helper.make_node("Transpose", [source], [f"{result}_before"], perm=[0, 3, 1, 2]))
            source = f"{result}_before"
        pooled = result if keeps and axes == [2, 3] else f"{result}_pooled"
        new.append(onnx.helper.make_node("GlobalAveragePool", [source], [pooled]))
        if not keeps:
            new.append(onnx.helper.make_node("Flatten", [pooled], [result]))
        elif axes == [1, 2]:
            new.append(onnx.helper.make_node("Transpose", [pooled], [result], perm=[0, 2, 3, 1]))
        index.replace([mean], new)


def means(index: Index) -> Iterator[tuple[Any, list[int], bool]]:
    """Every ReduceMean with its axes and whether it keeps them."""
    import onnx

    for node in index.graph.node:
        if node.op_type == "ReduceMean" and len(node.input) == 2 and node.input[1] in index.initializers:
            axes = onnx.numpy_helper.to_array(index.initializers[node.input[1]]).tolist()
            keeps = all(attribute.i for attribute in node.attribute if attribute.name == "keepdims")
            yield node, sorted(axes), keeps
