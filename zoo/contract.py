"""Names, dtypes and shapes of every artifact's inputs and outputs: one contract for all models and formats.

No framework is imported. Inputs are those of the model's kind of input (`zoo.inputs`), outputs those of its task
(`zoo.tasks`); this module combines them into signatures.
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
"""The name of the open dimension of a transcript's logits: the number of frames depends on the length of a clip."""

TOP = 5
"""The most labels that a signature returns for an example; all of them if the model has fewer."""

EXAMPLES = "inputs"
"""Serialized tf.Example protobufs, each with the inputs of the raw signature as its features."""

LOGITS, PROBABILITIES = "logits", "probabilities"

VALUES = "values"
"""Predicted values, in the units of the data."""

CLASSES, SCORES = "classes", "scores"
"""The likeliest labels in UTF-8, and their probabilities, in falling order."""

STATUS = "status"
"""Empty for an example that is answered, otherwise the reason why it is refused: its logits or values are then 0."""

SERVE = "serving_default"
"""The signature from the inputs of the contract to the outputs, which every format has."""

SERVE_LABELS = "serve_labels"
"""The signature from raw examples to the likeliest labels, for which clients need no list of labels."""

CLASSIFY = "classify"
"""Like `SERVE_LABELS`, but from tf.Example protobufs, with the names that TF Serving's Classify requests demand."""

LABELED = (CLASSES, SCORES)
"""The outputs of signatures that answer with labels."""

TOLERANCE = 1e-4
"""The largest difference between a float32 format's primary output and Keras', in units of the task's yardstick."""

PROBABILITY_TOLERANCE = 1e-5
"""The largest error of a probability: against the softmax of its logits, or another signature's, or in the sum."""

VERSION = 1
"""The number of an exported SavedModel's version folder, as TF Serving reads it."""


def of_every_format(model: Model) -> Signature:
    """Return the signature that all formats of a model have."""
    from zoo.input import kind_of
    from zoo.task import task_of

    inputs = kind_of(model.preprocessing).client.tensors(model.preprocessing)
    return Signature(inputs, task_of(model).tensors(len(model.labels)))


def signatures(model: Model) -> dict[str, Signature]:
    """Return the signatures of a SavedModel by name: `SERVE`, that of raw examples, and the same with a status.

    A model with probabilities also has `SERVE_LABELS` and `CLASSIFY`.
    """
    from zoo.input import kind_of

    kind, serve = kind_of(model.preprocessing), of_every_format(model)
    raw = kind.client.raw_tensors(model.preprocessing)
    signatures_by_name = {
        SERVE: serve,
        kind.raw: Signature(raw, serve.outputs),
        kind.raw_safe: Signature(raw, {**serve.outputs, STATUS: Tensor("string", (BATCH,))}),
    }
    if PROBABILITIES in serve.outputs:
        top = min(TOP, len(model.labels))
        labeled = {CLASSES: Tensor("string", (BATCH, top)), SCORES: Tensor("float32", (BATCH, top))}
        signatures_by_name[SERVE_LABELS] = Signature(raw, labeled)
        signatures_by_name[CLASSIFY] = Signature({EXAMPLES: Tensor("string", (BATCH,))}, labeled)
    return signatures_by_name
