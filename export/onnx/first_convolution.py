"""How the first convolution reads images: in rows of pixels as they lie in memory, and for int8 as integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.export.int8.qdq import weighted_nodes
from zoo.export.onnx.graph_index import Index
from zoo.export.onnx.transposes import TO_PLANES, of_channels, turns


def rows_of_pixels(model: Any) -> None:
    """Let the first convolution read images as they lie in memory: rows of pixels, channel by channel, as one plane.

    A kernel over c channels and w columns is one over w · c columns that goes on by c. So nothing is transposed, and
    nothing computed along a last axis of 3, which is where onnxruntime 1.31 moves the normalization in int8: 2.3 ms at
    224 pixels. The factors of the normalization go into the weights; its offsets are added before, or the padding would
    be no zeros.
    """
    import onnx

    index = Index(model)
    for cast in [node for node in index.graph.node if node.op_type == "Cast"]:
        chain = _normalized_and_convolved(cast, index)
        if not chain:
            continue
        *_, convolution = chain
        height, width, channels = (int(length or 0) for length in index.shapes[cast.input[0]][1:])
        factors, offsets = (of_channels(node, index, channels) for node in chain[1:3])
        if factors is None or offsets is None:
            continue
        kernel = index.array(convolution.input[1]) * factors[:, None, None]
        outputs, _, rows, columns = kernel.shape
        given = {one.name: onnx.helper.get_attribute_value(one) for one in convolution.attribute}
        down, right = given.get("strides", [1, 1])
        before, left, behind, end = given.get("pads", [0] * 4)
        stem = convolution.output[0]
        names = [
            index.constant(f"{stem}_offsets", np.tile(offsets / factors, (width, 1))),
            index.constant(f"{stem}_plane", np.array([0, 1, height, width * channels])),
            index.constant(f"{stem}_rows", kernel.transpose(0, 2, 3, 1).reshape(outputs, 1, rows, columns * channels)),
        ]
        new = [
            onnx.helper.make_node("Cast", [cast.input[0]], [f"{stem}_floats"], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("Add", [f"{stem}_floats", names[0]], [f"{stem}_centered"]),
            onnx.helper.make_node("Reshape", [f"{stem}_centered", names[1]], [f"{stem}_pixels"]),
            onnx.helper.make_node(
                "Conv",
                [f"{stem}_pixels", names[2], *convolution.input[2:]],
                [stem],
                kernel_shape=[rows, columns * channels],
                strides=[down, right * channels],
                pads=[before, left * channels, behind, end * channels],
            ),
        ]
        index.replace(chain, new)


def _normalized_and_convolved(cast: Any, index: Index) -> list[Any]:
    """The Cast of pixels, their Mul, Add and Transpose to planes, and an ordinary convolution; else nothing."""
    import onnx

    chain = _chain(cast, ["Cast", "Mul", "Add", "Transpose", "Conv"], index)
    if not chain:
        return []
    *_, transpose, convolution = chain
    given = {one.name: onnx.helper.get_attribute_value(one) for one in convolution.attribute}
    ordinary = (
        given.get("auto_pad", b"NOTSET") == b"NOTSET"
        and given.get("group", 1) == 1
        and set(given.get("dilations", [1])) == {1}
    )
    return chain if ordinary and turns(transpose, TO_PLANES) and convolution.input[1] in index.initializers else []


def _chain(first: Any, kinds: list[str], index: Index) -> list[Any]:
    """A node and those behind it, each the only reader of the one before, where they are of these kinds."""
    chain = [first]
    while len(chain) < len(kinds) and (reader := index.only_reader(chain[-1].output[0])) is not None:
        chain.append(reader)
    return chain if [node.op_type for node in chain] == kinds else []


def pixels_as_integers(model: Any) -> None:
    """Let the first convolution have the pixels as the 8 bits that they are, less one gray; its bias takes the rest.

    Integer kernels then read the image itself: nothing becomes floats and is rounded back. It is exact but for what
    the convolution pads, which is that gray then, and not the mean of each channel.
    """
    import onnx

    index = Index(model)
    integer = {node.output[0] for node in weighted_nodes(index)}
    for cast in [node for node in index.graph.node if node.op_type == "Cast"]:
        chain = _chain(cast, ["Cast", "Add", "Reshape", "Conv"], index)
        if not chain or chain[-1].output[0] not in integer:
            continue
        _, add, reshape, convolution = chain
        constants = [add.input[1], *convolution.input[1:]]
        if any(name not in index.initializers or len(index.readers[name]) != 1 for name in constants):
            continue
        kernel, *bias = (index.array(name) for name in convolution.input[1:])
        offsets = index.array(add.input[1])[0]  # those of a row's first pixel are those of all
        gray = np.clip(np.rint(-offsets.mean()), 0, 255).astype(np.uint8)
        rest = (kernel * np.tile(offsets + gray, kernel.shape[-1] // len(offsets))).sum((1, 2, 3))
        stem, pixels = convolution.output[0], reshape.output[0]
        step = index.constant(f"{stem}_step", np.array(1, np.float32))
        zero = index.constant(f"{stem}_gray", gray)
        shifted = index.constant(f"{stem}_shifted_bias", (sum(bias) + rest).astype(np.float32))
        del convolution.input[2:]
        convolution.input.append(shifted)
        new = [
            onnx.helper.make_node("Reshape", [cast.input[0], reshape.input[1]], [f"{pixels}_integers"]),
            onnx.helper.make_node("DequantizeLinear", [f"{pixels}_integers", step, zero], [pixels]),
        ]
        index.replace([cast, add, reshape], new)
