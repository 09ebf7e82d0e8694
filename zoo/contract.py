"""Names, dtypes and shapes of every artifact's inputs and outputs: one contract for all models and formats.

No framework is imported. Inputs are those of the model's kind of input (`zoo.inputs`), outputs those of its task
(`zoo.tasks`); this module puts them together to signatures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.signature import Signature, Tensor

if TYPE_CHECKING:
    from zoo.description import Model

BATCH = "batch"
"""The name of the open first dimension, in ONNX files too."""

CLASS_COUNT, VALUE_COUNT, SYMBOL_COUNT = "classes", "values", "symbols"
"""The names of dimensions that have as many places as the model has labels."""

FRAMES = "frames"
"""The name of the open dimension of a transcript's logits: the network makes as many frames as a clip is long."""

TOP = 5
"""The most labels that a signature gives for an example; all of them where the model has fewer."""

EXAMPLES = "inputs"
"""Serialized tf.Example protobufs, each with the inputs of the raw signature as its features."""

LOGITS, PROBABILITIES = "logits", "probabilities"

VALUES = "values"
"""Predicted values, in the units of the data."""

CLASSES, SCORES = "classes", "scores"
"""The likeliest labels in UTF-8, and their probabilities, in falling order."""

STATUS = "status"
"""Empty, or the reason why an example is refused; its outputs are then those of logits or values of 0."""

SERVE = "serving_default"
"""From the inputs of the contract to the outputs: the one signature that every format has."""

SERVE_LABELS = "serve_labels"
"""From raw examples to the likeliest labels: clients need no list of labels."""

CLASSIFY = "classify"
"""The same from tf.Example protobufs, with the names that TF Serving's Classify requests demand."""

LABELED = (CLASSES, SCORES)
"""The outputs of signatures that answer with labels."""

TOLERANCE = 1e-4
"""The largest difference of a float32 format's primary output from Keras', as a share of its largest value."""

PROBABILITY_TOLERANCE = 1e-5
"""The largest error of a probability: against the softmax of its logits, or another signature's, or in the sum."""

VERSION = 1
"""The version folder of an exported SavedModel, as TF Serving counts them."""


def of_every_format(model: Model) -> Signature:
    """Return the signature that all formats of a model have."""
    from zoo.input import kind_of
    from zoo.task import task_of

    inputs = kind_of(model.preprocessing).client.tensors(model.preprocessing)
    return Signature(inputs, task_of(model).tensors(len(model.labels)))


def signatures(model: Model) -> dict[str, Signature]:
    """Return the signatures of a SavedModel by name: `SERVE`, that of raw examples, and it with a status.

    A model that tells classes apart has `SERVE_LABELS` and `CLASSIFY`, too.
    """
    from zoo.input import kind_of

    kind, serve = kind_of(model.preprocessing), of_every_format(model)
    raw = kind.client.raw_tensors(model.preprocessing)
    found = {
        SERVE: serve,
        kind.raw: Signature(raw, serve.outputs),
        kind.raw_safe: Signature(raw, {**serve.outputs, STATUS: Tensor("string", (BATCH,))}),
    }
    if PROBABILITIES in serve.outputs:
        top = min(TOP, len(model.labels))
        labeled = {CLASSES: Tensor("string", (BATCH, top)), SCORES: Tensor("float32", (BATCH, top))}
        found[SERVE_LABELS] = Signature(raw, labeled)
        found[CLASSIFY] = Signature({EXAMPLES: Tensor("string", (BATCH,))}, labeled)
    return found
