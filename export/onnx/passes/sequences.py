"""Networks over sequences [batch, frames, channels]: their convolutions, and their normalizations over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.export.onnx.graph_index import GraphIndex, attributes_of
from zoo.export.onnx.passes.pooling import reduce_means
from zoo.export.onnx.passes.transposes import NCHW_TO_NHWC, NHWC_TO_NCHW, is_transpose

SWAP = [0, 2, 1]
"""The permutation of a Transpose from [batch, frames, channels] to [batch, channels, frames], and back."""


def convolve_sequences(model: Any) -> None:
    """Convolve [batch, channels, frames] where tf2onnx wrote the convolution of an image of height 1.

    A bias that is added to the result goes into the convolution, and a waveform [batch, samples] becomes its one
    channel without a Transpose. Run this before constant folding, which cancels the Transposes between convolutions.
    """
    import onnx

    index = GraphIndex(model)
    for convolution in [node for node in index.graph.node if node.op_type == "Conv"]:
        chain = _image_of_height_1(convolution, index)
        if not chain:
            continue
        source, result, stem = chain[0].input[0], chain[-1].output[0], convolution.output[0]
        kernel, *bias = convolution.input[1:]
        add, waveform = index.sole_consumer(result), index.producers.get(source)
        constant = _channel_operand(add, result, index.shapes.get(stem, []), index)
        if add is not None and constant is not None and not bias:
            bias, result, chain = [constant], add.output[0], [*chain, add]
        height = index.add_initializer(f"{stem}_height", np.array([2]))
        planes = onnx.helper.make_node("Transpose", [source], [f"{stem}_planes"], perm=SWAP)
        if waveform is not None and _is_unsqueeze(waveform, 2, 3, index) and index.sole_consumer(source) is not None:
            channel = index.add_initializer(f"{stem}_channel", np.array([1]))
            planes = onnx.helper.make_node("Unsqueeze", [waveform.input[0], channel], [f"{stem}_planes"])
            chain = [waveform, *chain]
        attributes = attributes_of(convolution)
        for name in ("kernel_shape", "strides", "dilations"):
            if name in attributes:
                attributes[name] = attributes[name][1:]
        if "pads" in attributes:
            attributes["pads"] = attributes["pads"][1::2]
        operands = [f"{stem}_planes", f"{stem}_kernel", *bias]
        new = [
            onnx.helper.make_node("Squeeze", [kernel, height], [f"{stem}_kernel"]),
            planes,
            onnx.helper.make_node("Conv", operands, [f"{stem}_convolved"], name=convolution.name, **attributes),
            onnx.helper.make_node("Transpose", [f"{stem}_convolved"], [result], perm=SWAP),
        ]
        index.replace(chain, new)


def normalize_over_time(model: Any) -> None:
    """Fuse the normalization of each channel of [batch, frames, channels] over time into InstanceNormalization.

    It is put between two Transposes. Run this before constant folding, which cancels these Transposes against those of
    the convolutions around it.
    """
    import onnx

    index = GraphIndex(model)
    for mean, axes, keeps in list(reduce_means(index)):
        chain = _normalization(mean, index) if keeps and axes == [1] else []
        if not chain or len(index.shapes.get(mean.input[0], ())) != 3:
            continue
        source, result = mean.input[0], chain[-1].output[0]
        scale, offset = chain[-2:]
        gamma, beta = _constant_operand(scale, index), _constant_operand(offset, index)
        normalized = onnx.helper.make_node(
            "InstanceNormalization",
            [f"{result}_planes", gamma, beta],
            [f"{result}_normalized"],
            epsilon=_epsilon(chain, index),
        )
        new = [
            onnx.helper.make_node("Transpose", [source], [f"{result}_planes"], perm=SWAP),
            normalized,
            onnx.helper.make_node("Transpose", [f"{result}_normalized"], [result], perm=SWAP),
        ]
        index.replace(chain, new)


def normalize_waveforms(model: Any) -> None:
    """Fuse the normalization of waveforms [batch, samples] into InstanceNormalization of their one channel.

    Run this after `convolve_sequences`, which adds the same channel for the first convolution: the channel then stays
    between the two.
    """
    import onnx

    index = GraphIndex(model)
    for mean, axes, keeps in list(reduce_means(index)):
        source = mean.input[0]
        fits = keeps and axes == [1] and len(index.shapes.get(source, ())) == 2
        chain = _standardization(mean, index) if fits else []
        if not chain:
            continue
        result = chain[-1].output[0]
        channel = index.add_initializer(f"{result}_channel", np.array([1]))
        scale, offset = (
            index.add_initializer(f"{result}_{name}", np.array([value], np.float32))
            for name, value in (("scale", 1), ("offset", 0))
        )
        expand = index.sole_consumer(result)
        into_channel = expand is not None and _is_unsqueeze(expand, 1, 3, index)
        normalized = expand.output[0] if expand is not None and into_channel else f"{result}_normalized"
        new = [
            onnx.helper.make_node("Unsqueeze", [source, channel], [f"{result}_planes"]),
            onnx.helper.make_node(
                "InstanceNormalization",
                [f"{result}_planes", scale, offset],
                [normalized],
                epsilon=_epsilon(chain, index),
            ),
        ]
        if into_channel:
            chain = [*chain, expand]
        else:
            new.append(onnx.helper.make_node("Squeeze", [normalized, channel], [result]))
        index.replace(chain, new)


def _image_of_height_1(convolution: Any, index: GraphIndex) -> list[Any]:
    """Return the nodes that make a sequence an image, convolve it, and make a sequence of the result.

    They are Unsqueeze, Transpose, Conv, Transpose and Squeeze. An empty list for anything else.
    """

    before = index.producers.get(convolution.input[0])
    expand = index.producers.get(before.input[0]) if before is not None else None
    after = index.sole_consumer(convolution.output[0])
    reduce = index.sole_consumer(after.output[0]) if after is not None else None
    if expand is None or reduce is None or after is None or before is None:
        return []
    attributes = attributes_of(convolution)
    exclusive = all(index.sole_consumer(node.output[0]) is not None for node in (expand, before))
    top, _, bottom, _ = attributes.get("pads", [0] * 4)
    fits = (
        _is_unsqueeze(expand, 1, 4, index)
        and reduce.op_type == "Squeeze"
        and _axes(reduce, 4, index) == [1]
        and is_transpose(before, NHWC_TO_NCHW)
        and is_transpose(after, NCHW_TO_NHWC)
        and attributes.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
        and (attributes.get("kernel_shape", [0])[0], top, bottom) == (1, 0, 0)
    )
    return [expand, before, convolution, after, reduce] if fits and exclusive else []


def _is_unsqueeze(node: Any, axis: int, rank: int, index: GraphIndex) -> bool:
    """Return whether a node adds this axis, and no other, to a tensor that has `rank` axes then."""
    return node.op_type == "Unsqueeze" and _axes(node, rank, index) == [axis]


def _axes(node: Any, rank: int, index: GraphIndex) -> list[int]:
    """Return the axes that a Squeeze or Unsqueeze states, counted from the first of `rank`."""
    axes = node.input[1] if len(node.input) == 2 else ""
    return [axis % rank for axis in index.array(axes).tolist()] if axes in index.initializers else []


def _standardization(mean: Any, index: GraphIndex) -> list[Any]:
    """Return the nodes of (x − mean) / √(mean((x − mean)²) + ε) over the second axis, from the first mean on.

    An empty list where the nodes are others.
    """
    source = mean.input[0]
    difference = index.sole_consumer(mean.output[0])
    if difference is None or difference.op_type != "Sub" or list(difference.input) != [source, mean.output[0]]:
        return []
    readers = {node.op_type: node for node in index.consumers.get(difference.output[0], [])}
    power, ratio = readers.get("Pow"), readers.get("Div")
    if set(readers) != {"Pow", "Div"} or power is None or ratio is None or index.scalar(power.input[1]) != 2:
        return []
    chain = _followed([mean, difference, power], ("ReduceMean", "Add", "Sqrt", "Div"), index)
    if not chain:
        return []
    squares, variance, root = chain[3:6]
    means = {node.output[0]: (axes, keeps) for node, axes, keeps in reduce_means(index)}
    fits = (
        means.get(squares.output[0]) == ([1], True)
        and any(index.scalar(name) is not None for name in variance.input)
        and list(ratio.input) == [difference.output[0], root.output[0]]
    )
    return chain if fits else []


def _normalization(mean: Any, index: GraphIndex) -> list[Any]:
    """Return the nodes of a standardization · γ + β, from the first mean on.

    An empty list where the nodes are others, or γ or β is not a constant for each channel.
    """
    channels = index.shapes.get(mean.input[0], [None])[-1]
    chain = _standardization(mean, index)
    extended = _followed(chain, ("Mul", "Add"), index) if chain else []
    return extended if all(_dims(_constant_operand(node, index), index) == [channels] for node in extended[-2:]) else []


def _followed(chain: list[Any], op_types: tuple[str, ...], index: GraphIndex) -> list[Any]:
    """Return the chain and the nodes of these types after it, each the only reader of the one before.

    An empty list where other nodes follow.
    """
    extended = list(chain)
    for op_type in op_types:
        follower = index.sole_consumer(extended[-1].output[0])
        if follower is None or follower.op_type != op_type:
            return []
        extended.append(follower)
    return extended


def _epsilon(chain: list[Any], index: GraphIndex) -> float:
    return next(value for value in map(index.scalar, chain[4].input) if value is not None)


def _channel_operand(add: Any, other: str, maps: list[int | None], index: GraphIndex) -> str | None:
    """Return the operand that an Add adds to `other`, if it has one number for each channel of `maps`."""
    channels = maps[1] if len(maps) == 4 else None
    if channels is None or add is None or add.op_type != "Add":
        return None
    return next((name for name in add.input if name != other and _dims(name, index) == [channels]), None)


def _constant_operand(node: Any, index: GraphIndex) -> str:
    return next((name for name in node.input if name in index.initializers), "")


def _dims(name: str, index: GraphIndex) -> list[int | None] | None:
    return list(index.initializers[name].dims) if name in index.initializers else index.shapes.get(name)
