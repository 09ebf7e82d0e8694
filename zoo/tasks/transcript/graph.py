"""Transcripts in TensorFlow operations: the logits of every frame. No network is trained for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.contract import LOGITS

if TYPE_CHECKING:
    from zoo.description import Model


def answers(logits: Any, model: Model) -> dict[str, Any]:
    """Return the network's logits, float32 [batch, frames, symbols]."""
    import tensorflow as tf

    return {LOGITS: tf.identity(logits)}
