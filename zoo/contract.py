"""Names, dtypes and shapes of every artifact's inputs and outputs: one contract for all models and formats.

No framework is imported. Open dimensions have names; `signature` puts a model's sizes in place of all but the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.signature import Signature, Tensor

if TYPE_CHECKING:
    from zoo.description import Model

BATCH = "batch"
"""The name of the open first dimension, in ONNX files too."""

CLASS_COUNT, TOP_COUNT = "classes", "top"
"""The names of dimensions that have as many places as the model has labels, and as a signature gives likely labels."""

TOP = 5
"""The most labels that a signature gives for an image; all of them where the model has fewer."""

IMAGE = "image"
"""Raw pixels, 0–255, as a decoder gives them. Normalization is inside the model."""

IMAGE_BYTES = "image_bytes"
"""JPEG or PNG files as uploaded. Decoding, scaling and cropping are inside the model."""

EXAMPLES = "inputs"
"""Serialized tf.Example protobufs, each with a JPEG or PNG file as its bytes feature `image_bytes`."""

LOGITS, PROBABILITIES = "logits", "probabilities"

CLASSES, SCORES = "classes", "scores"
"""The likeliest labels in UTF-8, and their probabilities, in falling order."""

STATUS = "status"
"""Empty, or the reason why an image is refused; its logits are then 0 and its probabilities all equal."""

TENSORS: dict[str, Tensor] = {
    IMAGE: Tensor("uint8", (BATCH, "height", "width", "channels")),
    IMAGE_BYTES: Tensor("string", (BATCH,)),
    EXAMPLES: Tensor("string", (BATCH,)),
    LOGITS: Tensor("float32", (BATCH, CLASS_COUNT)),
    PROBABILITIES: Tensor("float32", (BATCH, CLASS_COUNT)),
    CLASSES: Tensor("string", (BATCH, TOP_COUNT)),
    SCORES: Tensor("float32", (BATCH, TOP_COUNT)),
    STATUS: Tensor("string", (BATCH,)),
}
"""The dtype and shape of every input and output."""

OUTPUTS = (LOGITS, PROBABILITIES)
"""The outputs of every format."""

LABELED = (CLASSES, SCORES)
"""The outputs of signatures that answer with labels."""

SERVE = "serving_default"
"""From pixels to logits and probabilities: the one signature that every format has."""

SERVE_BYTES = "serve_bytes"
"""From uploaded files to logits and probabilities; one image that is refused fails the request."""

SERVE_BYTES_SAFE = "serve_bytes_safe"
"""The same with a status for each image: one that is refused costs the others of its batch nothing."""

SERVE_LABELS = "serve_labels"
"""From uploaded files to the likeliest labels: clients need no list of labels."""

CLASSIFY = "classify"
"""The same from tf.Example protobufs, with the names that TF Serving's Classify requests demand."""


def _signature(taken: str, *given: str) -> Signature:
    return Signature({taken: TENSORS[taken]}, {name: TENSORS[name] for name in given})


SIGNATURES: dict[str, Signature] = {
    SERVE: _signature(IMAGE, *OUTPUTS),
    SERVE_BYTES: _signature(IMAGE_BYTES, *OUTPUTS),
    SERVE_BYTES_SAFE: _signature(IMAGE_BYTES, *OUTPUTS, STATUS),
    SERVE_LABELS: _signature(IMAGE_BYTES, *LABELED),
    CLASSIFY: _signature(EXAMPLES, *LABELED),
}
"""The signatures of a SavedModel; files of other formats have the first one."""


def signature(name: str, *, shape: tuple[int, int, int], classes: int) -> Signature:
    """A signature with the sizes of a model that takes images of `shape`, which is height, width and channels."""
    height, width, channels = shape
    sizes = {"height": height, "width": width, "channels": channels}
    return SIGNATURES[name].sized({**sizes, CLASS_COUNT: classes, TOP_COUNT: min(TOP, classes)})


def of_every_format(model: Model) -> Signature:
    """The signature that all formats of a model have, with its sizes."""
    return signature(SERVE, shape=model.preprocessing.shape, classes=len(model.labels))


def input_of(name: str) -> str:
    """The name of a signature's one input."""
    (taken,) = SIGNATURES[name].inputs
    return taken


TOLERANCE = 1e-4
"""The largest difference of a float32 format's logits from Keras' logits, as a share of the largest |logit|."""

PROBABILITY_TOLERANCE = 1e-5
"""The largest error of a probability: against the softmax of its logits, or another signature's, or in the sum."""

VERSION = 1
"""The version folder of an exported SavedModel, as TF Serving counts them."""
