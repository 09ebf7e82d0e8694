"""Leave out images that cannot be resized to a network's input, before training starts and fails on such an image."""

from __future__ import annotations

import numpy as np

from zoo.data.dataset import Examples
from zoo.errors import ZooError
from zoo.inputs.image.preprocessing import Preprocessing, covering


def kept(images: Examples, preprocessing: Preprocessing) -> tuple[Examples, tuple[str, ...]]:
    """Return the images that can be resized to the network's input, and a line on each that cannot: name and reason."""
    traits = map(images.traits, range(len(images)))
    sides = np.array([(image_traits.height, image_traits.width) for image_traits in traits], np.int32).reshape(-1, 2)
    shapes, shape_indices = np.unique(sides, axis=0, return_inverse=True)
    reasons = [refusal(int(height), int(width), preprocessing) for height, width in shapes]
    if not any(reasons):
        return images, ()
    refused = np.array([bool(reason) for reason in reasons])[shape_indices]
    lines = tuple(f"{images.names(int(index))}: {reasons[shape_indices[index]]}" for index in np.flatnonzero(refused))
    return images.only(np.flatnonzero(~refused)), lines


def refusal(height: int, width: int, preprocessing: Preprocessing) -> str:
    """Return the reason why images of a size cannot be resized to the network's input; empty if they can."""
    try:
        covering(height, width, preprocessing)
    except ZooError as error:
        return str(error)
    return ""
