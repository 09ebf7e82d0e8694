"""What gates compare with: real pictures, and what the Keras network says of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from zoo.contract import IMAGE, LOGITS, PROBABILITIES
from zoo.data.pictures import Pictures
from zoo.export.jpeg import as_jpeg
from zoo.preprocess import Preprocessing, normalised, open_picture, pixels_from_bytes, pixels_tensor

PICTURES = 64
GOLDEN_PICTURES = 8
UPLOADS = 4

MEMORY = 2**31
"""Bytes that the outputs of all layers together may take for one batch; a runtime holds a few of them at a time."""


@dataclass(frozen=True)
class Evidence:
    """What gates compare with: real pictures, and what the Keras network in float32 says of them.

    `pixels` are uint8 [n, height, width, channels]; `logits` float32 [n, classes]; `jpeg` is one picture as uploaded,
    `jpeg_pixels` uint8 [height, width, channels] what the evaluation pipeline makes of it, and `jpeg_logits` float32
    [1, classes] what the network says of that. `uploads` are JPEG and PNG files for the warm-up. `at_once` is how many
    pictures go through the network together, so that no gate takes more memory than the writing.
    """

    preprocessing: Preprocessing
    pixels: np.ndarray
    logits: np.ndarray
    jpeg: bytes
    jpeg_pixels: np.ndarray
    jpeg_logits: np.ndarray
    uploads: tuple[bytes, ...]
    at_once: int

    def golden(self) -> dict[str, np.ndarray]:
        """The inputs and outputs that an artifact carries, so that it can be verified anywhere."""
        logits = self.logits[:GOLDEN_PICTURES]
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return {
            IMAGE: self.pixels[:GOLDEN_PICTURES],
            LOGITS: logits,
            PROBABILITIES: powers / powers.sum(-1, keepdims=True),
        }


def of_noise(model: Any, preprocessing: Preprocessing) -> Evidence:
    """What the network says of two pictures of noise, for it has no data yet."""
    noise = np.random.default_rng(0).integers(0, 256, (2, *preprocessing.shape), np.uint8)
    return _described(model, preprocessing, noise, as_jpeg(Image.fromarray(noise[0, :, :, 0])), [])


def of_pictures(model: Any, preprocessing: Preprocessing, test: Pictures) -> Evidence:
    """What the network says of pictures spread over the test split."""
    chosen = np.linspace(0, len(test) - 1, min(PICTURES, len(test))).astype(int)
    pixels = np.stack([pixels_from_bytes(test.read(int(index)), preprocessing) for index in chosen])
    uploads = [test.read(index) for index in range(min(UPLOADS, len(test)))]
    return _described(model, preprocessing, pixels, as_jpeg(open_picture(uploads[0])), uploads)


def _described(
    model: Any, preprocessing: Preprocessing, pixels: np.ndarray, jpeg: bytes, uploads: list[bytes]
) -> Evidence:
    import tensorflow as tf

    jpeg_pixels, at_once = pixels_tensor(jpeg, preprocessing).numpy(), _at_once(model)

    # Called eagerly, Keras 3.15 keeps the outputs of all layers until the last one is there.
    @tf.function(input_signature=[tf.TensorSpec([None, *preprocessing.shape], tf.uint8)])
    def network(images: Any) -> Any:
        return model(normalised(images, preprocessing), training=False)

    def says(images: np.ndarray) -> np.ndarray:
        return in_batches(lambda few: network(few).numpy(), images, at_once)

    logits, jpeg_logits = says(pixels), says(jpeg_pixels[None])
    return Evidence(preprocessing, pixels, logits, jpeg, jpeg_pixels, jpeg_logits, (jpeg, *uploads), at_once)


def in_batches(function: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray, at_once: int) -> np.ndarray:
    """What a function says of pictures, given so many at once."""
    return np.concatenate([function(pixels[start : start + at_once]) for start in range(0, len(pixels), at_once)])


def _at_once(model: Any) -> int:
    """How many pictures a functional Keras network takes together within the memory that its maps may take."""
    values = sum(math.prod(layer.output.shape[1:]) for layer in model.layers)
    return min(PICTURES, max(1, MEMORY // (4 * values)))
