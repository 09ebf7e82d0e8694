"""The number of Transposes that a good ONNX file of a network has, counted on its Keras layers."""

from __future__ import annotations

from typing import Any, Literal

Layout = Literal["NCHW", "NHWC", "image"]
"""The layout of a feature map.

ONNX' convolutions and pools take NCHW; layers that work along the last axis take NHWC. The image is NHWC, too, but the
first convolution reads it without a Transpose, see `zoo.export.onnx.passes.first_convolution`.
"""


def expected_transposes(model: Any) -> int:
    """Count the Transposes that a functional Keras network needs.

    Convolutions, pools and batch normalizations take NCHW. A layer with the attribute `channels_last` takes NHWC. Every
    other layer takes the layout of its inputs if they agree, and NCHW if not. A map that is needed in another layout
    than it was computed in is transposed once. The attribute `transposes` of a layer counts those inside it. Maps of
    height and width 1 need none.
    """
    import keras

    layouts: dict[int, Layout] = {id(tensor): "image" for tensor in model.inputs}
    transposed: set[int] = set()
    inside_layers = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        maps = [id(tensor) for tensor in keras.tree.flatten(layer.input) if _is_map(tensor)]
        given = {layouts[tensor] for tensor in maps}
        common: Layout = next(iter(given)) if len(given) == 1 else "NCHW"
        wanted = _required_layout(layer) or common
        transposed |= {tensor for tensor in maps if _needs_transpose(layouts[tensor], wanted, layer)}
        layouts |= {id(tensor): wanted for tensor in keras.tree.flatten(layer.output)}
        inside_layers += getattr(layer, "transposes", 0)
    return len(transposed) + inside_layers


def _required_layout(layer: Any) -> Layout | None:
    """Return the layout that a layer needs; None if it takes either."""
    from keras import layers

    if getattr(layer, "channels_last", False):
        return "NHWC"
    convolutions = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
    pools = (
        layers.AveragePooling2D,
        layers.MaxPooling2D,
        layers.GlobalAveragePooling2D,
        layers.GlobalMaxPooling2D,
    )
    return "NCHW" if isinstance(layer, (*convolutions, *pools, layers.BatchNormalization)) else None


def _needs_transpose(layout: Layout, wanted: Layout, layer: Any) -> bool:
    from keras import layers

    if layout == "image":
        return wanted == "NCHW" and not isinstance(layer, layers.Conv2D)
    return layout != wanted


def _is_map(tensor: Any) -> bool:
    """Return whether a tensor has rank 4, and a height or width above 1."""
    return len(tensor.shape) == 4 and tensor.shape[1:3] != (1, 1)
