"""Names, shapes and signatures of every artifact: one contract for all models and formats. No framework is imported."""

from __future__ import annotations

IMAGE = "image"
"""uint8 [batch, height, width, channels]: raw pixels, 0–255, as a decoder gives them. Normalisation is inside."""

IMAGE_BYTES = "image_bytes"
"""string [batch]: JPEG or PNG files as uploaded. Decoding, scaling and cropping are inside."""

LOGITS, PROBABILITIES = "logits", "probabilities"
"""float32 [batch, classes] each."""

OUTPUTS = (LOGITS, PROBABILITIES)

SERVE = "serving_default"
"""The SavedModel's signature from `image` to the outputs."""

SERVE_BYTES = "serve_bytes"
"""The SavedModel's signature from `image_bytes` to the outputs."""

BATCH = "batch"
"""What ONNX calls the open first dimension."""

VERSION = 1
"""The version folder of an exported SavedModel, as TF Serving counts them."""
