"""What is rewritten in an ONNX model: pieces into the nodes that they mean.

Each pass takes a model and changes it in place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo.contract import BATCH
from zoo.export.onnx import first_convolution, transposes
from zoo.export.onnx.graph_index import Index, opset
from zoo.export.onnx.pads import pads

GELU_OPSET = 20
"""ONNX' operator set has Gelu from here on."""


def tidy(model: Any) -> None:
    """What is to be done after folding, in the order in which it helps."""
    for one in (
        pads,
        hard_swish,
        gelu,
        transposes.moves_before_reshapes,
        transposes.idle_moves,
        transposes.behind_convolutions,
        transposes.sums_of_planes,
        first_convolution.rows_of_pixels,
        transposes.rows_first,
        unread_constants,
    ):
        one(model)


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


def unread_constants(model: Any) -> None:
    """Remove initializers that nothing reads: onnxruntime warns of each."""
    read = {name for node in model.graph.node for name in node.input}
    idle = [tensor for tensor in model.graph.initializer if tensor.name not in read]
    for tensor in idle:
        model.graph.initializer.remove(tensor)


def repeated_gates(model: Any) -> None:
    """A map times a factor for each channel into a map times a map: the factors are repeated for every pixel first.

    For float32: onnxruntime's blocked layout of convolutions (1.31, NCHWc) has Resize and products of maps of one
    shape, and leaves it for any other product, which turns the whole map round twice. It only finds the shapes equal
    when the batch has the same name, which nobody infers of a Resize: it is stated.
    """
    import onnx

    index = Index(model)
    for product in [node for node in index.graph.node if node.op_type == "Mul"]:
        one, gate = sorted(product.input, key=lambda name: index.shapes.get(name, [])[2:] == [1, 1])
        shape, pixel = (index.shapes.get(name, []) for name in (one, gate))
        if gate in index.initializers or pixel != [*shape[:2], 1, 1] or shape == pixel:
            continue
        times = index.constant(f"{gate}_times", np.array([1, 1, *shape[2:]], np.float32))
        repeated = f"{gate}_repeated"
        resize = onnx.helper.make_node(
            "Resize",
            [gate, "", times],
            [repeated],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        value = onnx.helper.make_tensor_value_info(repeated, onnx.TensorProto.FLOAT, [BATCH, *shape[1:]])
        index.graph.value_info.append(value)
        index.replace([product], [resize, onnx.helper.make_node("Mul", [one, repeated], list(product.output))])


def gates_once(model: Any) -> None:
    """Undo `repeated_gates`: integers and GPUs multiply with a factor for each channel as fast as with a map."""
    index = Index(model)
    for resize in [node for node in index.graph.node if node.op_type == "Resize"]:
        products = index.readers.get(resize.output[0], [])
        if index.shapes.get(resize.input[0], [])[2:] != [1, 1] or any(node.op_type != "Mul" for node in products):
            continue
        for product in products:
            product.input[list(product.input).index(resize.output[0])] = resize.input[0]
        index.graph.node.remove(resize)
    del index.graph.value_info[:]
    unread_constants(model)


def global_average(model: Any) -> None:
    """ReduceMean over height and width of a map into GlobalAveragePool, which needs no change of onnxruntime's layout.

    For a model that has not been folded: the pool is put between transpositions, which folding cancels against those of
    the convolutions before it. Without, a last batch normalization stays behind a transposition and is not folded.
    """
    import onnx

    index = Index(model)
    for mean, axes, keeps in list(means(index)):
        if axes not in ([1, 2], [2, 3]) or len(index.shapes.get(mean.input[0], ())) != 4:
            continue
        source, result, new = mean.input[0], mean.output[0], []
        if axes == [1, 2]:
            new.append(onnx.helper.make_node("Transpose", [source], [f"{result}_before"], perm=transposes.TO_PLANES))
            source = f"{result}_before"
        pooled = result if keeps and axes == [2, 3] else f"{result}_pooled"
        new.append(onnx.helper.make_node("GlobalAveragePool", [source], [pooled]))
        if not keeps:
            new.append(onnx.helper.make_node("Flatten", [pooled], [result]))
        elif axes == [1, 2]:
            new.append(onnx.helper.make_node("Transpose", [pooled], [result], perm=transposes.TO_PIXELS))
        index.replace([mean], new)


def means(index: Index) -> Iterator[tuple[Any, list[int], bool]]:
    """Every ReduceMean with its axes and whether it keeps them."""
    import onnx

    for node in index.graph.node:
        if node.op_type == "ReduceMean" and len(node.input) == 2 and node.input[1] in index.initializers:
            axes = onnx.numpy_helper.to_array(index.initializers[node.input[1]]).tolist()
            keeps = all(attribute.i for attribute in node.attribute if attribute.name == "keepdims")
            yield node, sorted(axes), keeps
