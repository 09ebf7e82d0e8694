"""The computation of every format, from pixels to the outputs of the contract, as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zoo.contract import LOGITS, PROBABILITIES
from zoo.inputs.image.decoding import normalized
from zoo.inputs.image.preprocessing import Preprocessing


def outputs(pixels: Any, logits_of: Callable[[Any], Any], preprocessing: Preprocessing) -> dict[str, Any]:
    """Logits and probabilities, float32 [batch, classes], of uint8 pixels [batch, height, width, channels]."""
    import tensorflow as tf

    logits = logits_of(normalized(pixels, preprocessing))
    return {LOGITS: tf.identity(logits), PROBABILITIES: tf.nn.softmax(logits)}


@dataclass(frozen=True)
class TracedModel:
    """A Keras model with its preprocessing, traced once for all that export it or compare with it.

    `logits` is a TensorFlow function of float32 images [batch, height, width, channels], as the preprocessing leaves
    them, to float32 [batch, classes]. Tracing a deep model takes seconds, so every user shares this trace.
    """

    model: Any
    preprocessing: Preprocessing
    logits: Any


def trace(model: Any, preprocessing: Preprocessing) -> TracedModel:
    """Trace a Keras model in inference mode. It must be float32 and built outside of any distribution strategy."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None, *preprocessing.shape], tf.float32)], autograph=False)
    def logits(images: Any) -> Any:
        return model(images, training=False)

    return TracedModel(model, preprocessing, logits)
