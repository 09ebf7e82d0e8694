"""What both formats compute: from the contract's pixels to the contract's outputs, as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zoo.contract import LOGITS, PROBABILITIES
from zoo.preprocess import Preprocessing, normalised


def outputs(pixels: Any, network: Callable[[Any], Any], preprocessing: Preprocessing) -> dict[str, Any]:
    """Logits and probabilities, float32 [batch, classes], of uint8 pixels [batch, height, width, channels]."""
    import tensorflow as tf

    logits = network(normalised(pixels, preprocessing))
    return {LOGITS: tf.identity(logits), PROBABILITIES: tf.nn.softmax(logits)}
