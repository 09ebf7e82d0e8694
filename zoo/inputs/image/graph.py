"""The functions of `zoo.input.Graph` for images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.inputs.image.batches import evaluation_batches, training_batches
from zoo.inputs.image.client import IMAGE, IMAGE_BYTES
from zoo.inputs.image.decoding import normalized
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.uploads import uploaded_pixels

__all__ = ["decoded", "evaluation_batches", "prepared", "training_batches"]


def prepared(inputs: Mapping[str, Any], preprocessing: Preprocessing) -> dict[str, Any]:
    """Normalize the image, uint8 [batch, height, width, channels]."""
    return {IMAGE: normalized(inputs[IMAGE], preprocessing)}


def decoded(raw: Mapping[str, Any], preprocessing: Preprocessing) -> tuple[dict[str, Any], Any]:
    """Decode uploaded files to the image, and say which are refused."""
    pixels, status = uploaded_pixels(raw[IMAGE_BYTES], preprocessing)
    return {IMAGE: pixels}, status
