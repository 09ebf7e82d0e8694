"""The first convolution of a network, and how it reads the NHWC image of the contract."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.export.onnx.graph_index import GraphIndex, attributes_of
from zoo.export.onnx.integer_kernels import weighted_nodes
from zoo.export.onnx.passes.channel_constants import channel_constant
from zoo.export.onnx.passes.transposes import NHWC_TO_NCHW, is_transpose


def convolve_nhwc_image(model: Any) -> None:
    """Let the first convolution read the NHWC image without a Transpose, as a map of one channel and width · channels.

    A kernel of c channels and w columns becomes a kernel of 1 channel and w · c columns that moves by stride · c. The
    scale of the normalization is folded into the weights. Its offset is added before the convolution, because the
    padding has to be 0 after the normalization.

    In an int8 file without this pass, onnxruntime 1.31 computes the normalization along a last axis of length 3, which
    takes 2.3 ms at 224 pixels.
    """
    import onnx

    index = GraphIndex(model)
    for cast in [node for node in index.graph.node if node.op_type == "Cast"]:
        chain = _normalization_and_convolution(cast, index)
        if not chain:
            continue
        *_, convolution = chain
        height, width, channels = (int(length or 0) for length in index.shapes[cast.input[0]][1:])
        scale, offset = (channel_constant(node, index, channels) for node in chain[1:3])
        if scale is None or offset is None:
            continue
        kernel = index.array(convolution.input[1]) * scale[:, None, None]
        filters, _, rows, columns = kernel.shape
        attributes = attributes_of(convolution)
        row_stride, column_stride = attributes.get("strides", [1, 1])
        top, left, bottom, end = attributes.get("pads", [0] * 4)
        stem = convolution.output[0]
        one_channel = kernel.transpose(0, 2, 3, 1).reshape(filters, 1, rows, columns * channels)
        names = [
            index.add_initializer(f"{stem}_offsets", np.tile(offset / scale, (width, 1))),
            index.add_initializer(f"{stem}_plane", np.array([0, 1, height, width * channels])),
            index.add_initializer(f"{stem}_rows", one_channel),
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
                strides=[row_stride, column_stride * channels],
                pads=[top, left * channels, bottom, end * channels],
            ),
        ]
        index.replace(chain, new)


def convolve_uint8_image(model: Any) -> None:
    """Let an int8 first convolution read the uint8 image itself, with a zero point of one gray level.

    Otherwise the image would be converted to float32, normalized and quantized again. The normalization goes into the
    bias. The result is exact except for the padding, which then has that gray level instead of each channel's mean.
    """
    import onnx

    index = GraphIndex(model)
    on_integers = {node.output[0] for node in weighted_nodes(index)}
    for cast in [node for node in index.graph.node if node.op_type == "Cast"]:
        chain = _chain(cast, ["Cast", "Add", "Reshape", "Conv"], index)
        if not chain or chain[-1].output[0] not in on_integers:
            continue
        _, add, reshape, convolution = chain
        constants = [add.input[1], *convolution.input[1:]]
        if any(name not in index.initializers or len(index.consumers[name]) != 1 for name in constants):
            continue
        kernel, *bias = (index.array(name) for name in convolution.input[1:])
        offsets = index.array(add.input[1])[0]  # the same for every column
        gray = np.clip(np.rint(-offsets.mean()), 0, 255).astype(np.uint8)
        correction = (kernel * np.tile(offsets + gray, kernel.shape[-1] // len(offsets))).sum((1, 2, 3))
        stem, source = convolution.output[0], reshape.output[0]
        scale = index.add_initializer(f"{stem}_step", np.array(1, np.float32))
        zero_point = index.add_initializer(f"{stem}_gray", gray)
        new_bias = index.add_initializer(f"{stem}_shifted_bias", (sum(bias) + correction).astype(np.float32))
        del convolution.input[2:]
        convolution.input.append(new_bias)
        new = [
            onnx.helper.make_node("Reshape", [cast.input[0], reshape.input[1]], [f"{source}_integers"]),
            onnx.helper.make_node("DequantizeLinear", [f"{source}_integers", scale, zero_point], [source]),
        ]
        index.replace([cast, add, reshape], new)


def _normalization_and_convolution(cast: Any, index: GraphIndex) -> list[Any]:
    """Return the Cast of an image, its Mul, Add, Transpose to NCHW and Conv; an empty list for anything else.

    The convolution has neither groups nor dilation, and explicit padding.
    """
    chain = _chain(cast, ["Cast", "Mul", "Add", "Transpose", "Conv"], index)
    if not chain:
        return []
    *_, transpose, convolution = chain
    attributes = attributes_of(convolution)
    supported = (
        attributes.get("auto_pad", b"NOTSET") == b"NOTSET"
        and attributes.get("group", 1) == 1
        and set(attributes.get("dilations", [1])) == {1}
        and convolution.input[1] in index.initializers
    )
    return chain if supported and is_transpose(transpose, NHWC_TO_NCHW) else []


def _chain(first: Any, op_types: list[str], index: GraphIndex) -> list[Any]:
    """Return the nodes from `first` on, each the sole consumer of the one before, if they have these types.

    An empty list if they do not.
    """
    chain = [first]
    while len(chain) < len(op_types) and (consumer := index.sole_consumer(chain[-1].output[0])) is not None:
        chain.append(consumer)
    return chain if [node.op_type for node in chain] == op_types else []
