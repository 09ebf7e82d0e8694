"""What moves data in an ONNX graph without computing: fewer of it, and earlier, where it is less.

Each pass takes a model and changes it in place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from zoo.export.onnx.graph_index import Index

TO_PLANES, TO_PIXELS = [0, 3, 1, 2], [0, 2, 3, 1]
"""From [batch, height, width, channels] to [batch, channels, height, width], and back."""

BY_ELEMENT = ("Clip", "HardSwish", "Relu", "Sigmoid", "Tanh")
"""Kinds that treat each element by itself."""


def moves_before_reshapes(model: Any) -> None:
    """Let a Reshape that says every length take what was there before moves that keep the order in memory.

    What treats each element by itself before the Reshape takes it in its place.
    """
    index = Index(model)
    for node in [node for node in index.graph.node if node.op_type == "Reshape"]:
        if node.input[1] not in index.initializers or 0 in index.array(node.input[1]):
            continue
        reader = node
        while (maker := index.makers.get(reader.input[0])) is not None:
            if _moves_nothing(maker, index):
                reader.input[0] = maker.input[0]
            elif maker.op_type in BY_ELEMENT and index.only_reader(maker.output[0]) is not None:
                reader = maker
            else:
                break
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


def _drop_unread(graph: Any) -> None:
    """Remove nodes that nothing reads any more."""
    wanted = {value.name for value in graph.output}
    for node in reversed(list(graph.node)):
        if wanted.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            wanted.update(node.input)


def sums_of_planes(model: Any) -> None:
    """Add maps as planes where one of them is a convolution's, and turn round the sum: x + S(y) is S(T(x) + y).

    S makes pixels of planes and T planes of pixels. What is turned round and back is taken as it was, and nothing is
    turned round twice.
    """
    import onnx

    index = Index(model)
    planes: dict[str, str] = {}  # of a map of pixels, the same map as planes
    turned: set[str] = set()  # maps of pixels that S made
    same: dict[str, str] = {}  # a map of planes by another name
    nodes = list[Any]()

    def as_planes(name: str) -> str:
        if name not in planes:
            planes[name] = f"{name}_planes"
            nodes.append(onnx.helper.make_node("Transpose", [name], [planes[name]], perm=TO_PLANES))
        return planes[name]

    for node in index.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = same.get(name, name)
        result = node.output[0]
        if turns(node, TO_PIXELS):
            planes.setdefault(result, node.input[0])
            turned.add(result)
        elif turns(node, TO_PLANES) and result not in index.outputs:
            if node.input[0] in planes:
                same[result] = planes[node.input[0]]
                continue
            planes[node.input[0]] = result
        elif node.op_type == "Add" and turned.intersection(node.input) and _are_maps(node.input, index):
            operands = [as_planes(name) for name in node.input]
            planes[result] = f"{result}_planes"
            turned.add(result)
            nodes.append(onnx.helper.make_node("Add", operands, [planes[result]], name=node.name))
            node = onnx.helper.make_node("Transpose", [planes[result]], [result], perm=TO_PIXELS)
        nodes.append(node)
    index.set_nodes(nodes)
    _drop_unread(index.graph)


def turns(node: Any, order: list[int]) -> bool:
    """Whether a node is a Transpose of this order."""
    return node.op_type == "Transpose" and _order(node) == order


def _are_maps(names: Iterable[str], index: Index) -> bool:
    return all(name not in index.initializers and len(index.shapes.get(name, ())) == 4 for name in names)


def behind_convolutions(model: Any) -> None:
    """What is added to each channel behind a convolution's Transpose, and multiplied with it, into the convolution.

    onnxruntime's own folding does so where no Transpose is between, and moves none for it.
    """
    index = Index(model)
    for convolution in [node for node in index.graph.node if node.op_type == "Conv"]:
        move = index.only_reader(convolution.output[0])
        while move is not None and turns(move, TO_PIXELS):
            node = index.only_reader(move.output[0])
            values = of_channels(node, index, index.shapes[convolution.output[0]][1])
            if node is None or values is None or not _taken_in(convolution, node, values, index):
                break
            move.output[0] = node.output[0]
            index.graph.node.remove(node)


def of_channels(node: Any | None, index: Index, channels: int | None) -> np.ndarray | None:
    """float32 [channels] that an Add or Mul has for each channel of pixels; None for other nodes."""
    if node is None or node.op_type not in ("Add", "Mul"):
        return None
    name = next((name for name in node.input if name in index.initializers), None)
    if name is None or list(index.initializers[name].dims) not in ([channels], [1, 1, 1, channels]):
        return None
    return index.array(name).reshape(-1)


def _taken_in(convolution: Any, node: Any, values: np.ndarray, index: Index) -> bool:
    """Put a sum or a product into the weights of a convolution, unless others read them too."""
    weights = list(convolution.input[1:])
    if any(name not in index.initializers or len(index.readers[name]) != 1 for name in weights):
        return False
    if node.op_type == "Mul":
        for name in weights:
            index.change(name, index.array(name) * values.reshape(-1, *(1,) * (len(index.array(name).shape) - 1)))
    elif len(weights) == 2:
        index.change(weights[1], index.array(weights[1]) + values)
    else:
        name = index.constant(f"{convolution.output[0]}_bias", values)
        convolution.input.append(name)
        index.readers[name] = [convolution]
    return True


BY_ROW = ("Add", "Mul", "Div", "MatMul", "LayerNormalization", "Gelu", "Erf", "Relu")
"""Kinds that can treat each row of a tensor by itself: see `_is_by_row`."""


def rows_first(model: Any) -> None:
    """Choose rows of a tensor before what treats each of them by itself.

    Behind ViT's last attention nothing but the class token is read: its dense layers see one token for 197.
    """
    for node in [node for node in model.graph.node if node.op_type == "Slice"]:
        _choose_first(node, Index(model))


def _choose_first(choice: Any, index: Index) -> None:
    """Move one Slice in front of everything by row that only it reads."""
    import onnx

    shape = index.shapes.get(choice.input[0])
    if not shape or any(name not in index.initializers for name in choice.input[1:]) or _cuts_the_last(choice, index):
        return
    inside: dict[str, Any] = {}  # by what they give
    for node in reversed(index.graph.node):
        result = node.output[0]
        readers = index.readers.get(result, [])
        only = result not in index.outputs and all(one is choice or one.output[0] in inside for one in readers)
        if readers and only and _is_by_row(node, shape, index):
            inside[result] = node
    if choice.input[0] not in inside:
        return
    chosen: dict[str, str] = {}
    nodes = list[Any]()
    for node in index.graph.node:
        if node is choice:
            continue
        if node.output[0] in inside:
            for place, name in enumerate(node.input):
                if name in index.initializers or name in inside:
                    continue
                if name not in chosen:
                    chosen[name] = f"{name}_chosen"
                    nodes.append(onnx.helper.make_node("Slice", [name, *choice.input[1:]], [chosen[name]]))
                node.input[place] = chosen[name]
            if node.output[0] == choice.input[0]:
                node.output[0] = choice.output[0]
        nodes.append(node)
    index.set_nodes(nodes)


def _cuts_the_last(choice: Any, index: Index) -> bool:
    """Whether a Slice takes less than all of the last axis, or may."""
    starts, ends, *rest = (index.array(name).tolist() for name in choice.input[1:])
    shape = index.shapes[choice.input[0]]
    axes = rest[0] if rest else list(range(len(starts)))
    length = shape[-1]
    return length is None or any(
        axis % len(shape) == len(shape) - 1 and (start != 0 or end < length)
        for axis, start, end in zip(axes, starts, ends, strict=True)
    )


def _is_by_row(node: Any, shape: list[int | None], index: Index) -> bool:
    """Whether a node gives each row, the last axis, from the rows in the same place of tensors of such a shape.

    What it reads besides are constants that are the same for every row.
    """
    if node.op_type not in BY_ROW:
        return False
    for place, name in enumerate(node.input):
        if name in index.initializers:
            matrix = node.op_type == "MatMul" and place == 1
            if len(index.initializers[name].dims) > (2 if matrix else 1):
                return False
        elif index.shapes.get(name, [])[:-1] != shape[:-1] or (node.op_type == "MatMul" and place == 1):
            return False
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), -1)
    return node.op_type != "LayerNormalization" or axis in (-1, len(shape) - 1)
