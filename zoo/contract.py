"""Names, shapes and signatures of every artifact: one contract for all models and formats. No framework is imported."""

from __future__ import annotations

IMAGE = "image"
"""uint8 [batch, height, width, channels]: raw pixels, 0–255, as a decoder gives them. Normalization is inside."""

IMAGE_BYTES = "image_bytes"
"""string [batch]: JPEG or PNG files as uploaded. Decoding, scaling and cropping are inside."""

LOGITS, PROBABILITIES = "logits", "probabilities"
"""float32 [batch, classes] each."""

OUTPUTS = (LOGITS, PROBABILITIES)

EXAMPLES = "inputs"
"""string [batch]: serialized tf.Example protobufs, each with a JPEG or PNG file as its bytes feature `image_bytes`."""

CLASSES, SCORES = "classes", "scores"
"""The likeliest labels, string [batch, k] in UTF-8, and their probabilities, float32 [batch, k], in falling order."""

LABELED = (CLASSES, SCORES)

TOP = 5
"""The most labels that a signature gives for an image; all of them where there are fewer."""

STATUS = "status"
"""string [batch]: empty, or why an image is refused; its logits are then 0 and its probabilities all equal."""

SERVE = "serving_default"
"""The SavedModel's signature from `image` to the outputs."""

SERVE_BYTES = "serve_bytes"
"""The SavedModel's signature from `image_bytes` to the outputs; one image that is refused fails the request."""

SERVE_BYTES_SAFE = "serve_bytes_safe"
"""The same with `status` beside the outputs: an image that is refused costs the others of its batch nothing."""

SERVE_LABELS = "serve_labels"
"""The SavedModel's signature from `image_bytes` to the likeliest labels: its clients need no list of labels."""

CLASSIFY = "classify"
"""The same from `inputs`, with the names that TF Serving's Classify requests demand."""

SIGNATURES: dict[str, tuple[str, tuple[str, ...]]] = {
    SERVE: (IMAGE, OUTPUTS),
    SERVE_BYTES: (IMAGE_BYTES, OUTPUTS),
    SERVE_BYTES_SAFE: (IMAGE_BYTES, (*OUTPUTS, STATUS)),
    SERVE_LABELS: (IMAGE_BYTES, LABELED),
    CLASSIFY: (EXAMPLES, LABELED),
}
"""The signatures of a SavedModel: the input and the outputs of each."""

BATCH = "batch"
"""What ONNX calls the open first dimension."""

VERSION = 1
"""The version folder of an exported SavedModel, as TF Serving counts them."""
