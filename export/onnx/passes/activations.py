"""Activations: the operations that tf2onnx writes for an activation, fused into the ONNX operator for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zoo.export.onnx.graph_index import GraphIndex, opset

GELU_OPSET = 20
"""The first version of ONNX's operator set that has Gelu."""


def fuse_hard_swish(model: Any) -> None:
    """Fuse max(0, min(6, x + 3)) / 6 into HardSigmoid, and its product with x into HardSwish.

    onnxruntime 1.31 does not recognize the separate operations, but fuses both operators into convolutions.
    """
    import onnx

    index = GraphIndex(model)
    for add in list(index.graph.node):
        x = index.other_operand(add, "Add", 3)
        clip = index.sole_consumer(add.output[0])
        if (
            x is None
            or clip is None
            or clip.op_type != "Clip"
            or [index.scalar(name) for name in clip.input[1:]] != [0, 6]
        ):
            continue
        sixth = index.sole_consumer(clip.output[0])
        if sixth is None or index.other_operand(sixth, "Mul", 1 / 6) is None:
            continue
        product = index.sole_consumer(sixth.output[0])
        if product is not None and product.op_type == "Mul" and x in product.input:
            index.replace([add, clip, sixth, product], [onnx.helper.make_node("HardSwish", [x], list(product.output))])
        else:
            sigmoid = onnx.helper.make_node("HardSigmoid", [x], list(sixth.output), alpha=1 / 6, beta=0.5)
            index.replace([add, clip, sixth], [sigmoid])


def fuse_gelu(model: Any) -> None:
    """Fuse x · (1/2 · (1 + erf(x · √1/2))) into Gelu, or reorder it to x · (1 + erf(x / √2)) · 1/2 before opset 20.

    TensorFlow's constant folding produces the first form. onnxruntime 1.31 recognizes only the second one as Gelu.
    """
    import onnx

    index = GraphIndex(model)
    names: dict[str, str] = {}
    for erf in [node for node in index.graph.node if node.op_type == "Erf"]:
        scaled = index.producers.get(erf.input[0])
        x = index.other_operand(scaled, "Mul", math.sqrt(0.5))
        plus = index.sole_consumer(erf.output[0])
        half = index.sole_consumer(plus.output[0]) if plus and index.other_operand(plus, "Add", 1) else None
        product = index.sole_consumer(half.output[0]) if half and index.other_operand(half, "Mul", 0.5) else None
        if x is None or product is None or product.op_type != "Mul" or x not in product.input:
            continue
        if index.sole_consumer(erf.input[0]) is None:
            continue
        if opset(model) >= GELU_OPSET:
            index.replace([scaled, erf, plus, half, product], [onnx.helper.make_node("Gelu", [x], product.output)])
            continue
        if not names:
            values = {"gelu_root": math.sqrt(2), "gelu_one": 1.0, "gelu_half": 0.5}
            names = {key: index.add_initializer(key, np.array(value, np.float32)) for key, value in values.items()}
        stem = product.output[0]
        new = [
            onnx.helper.make_node("Div", [x, names["gelu_root"]], [f"{stem}_divided"]),
            onnx.helper.make_node("Erf", [f"{stem}_divided"], [f"{stem}_erf"]),
            onnx.helper.make_node("Add", [f"{stem}_erf", names["gelu_one"]], [f"{stem}_plus"]),
            onnx.helper.make_node("Mul", [x, f"{stem}_plus"], [f"{stem}_product"]),
            onnx.helper.make_node("Mul", [f"{stem}_product", names["gelu_half"]], [stem]),
        ]
        index.replace([scaled, erf, plus, half, product], new)
