"""Compare arrays with the tensors of a signature: names, dtypes, ranks and sizes."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.input import Arrays
from zoo.signature import Tensor


def misfit(arrays: Arrays, tensors: Mapping[str, Tensor]) -> str | None:
    """Describe the first departure of arrays from the tensors that they should be; return None where there is none.

    An open dimension may have any size but 0, the same one in every array that has the dimension.
    """
    if set(arrays) != set(tensors):
        return f"the arrays are {', '.join(sorted(arrays)) or 'none'}, not {', '.join(tensors)}"
    sizes: dict[str, int] = {}
    for name, tensor in tensors.items():
        array, wanted = arrays[name], tensor.sized(sizes)
        if not wanted.fits(array) or not array.size:
            return f"{name} is {Tensor(array.dtype.name, array.shape)}, not {wanted}"
        sizes |= {
            dimension: size
            for dimension, size in zip(tensor.shape, array.shape, strict=True)
            if isinstance(dimension, str)
        }
    return None
