"""The number of Transposes that a good ONNX file of a network has, counted on its Keras layers."""

from __future__ import annotations

from typing import Any, Literal

Layout = Literal["NCHW", "NHWC", "input"]
"""The layout of a feature map.

ONNX's convolutions and pools take NCHW; layers that work along the last axis take NHWC. The input is NHWC, too, but the
first convolution reads it without a Transpose, see `zoo.export.onnx.passes.first_convolution`.
"""


def expected_transposes(model: Any) -> int:
    """Count the Transposes that a functional Keras network needs.

    Convolutions, pools and batch normalizations take NCHW, and so does a layer with the attribute `channels_first`. A
    layer with the attribute `channels_last` takes NHWC. Every other layer takes the layout of its inputs if they agree.
    If not, it takes NCHW for maps, and NHWC for sequences [batch, length, channels], most of which are read along the
    last axis. A map or sequence that is needed in another layout than it was computed in is transposed once. The
    attribute `transposes` of a layer counts those inside it. Maps of height and width 1 need none, and neither do
    sequences of one channel.
    """
    import keras

    layouts: dict[int, Layout] = {id(tensor): "input" for tensor in model.inputs}
    transposed: set[int] = set()
    inside_layers = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        tensors = [tensor for tensor in keras.tree.flatten(layer.input) if _is_map(tensor)]
        maps = [id(tensor) for tensor in tensors]
        input_layouts = {layouts[tensor] for tensor in maps}
        # A layer that makes a sequence from something else, as an embedding does from ids, is judged by its output.
        deciding = tensors or keras.tree.flatten(layer.output)
        fallback: Layout = "NHWC" if all(len(tensor.shape) == 3 for tensor in deciding) else "NCHW"
        common: Layout = next(iter(input_layouts)) if len(input_layouts) == 1 else fallback
        layout = _required_layout(layer) or common
        transposed |= {tensor for tensor in maps if _needs_transpose(layouts[tensor], layout, layer)}
        layouts |= {id(tensor): layout for tensor in keras.tree.flatten(layer.output)}
        inside_layers += getattr(layer, "transposes", 0)
    return len(transposed) + inside_layers


def _required_layout(layer: Any) -> Layout | None:
    """Return the layout that a layer needs; None if it takes either."""
    from keras import layers

    if getattr(layer, "channels_last", False):
        return "NHWC"
    if getattr(layer, "channels_first", False):
        return "NCHW"
    convolutions = (layers.Conv1D, layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
    pools = (
        layers.AveragePooling2D,
        layers.MaxPooling2D,
        layers.GlobalAveragePooling2D,
        layers.GlobalMaxPooling2D,
    )
    return "NCHW" if isinstance(layer, (*convolutions, *pools, layers.BatchNormalization)) else None


def _needs_transpose(layout: Layout, wanted: Layout, layer: Any) -> bool:
    from keras import layers

    if layout == "input":
        return wanted == "NCHW" and not isinstance(layer, layers.Conv2D)
    return layout != wanted


def _is_map(tensor: Any) -> bool:
    """Return whether a transpose between NCHW and NHWC would move the values of a tensor in memory.

    A map has a height or width above 1, a sequence a length and channels above 1.
    """
    if len(tensor.shape) == 3:
        return 1 not in tensor.shape[1:]
    return len(tensor.shape) == 4 and tensor.shape[1:3] != (1, 1)
