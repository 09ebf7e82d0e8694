"""The names and the axes of tensors in PyTorch's layers, and the variables of zoo's layers that they become."""

from __future__ import annotations

Variable = tuple[str, tuple[int, ...] | None]
"""The name of a variable, and the order of PyTorch's axes in it (None: the same order)."""

_BIAS: dict[str, Variable] = {"bias": ("bias", None)}
_SEQUENCE: dict[str, Variable] = {"weight": ("kernel", (2, 1, 0)), **_BIAS}
_NORM: dict[str, Variable] = {"weight": ("gamma", None), "bias": ("beta", None)}

TENSORS: dict[str, dict[str, Variable]] = {
    "Conv1D": _SEQUENCE,
    "GroupedConvolution": _SEQUENCE,
    "Conv2D": {"weight": ("kernel", (2, 3, 1, 0)), **_BIAS},
    "DepthwiseConv2D": {"weight": ("kernel", (2, 3, 0, 1)), **_BIAS},
    "Dense": {"weight": ("kernel", (1, 0)), **_BIAS},
    "LayerNormalization": _NORM,
    "TimeNormalization": _NORM,
    "BatchNormalization": {**_NORM, "running_mean": ("moving_mean", None), "running_var": ("moving_variance", None)},
}
"""The tensors of each class of layers, by PyTorch's names.

A tensor with fewer axes than its row belongs to a dense layer of the publisher's that is a 1×1 convolution in zoo.
"""


def variable_of(layer: str, tensor: str) -> Variable:
    """Return the variable that a tensor of PyTorch belongs to; tensors that are not in the table keep their names.

    Args:
        layer: the class of the layer, such as `Conv2D`.
        tensor: the last part of PyTorch's name, such as `weight`.
    """
    return TENSORS.get(layer, {}).get(tensor, (tensor, None))
