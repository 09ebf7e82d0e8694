"""Zero padding, folded into the convolutions and pools that read it: their own padding costs nothing.

onnxruntime's Pad_Fusion folds a Pad into a convolution. Up to 1.31 it also folds one into a MaxPool, which pads with
minus infinity: this changes the result if the map has negative values. From 1.32 on it never does. A Pad that is left
costs two reorders of the map and breaks a chain of integer kernels. So zoo folds a Pad itself, into a MaxPool only if
the map has no negative values.
"""

from __future__ import annotations

from typing import Any

from zoo.export.onnx.graph_index import GraphIndex, attributes_of

PADDING_OPERATORS = ("Conv", "MaxPool", "AveragePool")
"""Operators with padding of their own."""

NOT_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softmax", "Abs", "Exp", "Softplus")
"""Operators whose output is never negative."""

KEEPS_SIGN = (
    *("Add", "Mul", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "HardSwish", "LeakyRelu"),
    *("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Identity"),
)
"""Operators whose output is not negative if their inputs are not."""


def fold_padding(model: Any) -> None:
    """Fold zero padding of height and width into the convolutions and pools that read it, if all results stay exact."""
    index = GraphIndex(model)
    for pad in [node for node in index.graph.node if node.op_type == "Pad"]:
        folded = _foldable(pad, index)
        for consumer, attributes in folded:
            _set_attributes(consumer, attributes)
            consumer.input[0] = pad.input[0]
            index.consumers[pad.input[0]].append(consumer)
        if folded:
            index.graph.node.remove(pad)


def _foldable(pad: Any, index: GraphIndex) -> list[tuple[Any, dict[str, Any]]]:
    """Return the nodes that read a Pad, each with the attributes by which it pads itself; none unless all can."""
    zeros = _zeros(pad, index)
    if zeros is None or pad.output[0] in index.outputs:
        return []
    readers = []
    for consumer in index.consumers.get(pad.output[0], []):
        attributes = _padded_attributes(zeros, consumer, pad, index)
        if attributes is None:
            return []
        readers.append((consumer, attributes))
    return readers


def is_not_negative(name: str, index: GraphIndex) -> bool:
    """Return whether the operators that compute a value guarantee that no element is below 0."""
    pending, seen = [name], {name}
    while pending:
        value = pending.pop()
        node = index.producers.get(value)
        if value in index.initializers:
            if (index.array(value) < 0).any():
                return False
        elif node is None or not (node.op_type in NOT_NEGATIVE or _clips_at_zero(node, index)):
            if node is None or node.op_type not in KEEPS_SIGN:
                return False
            # The other inputs of a Reshape, a Slice and the like are shapes and positions.
            all_data = node.op_type in ("Add", "Mul", "Concat")
            unseen = [other for other in (node.input if all_data else node.input[:1]) if other not in seen]
            seen.update(unseen)
            pending += unseen
    return True


def _clips_at_zero(node: Any, index: GraphIndex) -> bool:
    low = index.scalar(node.input[1]) if node.op_type == "Clip" and len(node.input) > 1 else None
    return low is not None and low >= 0


def _zeros(pad: Any, index: GraphIndex) -> list[int] | None:
    """Return the rows and columns of zeros that a Pad adds: top, left, bottom, right.

    None if it pads other axes or with other values, or crops.
    """
    attributes = attributes_of(pad)
    inputs: list[str] = [*pad.input, "", ""][:4]
    source, lengths, value, axes = inputs
    shape = index.shapes.get(source, [])
    if attributes.get("mode", b"constant") != b"constant" or len(shape) != 4 or lengths not in index.initializers:
        return None
    if (value and index.scalar(value) != 0) or (axes and axes not in index.initializers):
        return None
    numbers = index.array(lengths).tolist()
    padded_axes = [axis % 4 for axis in index.array(axes).tolist()] if axes else range(4)
    starts, ends = dict.fromkeys(range(4), 0), dict.fromkeys(range(4), 0)
    starts |= dict(zip(padded_axes, numbers[: len(numbers) // 2], strict=True))
    ends |= dict(zip(padded_axes, numbers[len(numbers) // 2 :], strict=True))
    zeros = [starts[2], starts[3], ends[2], ends[3]]
    return zeros if not any((starts[0], starts[1], ends[0], ends[1])) and min(zeros) >= 0 else None


def _padded_attributes(zeros: list[int], consumer: Any, pad: Any, index: GraphIndex) -> dict[str, Any] | None:
    """Return the attributes with which a node pads by these zeros itself; None if its result would change."""
    attributes = attributes_of(consumer)
    pads = attributes.get("pads", [0] * 4)
    if (
        consumer.op_type not in PADDING_OPERATORS
        or [position for position, name in enumerate(consumer.input) if name == pad.output[0]] != [0]
        or attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
        or attributes.get("ceil_mode", 0)
    ):
        return None
    padding = [present + added for present, added in zip(pads, zeros, strict=True)]
    changed: dict[str, Any] = {"auto_pad": "NOTSET", "pads": padding}
    if consumer.op_type != "Conv" and not all(
        length < side for length, side in zip(padding, 2 * list(attributes["kernel_shape"]), strict=True)
    ):
        # A window of nothing but padding: a MaxPool would give minus infinity, and onnxruntime refuses an AveragePool.
        return None
    if consumer.op_type == "MaxPool":
        supported = len(consumer.output) == 1 and set(attributes.get("dilations", [1])) == {1}
        return changed if supported and is_not_negative(pad.input[0], index) else None
    if consumer.op_type == "AveragePool":
        # The Pad's zeros count in the average; the pool's own padding does so only with `count_include_pad`.
        return None if any(pads) and not attributes.get("count_include_pad", 0) else changed | {"count_include_pad": 1}
    return changed


def _set_attributes(node: Any, attributes: dict[str, Any]) -> None:
    """Set attributes of a node, overwriting those of the same names."""
    import onnx

    for attribute in [attribute for attribute in node.attribute if attribute.name in attributes]:
        node.attribute.remove(attribute)
    node.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in attributes.items())
