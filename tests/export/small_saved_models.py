"""Valid and invalid SavedModels with one layer for small images, which are built in half a second."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from tests.described import described
from zoo.contract import CLASSIFY, EXAMPLES, LOGITS, PROBABILITIES, SERVE, SERVE_LABELS, STATUS
from zoo.export.tf_serving.load_check import load_check
from zoo.export.tf_serving.saved_model import first_refusal, for_any_batch
from zoo.export.tf_serving.top_labels import raw_of_examples, top_labels
from zoo.export.tf_serving.warmup import write_warmup
from zoo.inputs.image.client import IMAGE, IMAGE_BYTES, raw_arrays, raw_tensors
from zoo.inputs.image.decoding import normalized
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.uploads import uploaded_pixels

SHAPE, CLASSES = (8, 8, 4), 3
LABELS = ("plain", "größer", "犬 🐕\u200d")
PREPROCESSING = Preprocessing(*SHAPE, mean=(0.5,) * 4, std=(0.5,) * 4)
DESCRIPTION = described(PREPROCESSING, LABELS)
SERVE_BYTES, SERVE_BYTES_SAFE = "serve_bytes", "serve_bytes_safe"
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.normal(size=(np.prod(SHAPE), CLASSES)).astype(np.float32)
FILTERS = RANDOM.normal(size=(3, 3, SHAPE[-1], CLASSES)).astype(np.float32)
PIXELS = RANDOM.integers(0, 256, (5, *SHAPE), np.uint8)

Forward = Callable[[tf.Module, Any], dict[str, Any]]
Uploads = Callable[[Any], tuple[Any, Any]]
UPLOADS: Uploads = functools.partial(uploaded_pixels, preprocessing=PREPROCESSING)


def encoded_images(folder: Path) -> list[bytes]:
    """A JPEG and a PNG, both larger than the network's input."""
    image = Image.fromarray(RANDOM.integers(0, 256, (30, 20, 3), np.uint8))
    paths = [folder / "image.jpg", folder / "image.png"]
    for path in paths:
        image.save(path)
    return [path.read_bytes() for path in paths]


def outputs(logits: Any) -> dict[str, Any]:
    return {LOGITS: logits, PROBABILITIES: tf.nn.softmax(logits)}


def dense(module: tf.Module, pixels: Any) -> dict[str, Any]:
    flat = tf.reshape(normalized(pixels, PREPROCESSING), [-1, np.prod(SHAPE)])
    return outputs(tf.matmul(flat, module.weights))


def convolution(module: tf.Module, pixels: Any) -> dict[str, Any]:
    maps = tf.nn.conv2d(normalized(pixels, PREPROCESSING), module.filters, 1, "SAME")
    return outputs(tf.reduce_mean(maps, [1, 2]))


def save(
    version: Path,
    forward: Forward = dense,
    *,
    guarded: bool = True,
    checked: bool = True,
    padded: bool = True,
    names: tuple[str, ...] = (SERVE, SERVE_BYTES, SERVE_BYTES_SAFE),
    module: tf.Module | None = None,
    uploads: Uploads = UPLOADS,
) -> Path:
    """Write `version`, a SavedModel with the signatures of the contract and its warm-up; returns the base folder."""
    module = module or tf.Module()
    module.weights, module.filters = tf.Variable(WEIGHTS), tf.Variable(FILTERS)

    any_batch = for_any_batch(lambda inputs: forward(module, inputs[IMAGE]))

    def answer(pixels: Any) -> Any:
        return any_batch({IMAGE: pixels}) if padded else forward(module, pixels)

    @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE], tf.uint8, name=IMAGE)])
    def serve(image: Any) -> Any:
        return answer(tf.ensure_shape(image, [None, *SHAPE])) if guarded else forward(module, image)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])
    def serve_bytes(image_bytes: Any) -> Any:
        pixels, status = uploads(image_bytes)
        problem = first_refusal(status, "image")
        with tf.control_dependencies([tf.debugging.Assert(tf.equal(problem, ""), [problem])]):
            return answer(tf.identity(pixels))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])
    def serve_labels(image_bytes: Any) -> Any:
        return top_labels(tf.nn.softmax(tf.cast(serve_bytes(image_bytes)[LOGITS], tf.float32)), LABELS)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=EXAMPLES)])
    def classify(inputs: Any) -> Any:
        return serve_labels(raw_of_examples(inputs, raw_tensors(PREPROCESSING))[IMAGE_BYTES])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])
    def serve_bytes_safe(image_bytes: Any) -> Any:
        pixels, status = uploads(image_bytes)
        logits = tf.where(tf.equal(status, "")[:, None], answer(pixels)[LOGITS], 0.0)
        return {**outputs(logits), STATUS: status}

    if checked:
        module.load_check = load_check(module.variables)
    signatures = dict(zip(names, (serve, serve_bytes, serve_bytes_safe), strict=True))
    signatures |= {SERVE_LABELS: serve_labels, CLASSIFY: classify}
    tf.saved_model.save(module, str(version), signatures=signatures)
    write_warmup(version, DESCRIPTION, inputs={IMAGE: PIXELS}, raw=raw(version.parent.parent))
    return version.parent


def raw(folder: Path) -> dict[str, np.ndarray]:
    """A JPEG and a PNG as inputs of the raw signature."""
    return raw_arrays(encoded_images(folder), PREPROCESSING)


def sample() -> bytes:
    """A JPEG that is larger than the network's input."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 20, 3), np.uint8)).save(file, "JPEG")
    return file.getvalue()


def golden(weights: np.ndarray = WEIGHTS) -> dict[str, np.ndarray]:
    """Return images and the logits of `dense`, computed with numpy."""
    scale, offset = PREPROCESSING.scale_and_offset()
    flat = (PIXELS * scale + offset).reshape(len(PIXELS), -1)
    return {IMAGE: PIXELS, LOGITS: (flat @ weights).astype(np.float32)}


def keras_convolution(groups: int) -> tuple[tf.Module, Forward]:
    """Keras' Conv2D; with several groups, keras 3.15 wraps it in an XLA-compiled function on the CPU."""
    import keras

    image = keras.Input(SHAPE)
    maps = keras.layers.Conv2D(4, 3, groups=groups)(image)
    logits = keras.layers.Dense(CLASSES)(keras.layers.GlobalAveragePooling2D()(maps))
    module = tf.Module()
    network = keras.Model(image, logits)
    module.variables_of_keras = [variable.value for variable in network.variables]
    return module, lambda _, pixels: outputs(network(normalized(pixels, PREPROCESSING)))


def answers(base: Path) -> dict[str, np.ndarray]:
    """Return images and the logits of the SavedModel itself, loaded with TensorFlow's Python code."""
    serve = tf.saved_model.load(str(base / "1")).signatures[SERVE]
    return {IMAGE: PIXELS, LOGITS: serve(image=PIXELS)[LOGITS].numpy()}
