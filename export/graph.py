"""What both formats compute: from the contract's pixels to the contract's outputs, as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zoo.contract import LOGITS, PROBABILITIES
from zoo.preprocess import Preprocessing
from zoo.preprocess_graph import normalized


def outputs(pixels: Any, network: Callable[[Any], Any], preprocessing: Preprocessing) -> dict[str, Any]:
    """Logits and probabilities, float32 [batch, classes], of uint8 pixels [batch, height, width, channels]."""
    import tensorflow as tf

    logits = network(normalized(pixels, preprocessing))
    return {LOGITS: tf.identity(logits), PROBABILITIES: tf.nn.softmax(logits)}


@dataclass(frozen=True)
class Network:
    """A Keras network with what goes in front of it.

    `logits` is a TensorFlow function of float32 [batch, height, width, channels], as the preprocessing leaves images,
    to float32 [batch, classes]: traced once, for tracing a deep network takes seconds, and everyone who calls it shares
    the trace.
    """

    model: Any
    preprocessing: Preprocessing
    logits: Any


def network(model: Any, preprocessing: Preprocessing) -> Network:
    """The Keras network, in float32 and built outside any strategy, ready to be exported and to be compared with."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None, *preprocessing.shape], tf.float32)], autograph=False)
    def logits(images: Any) -> Any:
        return model(images, training=False)

    return Network(model, preprocessing, logits)
