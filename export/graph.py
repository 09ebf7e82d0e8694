"""The computation of every format, from the inputs of the contract to its outputs, as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zoo import factory
from zoo.description import Model
from zoo.input import kind_of
from zoo.signature import Tensor
from zoo.task import task_of


@dataclass(frozen=True)
class TracedModel:
    """A Keras model, traced once for all that export it or compare with it.

    `network` is a tf.function: it takes the preprocessed inputs by name and returns the network's output. Tracing a
    deep model takes seconds, so everything that needs the network shares this trace.
    """

    model: Any
    description: Model
    network: Any


def outputs(inputs: Mapping[str, Any], network: Callable[[Any], Any], description: Model) -> dict[str, Any]:
    """Compute the outputs of the contract from its inputs, both by name."""
    preprocessing = description.preprocessing
    prepared = kind_of(preprocessing).graph.prepared(inputs, preprocessing)
    return task_of(description).graph.answers(network(prepared), description)


def trace(model: Any, description: Model) -> TracedModel:
    """Trace a Keras model in inference mode. It must be float32 and built outside of any distribution strategy."""
    import tensorflow as tf

    tensors = kind_of(description.preprocessing).client.network_tensors(description.preprocessing)
    signature = {name: spec(tensor) for name, tensor in tensors.items()}

    @tf.function(input_signature=[signature], autograph=False)
    def network(inputs: dict[str, Any]) -> Any:
        return factory.apply(model, inputs, training=False)

    return TracedModel(model, description, network)


def spec(tensor: Tensor, name: str | None = None) -> Any:
    """Return the tf.TensorSpec of a tensor; its open dimensions are None."""
    import tensorflow as tf

    return tf.TensorSpec(open_shape(tensor), tensor.dtype, name)


def open_shape(tensor: Tensor) -> list[int | None]:
    """Return the shape of a tensor as TensorFlow takes it, with None for open dimensions."""
    return [size if isinstance(size, int) else None for size in tensor.shape]
