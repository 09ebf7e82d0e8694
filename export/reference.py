"""What gates compare with: real images, and what the Keras network says of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from zoo.contract import IMAGE, LOGITS, PROBABILITIES
from zoo.data.dataset import Images
from zoo.data.photographs import photographs
from zoo.export.graph import Network
from zoo.export.upload_sample import as_jpeg
from zoo.finite import finite, refuse_unanswered
from zoo.preprocess import Preprocessing, open_image, pixels_from_bytes
from zoo.preprocess_graph import normalized, pixels_tensor

IMAGES = 64
GOLDEN_IMAGES = 8
UPLOADS = 4

CROPS = 16
"""Of photographs: as many as the largest network answers in every format within the time that an export may take."""

LAST_BITS, STEADY = 2**-20, 1e-5
"""A network is steady on an image when this share of its input moves the answer by no more than that share of it."""

MEMORY = 2**28
"""Bytes that the outputs of all layers together may take for one batch; a runtime holds a few of them at a time."""


@dataclass(frozen=True)
class Reference:
    """What gates compare with: real images, and what the Keras network in float32 says of them.

    `pixels` are uint8 [n, height, width, channels]; `logits` float32 [n, classes]; `jpeg` is one image as uploaded,
    `jpeg_pixels` uint8 [height, width, channels] what the evaluation pipeline makes of it, and `jpeg_logits` float32
    [1, classes] what the network says of that. `uploads` are JPEG and PNG files for the warm-up. `at_once` is how many
    images go through the network together, so that no gate takes more memory than the writing.
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
        logits = self.logits[:GOLDEN_IMAGES]
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return {
            IMAGE: self.pixels[:GOLDEN_IMAGES],
            LOGITS: logits,
            PROBABILITIES: powers / powers.sum(-1, keepdims=True),
        }


def of_noise(network: Network) -> Reference:
    """What the network says of two images of noise, for it has no data yet."""
    noise = np.random.default_rng(0).integers(0, 256, (2, *network.preprocessing.shape), np.uint8)
    witness = _Witness(network)
    return witness.reference(noise, witness.logits(noise), as_jpeg(Image.fromarray(noise[0, :, :, 0])), [])


def of_images(network: Network, test: Images) -> Reference:
    """What the network says of images spread over the test split."""
    chosen = np.linspace(0, len(test) - 1, min(IMAGES, len(test))).astype(int)
    pixels = np.stack([pixels_from_bytes(test.read(int(index)), network.preprocessing) for index in chosen])
    uploads = [test.read(index) for index in range(min(UPLOADS, len(test)))]
    witness = _Witness(network)
    logits = witness.logits(pixels, name=lambda number: test.names(int(chosen[number])))
    jpeg = as_jpeg(open_image(uploads[0], network.preprocessing.white_level))
    return witness.reference(pixels, logits, jpeg, uploads)


def of_photographs(network: Network) -> Reference:
    """What the network says of crops of photographs, for it came without data.

    Crops on which it is steady come first: where the last bits of the input alone move an answer, Keras in float32 does
    not agree with itself, and no file can be held to what it says. Trained networks are steady on all; of one with
    random weights and statistics that do not belong to them some answers grow a thousandfold.
    """
    witness, crops = _Witness(network), photographs()
    steady: list[tuple[int, np.ndarray, np.ndarray]] = []
    others: list[tuple[int, np.ndarray, np.ndarray]] = []
    for start in range(0, len(crops), witness.at_once):
        indices = range(start, min(start + witness.at_once, len(crops)))
        pixels = np.stack([pixels_from_bytes(crops.read(index), network.preprocessing) for index in indices])
        logits, moved = witness.logits(pixels), witness.logits(pixels, scale=1 + LAST_BITS)
        fits = np.abs(moved - logits).max(-1) <= STEADY * np.abs(logits).max(-1)
        for found in zip(indices, pixels, logits, strict=True):
            (steady if fits[found[0] - start] else others).append(found)
        if len(steady) >= CROPS:
            break
    indices, pixels, logits = zip(*(steady + others)[:CROPS], strict=True)
    uploads = [crops.read(index) for index in indices[:UPLOADS]]
    return witness.reference(
        np.stack(pixels),
        np.stack(logits),
        as_jpeg(open_image(uploads[0], network.preprocessing.white_level)),
        uploads,
    )


class _Witness:
    """A network asked about so many images at once as memory allows."""

    def __init__(self, network: Network) -> None:
        import tensorflow as tf

        self.preprocessing = network.preprocessing
        outputs = sum(math.prod(layer.output.shape[1:]) for layer in network.model.layers)
        self.at_once = min(IMAGES, max(1, MEMORY // (4 * outputs)))

        # Called eagerly, Keras 3.15 keeps the outputs of all layers until the last one is there.
        specs = [tf.TensorSpec([None, *network.preprocessing.shape], tf.uint8), tf.TensorSpec([])]

        @tf.function(input_signature=specs, autograph=False)
        def function(images: Any, scale: Any) -> Any:
            return network.logits(normalized(images, network.preprocessing) * scale)

        self._function = function

    def logits(
        self, pixels: np.ndarray, scale: float = 1.0, name: Callable[[int], str] = "image {}".format
    ) -> np.ndarray:
        """float32 logits [n, classes] of uint8 pixels [n, height, width, channels], whose input is scaled.

        Raises:
            Refused: some are not finite; the images are counted, and the first named by `name`.
        """
        starts = range(0, len(pixels), self.at_once)
        logits = np.concatenate([self._function(pixels[start : start + self.at_once], scale) for start in starts])
        refuse_unanswered(finite(logits), name, "the network")
        return logits

    def reference(self, pixels: np.ndarray, logits: np.ndarray, jpeg: bytes, uploads: list[bytes]) -> Reference:
        """What it says of images, and of one that is uploaded."""
        jpeg_pixels = pixels_tensor(jpeg, self.preprocessing).numpy()
        return Reference(
            preprocessing=self.preprocessing,
            pixels=pixels,
            logits=logits,
            jpeg=jpeg,
            jpeg_pixels=jpeg_pixels,
            jpeg_logits=self.logits(jpeg_pixels[None]),
            uploads=(jpeg, *uploads),
            at_once=self.at_once,
        )
