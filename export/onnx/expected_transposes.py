"""How often a network moves its data: the Transposes that a good ONNX file of it has, counted on its Keras layers."""

from __future__ import annotations

from typing import Any, Literal

Order = Literal["planes", "pixels", "rows"]
"""A map as ONNX' convolutions take it, [batch, channels, height, width], or as dense layers have it, or the image,
which convolutions read as it lies in memory, see `zoo.export.onnx.first_convolution.rows_of_pixels`."""


def transposes(model: Any) -> int:
    """The Transposes that a functional Keras network asks for.

    Convolutions and pools work on planes, as ONNX has no others. A layer that says `channels_last` works along the last
    axis of a map. Every other layer takes maps as they come: as pixels when all do, else as planes. A map that is
    wanted in the other order than it is in is transposed once. What a layer moves besides, it says by `transposes`.
    Maps of one pixel have no order.
    """
    import keras

    orders: dict[int, Order] = {id(tensor): "rows" for tensor in model.inputs}
    moved: set[int] = set()
    own = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        maps = [id(tensor) for tensor in keras.tree.flatten(layer.input) if _is_map(tensor)]
        given = {orders[tensor] for tensor in maps}
        alike: Order = next(iter(given)) if len(given) == 1 else "planes"
        wanted = _order(layer) or alike
        moved |= {tensor for tensor in maps if _is_moved(orders[tensor], wanted, layer)}
        orders |= {id(tensor): wanted for tensor in keras.tree.flatten(layer.output)}
        own += getattr(layer, "transposes", 0)
    return len(moved) + own


def _order(layer: Any) -> Order | None:
    """What a layer wants of maps; None where it does not care."""
    from keras import layers

    if getattr(layer, "channels_last", False):
        return "pixels"
    convolutions = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
    pools = (
        layers.AveragePooling2D,
        layers.MaxPooling2D,
        layers.GlobalAveragePooling2D,
        layers.GlobalMaxPooling2D,
    )
    return "planes" if isinstance(layer, (*convolutions, *pools, layers.BatchNormalization)) else None


def _is_moved(order: Order, wanted: Order, layer: Any) -> bool:
    from keras import layers

    if order == "rows":
        return wanted == "planes" and not isinstance(layer, layers.Conv2D)
    return order != wanted


def _is_map(tensor: Any) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[1:3] != (1, 1)
