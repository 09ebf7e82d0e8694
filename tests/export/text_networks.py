"""LSTMs of a few units, random texts, and their conversion to ONNX with the weights as inputs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from zoo.models.lstm.network import build

VOCABULARY, CLASSES = 50, 3

SMALL: dict[str, Any] = {"width": 8, "units": 6}
BASE: dict[str, Any] = {**SMALL, "bidirectional": True}
LARGE: dict[str, Any] = {**BASE, "depth": 2}
SIZES = {"small": SMALL, "base": BASE, "large": LARGE}


def network(length: int | None = None, **options: Any) -> Any:
    """A network of ids and mask [batch, length], whose biases are random as well."""
    ids, mask = (keras.Input((length,), dtype="int64", name=name) for name in ("input_ids", "attention_mask"))
    preprocessing = SimpleNamespace(vocabulary=range(VOCABULARY))
    model = keras.Model([ids, mask], build(ids, mask, CLASSES, preprocessing, **options).logits)
    generator = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(generator.normal(scale=0.5, size=weight.shape))
    return model


def texts(*lengths: int, longest: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Random ids and the mask of texts of the given lengths, int64 [batch, longest]."""
    longest = longest or max(lengths)
    ids = np.random.default_rng(1).integers(1, VOCABULARY, (len(lengths), longest))
    return ids, (np.arange(longest) < np.array(lengths)[:, None]).astype(np.int64)


def converted(model: Any) -> Any:
    """A network as tf2onnx converts it, with open batch and length, and its weights as initializers."""
    import onnx
    import tensorflow as tf

    from zoo.export.onnx.conversion import OPSET, _tf2onnx

    weights = {weight.path.replace("/", "."): weight.numpy() for weight in model.trainable_variables}
    states = model.non_trainable_variables

    @tf.function(autograph=False)
    def logits(input_ids: Any, attention_mask: Any, *values: Any) -> Any:
        answer, _ = model.stateless_call(values, states, [input_ids, attention_mask], training=False)
        return tf.identity(answer)

    text = [tf.TensorSpec([None, None], tf.int64, name) for name in ("input_ids", "attention_mask")]
    given = [*text, *(tf.TensorSpec(value.shape, tf.float32, name) for name, value in weights.items())]
    traced = logits.get_concrete_function(*given)
    definition = traced.graph.as_graph_def(add_shapes=True)
    proto = _tf2onnx(definition, [one.name for one in traced.inputs], {"logits": traced.outputs[0].name}, OPSET)
    for value, array in zip(list(proto.graph.input)[2:], weights.values(), strict=True):
        proto.graph.input.remove(value)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
    return proto
