"""Squeeze-and-excitation: the product of a feature map and one scale per channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.contract import BATCH
from zoo.export.onnx.graph_index import GraphIndex
from zoo.export.onnx.passes.initializers import remove_unused_initializers


def expand_channel_scales(model: Any) -> None:
    """Expand squeeze-and-excitation scales to the full feature map.

    onnxruntime 1.31 then keeps its blocked NCHWc layout, instead of reordering the map before and after the product. It
    supports Resize and products of equal shapes in that layout, but no product that broadcasts. It takes two shapes for
    equal only if their batch dimension has the same name. No shape inference names the batch of a Resize's output, so
    this pass declares it.
    """
    import onnx

    index = GraphIndex(model)
    for product in [node for node in index.graph.node if node.op_type == "Mul"]:
        feature_map, scale = sorted(product.input, key=lambda name: index.shapes.get(name, [])[2:] == [1, 1])
        shape, scale_shape = (index.shapes.get(name, []) for name in (feature_map, scale))
        if scale in index.initializers or scale_shape != [*shape[:2], 1, 1] or shape == scale_shape:
            continue
        if None in shape[1:]:
            continue  # maps of an open size
        # One scale may multiply several maps.
        times = index.add_initializer(f"{product.output[0]}_times", np.array([1, 1, *shape[2:]], np.float32))
        expanded = f"{product.output[0]}_scale"
        resize = onnx.helper.make_node(
            "Resize",
            [scale, "", times],
            [expanded],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        value = onnx.helper.make_tensor_value_info(expanded, onnx.TensorProto.FLOAT, [BATCH, *shape[1:]])
        index.graph.value_info.append(value)
        multiply = onnx.helper.make_node("Mul", [feature_map, expanded], list(product.output))
        index.replace([product], [resize, multiply])


def collapse_channel_scales(model: Any) -> None:
    """Undo `expand_channel_scales`: integer kernels and GPUs broadcast one scale per channel at no extra cost."""
    index = GraphIndex(model)
    for resize in [node for node in index.graph.node if node.op_type == "Resize"]:
        products = index.consumers.get(resize.output[0], [])
        if index.shapes.get(resize.input[0], [])[2:] != [1, 1] or any(node.op_type != "Mul" for node in products):
            continue
        for product in products:
            product.input[list(product.input).index(resize.output[0])] = resize.input[0]
        index.graph.node.remove(resize)
    del index.graph.value_info[:]
    remove_unused_initializers(model)
