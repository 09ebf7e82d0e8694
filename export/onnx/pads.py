"""Zeros around a map: the convolutions and pools that read it add them themselves, which costs nothing.

onnxruntime's folding takes a Pad into a convolution, and into a MaxPool up to 1.31 only: 1.32 leaves it, rightly, for
a MaxPool pads with minus infinity. Of a map that is nowhere negative both give the same, and what is left costs two
changes of the layout and breaks a chain of integers.
"""

from __future__ import annotations

from typing import Any

from zoo.export.onnx.graph_index import Index

TAKERS = ("Conv", "MaxPool", "AveragePool")
"""Kinds that have padding of their own."""

NOT_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softmax", "Abs", "Exp", "Softplus")
"""Kinds that give no negative value, whatever they read."""

KEEPS_SIGN = (
    *("Add", "Mul", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "HardSwish", "LeakyRelu"),
    *("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Identity"),
)
"""Kinds that give no negative value where they read none."""


def pads(model: Any) -> None:
    """Put zeros around the height and width of a map into the convolutions and pools that read it, where it is exact.

    The model is changed in place.
    """
    index = Index(model)
    for node in [node for node in index.graph.node if node.op_type == "Pad"]:
        zeros = _zeros(node, index)
        readers = index.readers.get(node.output[0], [])
        if zeros is None or node.output[0] in index.outputs or not readers:
            continue
        attributes = [_with_zeros(zeros, reader, node, index) for reader in readers]
        if None in attributes:
            continue
        for reader, changed in zip(readers, attributes, strict=True):
            _set(reader, changed or {})
            reader.input[0] = node.input[0]
            index.readers[node.input[0]].append(reader)
        index.graph.node.remove(node)


def not_negative(name: str, index: Index) -> bool:
    """Whether no element of a value can be below 0, by the kinds of the nodes that it comes from."""
    pending, seen = [name], {name}
    while pending:
        one = pending.pop()
        node = index.makers.get(one)
        if one in index.initializers:
            if (index.array(one) < 0).any():
                return False
        elif node is None or not (node.op_type in NOT_NEGATIVE or _clips_at_zero(node, index)):
            if node is None or node.op_type not in KEEPS_SIGN:
                return False
            # What a Reshape, a Slice and the like read besides says where values go.
            whole = node.op_type in ("Add", "Mul", "Concat")
            unseen = [other for other in (node.input if whole else node.input[:1]) if other not in seen]
            seen.update(unseen)
            pending += unseen
    return True


def _clips_at_zero(node: Any, index: Index) -> bool:
    low = index.number(node.input[1]) if node.op_type == "Clip" and len(node.input) > 1 else None
    return low is not None and low >= 0


def _zeros(pad: Any, index: Index) -> list[int] | None:
    """How many rows and columns of zeros a Pad adds: top, left, bottom, right; None where it does anything else."""
    import onnx

    given = {one.name: onnx.helper.get_attribute_value(one) for one in pad.attribute}
    inputs: list[str] = [*pad.input, "", ""][:4]
    source, lengths, value, axes = inputs
    shape = index.shapes.get(source, [])
    if given.get("mode", b"constant") != b"constant" or len(shape) != 4 or lengths not in index.initializers:
        return None
    if (value and index.number(value) != 0) or (axes and axes not in index.initializers):
        return None
    numbers = index.array(lengths).tolist()
    places = [axis % 4 for axis in index.array(axes).tolist()] if axes else range(4)
    starts, ends = dict.fromkeys(range(4), 0), dict.fromkeys(range(4), 0)
    starts |= dict(zip(places, numbers[: len(numbers) // 2], strict=True))
    ends |= dict(zip(places, numbers[len(numbers) // 2 :], strict=True))
    around = [starts[2], starts[3], ends[2], ends[3]]
    return around if not any((starts[0], starts[1], ends[0], ends[1])) and min(around) >= 0 else None


def _with_zeros(zeros: list[int], reader: Any, pad: Any, index: Index) -> dict[str, Any] | None:
    """The attributes with which a node adds these zeros itself; None where it would give something else."""
    import onnx

    given = {one.name: onnx.helper.get_attribute_value(one) for one in reader.attribute}
    own = given.get("pads", [0] * 4)
    if (
        reader.op_type not in TAKERS
        or [place for place, name in enumerate(reader.input) if name == pad.output[0]] != [0]
        or given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
        or given.get("ceil_mode", 0)
    ):
        return None
    padding = [one + more for one, more in zip(own, zeros, strict=True)]
    changed: dict[str, Any] = {"auto_pad": "NOTSET", "pads": padding}
    if reader.op_type == "MaxPool":
        # A window that saw padding alone would give minus infinity.
        inside = all(length < side for length, side in zip(padding, 2 * list(given["kernel_shape"]), strict=True))
        plain = len(reader.output) == 1 and set(given.get("dilations", [1])) == {1}
        return changed if inside and plain and not_negative(pad.input[0], index) else None
    if reader.op_type == "AveragePool":
        # The zeros are counted; what it pads itself only where it says so.
        return None if any(own) and not given.get("count_include_pad", 0) else changed | {"count_include_pad": 1}
    return changed


def _set(node: Any, attributes: dict[str, Any]) -> None:
    """Give a node attributes, in place of those of the same names."""
    import onnx

    for one in [one for one in node.attribute if one.name in attributes]:
        node.attribute.remove(one)
    node.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in attributes.items())
