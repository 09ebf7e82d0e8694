"""References: real images with the logits that Keras computes for them, which all gates compare with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from zoo.agreement import softmax
from zoo.contract import IMAGE, LOGITS, PROBABILITIES
from zoo.data.dataset import Images
from zoo.export.accuracy import Run
from zoo.export.graph import TracedModel
from zoo.finite import finite, refuse_not_finite
from zoo.inputs.image.decoding import normalized, pixels_tensor
from zoo.inputs.image.photographs import photographs
from zoo.inputs.image.preprocessing import Preprocessing, open_image, pixels_from_bytes
from zoo.inputs.image.upload_sample import as_jpeg

IMAGES = 64
GOLDEN_IMAGES = 8
UPLOADS = 4

CROPS = 16
"""Crops of photographs: as many as the largest model computes in every format within the time of an export."""

LAST_BITS, STEADY = 2**-20, 1e-5
"""Logits are steady when scaling the input by 1 + LAST_BITS moves them by at most STEADY of the largest one."""

MEMORY = 2**28
"""Bytes that the outputs of all layers together may take for one batch; a runtime keeps a few of them at a time."""


@dataclass(frozen=True)
class Reference:
    """Real images, and the logits that the Keras model computes for them in float32.

    `pixels` are uint8 [n, height, width, channels], with `logits`, float32 [n, classes]. `jpeg` is one uploaded file:
    the evaluation pipeline makes `jpeg_pixels` of it, uint8 [height, width, channels], and the model `jpeg_logits`,
    float32 [1, classes]. `uploads` are JPEG and PNG files for the warm-up. `at_once` is the batch size with which no
    gate takes more memory than the writing.
    """

    preprocessing: Preprocessing
    pixels: np.ndarray
    logits: np.ndarray
    jpeg: bytes
    jpeg_pixels: np.ndarray
    jpeg_logits: np.ndarray
    uploads: tuple[bytes, ...]
    at_once: int

    def golden(self, run: Run | None = None) -> dict[str, np.ndarray]:
        """The first images with their logits and probabilities: the golden file, by which `zoo verify` compares.

        The logits are those of Keras, or those of `run` for a format that is compared with itself.
        """
        pixels = self.pixels[:GOLDEN_IMAGES]
        logits = run(pixels)[LOGITS] if run else self.logits[:GOLDEN_IMAGES]
        return {IMAGE: pixels, LOGITS: logits, PROBABILITIES: softmax(logits)}


def of_noise(model: TracedModel) -> Reference:
    """A reference of two images of noise, for a model that has no data yet."""
    noise = np.random.default_rng(0).integers(0, 256, (2, *model.preprocessing.shape), np.uint8)
    keras = _KerasModel(model)
    return keras.reference(noise, keras.logits(noise), as_jpeg(Image.fromarray(noise[0, :, :, 0])), [])


def of_images(model: TracedModel, test: Images) -> Reference:
    """A reference of images that are spread evenly over the test split."""
    chosen = np.linspace(0, len(test) - 1, min(IMAGES, len(test))).astype(int)
    pixels = np.stack([pixels_from_bytes(test.read(int(index)), model.preprocessing) for index in chosen])
    uploads = [test.read(index) for index in range(min(UPLOADS, len(test)))]
    keras = _KerasModel(model)
    logits = keras.logits(pixels, name=lambda number: test.names(int(chosen[number])))
    jpeg = as_jpeg(open_image(uploads[0], model.preprocessing.white_level))
    return keras.reference(pixels, logits, jpeg, uploads)


def of_photographs(model: TracedModel) -> Reference:
    """A reference of crops of photographs, for a model that came without data.

    Crops with steady logits come first: where the last bits of the input alone move the logits, Keras in float32 does
    not agree with itself, and no file can be compared with it. Trained models are steady on all crops; in a model with
    random weights and unrelated batch statistics, some logits grow a thousandfold.
    """
    keras, crops = _KerasModel(model), photographs()
    steady: list[tuple[int, np.ndarray, np.ndarray]] = []
    others: list[tuple[int, np.ndarray, np.ndarray]] = []
    for start in range(0, len(crops), keras.at_once):
        indices = range(start, min(start + keras.at_once, len(crops)))
        pixels = np.stack([pixels_from_bytes(crops.read(index), model.preprocessing) for index in indices])
        logits, moved = keras.logits(pixels), keras.logits(pixels, scale=1 + LAST_BITS)
        fits = np.abs(moved - logits).max(-1) <= STEADY * np.abs(logits).max(-1)
        for found in zip(indices, pixels, logits, strict=True):
            (steady if fits[found[0] - start] else others).append(found)
        if len(steady) >= CROPS:
            break
    indices, pixels, logits = zip(*(steady + others)[:CROPS], strict=True)
    uploads = [crops.read(index) for index in indices[:UPLOADS]]
    return keras.reference(
        np.stack(pixels),
        np.stack(logits),
        as_jpeg(open_image(uploads[0], model.preprocessing.white_level)),
        uploads,
    )


class _KerasModel:
    """A traced model that computes batches as large as memory allows."""

    def __init__(self, model: TracedModel) -> None:
        import tensorflow as tf

        self.preprocessing = model.preprocessing
        outputs = sum(math.prod(layer.output.shape[1:]) for layer in model.model.layers)
        self.at_once = min(IMAGES, max(1, MEMORY // (4 * outputs)))

        # Called eagerly, Keras 3.15 keeps the outputs of all layers until the last one is there.
        specs = [tf.TensorSpec([None, *model.preprocessing.shape], tf.uint8), tf.TensorSpec([])]

        @tf.function(input_signature=specs, autograph=False)
        def function(images: Any, scale: Any) -> Any:
            return model.logits(normalized(images, model.preprocessing) * scale)

        self._function = function

    def logits(
        self, pixels: np.ndarray, scale: float = 1.0, name: Callable[[int], str] = "image {}".format
    ) -> np.ndarray:
        """float32 logits [n, classes] of uint8 pixels [n, height, width, channels], with the model's input scaled.

        Raises:
            Refused: some are not finite; the images are counted, and the first named by `name`.
        """
        starts = range(0, len(pixels), self.at_once)
        logits = np.concatenate([self._function(pixels[start : start + self.at_once], scale) for start in starts])
        refuse_not_finite(finite(logits), name, "the network")
        return logits

    def reference(self, pixels: np.ndarray, logits: np.ndarray, jpeg: bytes, uploads: list[bytes]) -> Reference:
        """The reference of images with their logits and of one uploaded file, whose logits are computed here."""
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
