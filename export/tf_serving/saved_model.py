"""The SavedModel for TF Serving, with the signatures of the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo.contract import (
    CLASSIFY,
    EXAMPLES,
    IMAGE,
    IMAGE_BYTES,
    LOGITS,
    PROBABILITIES,
    SERVE,
    SERVE_BYTES,
    SERVE_BYTES_SAFE,
    SERVE_LABELS,
    STATUS,
)
from zoo.errors import ZooError
from zoo.export.graph import TracedModel, outputs
from zoo.export.tf_serving.load_check import load_check
from zoo.export.tf_serving.top_labels import images_of_examples, top_labels
from zoo.inputs.image.uploads import first_refusal, uploaded_pixels


def write_saved_model(network: TracedModel, version_folder: Path, labels: Sequence[str]) -> None:
    """Write a SavedModel with all signatures of the contract, which share one set of weights.

    The warm-up file is written separately, by `zoo.export.tf_serving.warmup`.

    Args:
        network: the network to serve.
        version_folder: BASE/VERSION, which does not exist yet.
        labels: the names of the classes, in the order of the logits.

    Raises:
        ZooError: the disk is full, or the folder cannot be written.
    """
    import tensorflow as tf

    preprocessing = network.preprocessing
    shape = [None, *preprocessing.shape]
    answer = for_any_batch(lambda pixels: outputs(pixels, network.logits, preprocessing))

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8, name=IMAGE)])
    def serve(image: Any) -> dict[str, Any]:
        # TF Serving does not check shapes: without this guard a request of another rank aborts the server.
        return answer(tf.ensure_shape(image, shape))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])
    def serve_bytes(image_bytes: Any) -> dict[str, Any]:
        pixels, status = uploaded_pixels(tf.ensure_shape(image_bytes, [None]), preprocessing)
        problem = first_refusal(status)
        with tf.control_dependencies([tf.debugging.Assert(tf.equal(problem, ""), [problem])]):
            return answer(tf.identity(pixels))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])
    def serve_bytes_safe(image_bytes: Any) -> dict[str, Any]:
        pixels, status = uploaded_pixels(tf.ensure_shape(image_bytes, [None]), preprocessing)
        logits = tf.where(tf.equal(status, "")[:, None], answer(pixels)[LOGITS], 0.0)
        # The logits of a refused image are 0, so that all classes are equally probable.
        return {LOGITS: logits, PROBABILITIES: tf.nn.softmax(logits), STATUS: status}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])
    def serve_labels(image_bytes: Any) -> dict[str, Any]:
        return top_labels(serve_bytes(image_bytes)[PROBABILITIES], labels)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=EXAMPLES)])
    def classify(inputs: Any) -> dict[str, Any]:
        return serve_labels(images_of_examples(inputs))

    module = tf.Module()
    module.weights = [variable.value for variable in network.model.variables]
    module.load_check = load_check(module.weights)
    # A served model is not trained, and tracing its gradients would double the time (tensorflow 2.21).
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    signatures = {
        SERVE: serve,
        SERVE_BYTES: serve_bytes,
        SERVE_BYTES_SAFE: serve_bytes_safe,
        SERVE_LABELS: serve_labels,
        CLASSIFY: classify,
    }
    try:
        tf.saved_model.save(module, str(version_folder), signatures=signatures, options=options)
    except tf.errors.OpError as error:
        # TensorFlow writes the variables and raises its own exceptions instead of OSError.
        reason = str(error.message).rpartition("; ")[2].partition(" [Op")[0]
        raise ZooError(
            f"the SavedModel cannot be written ({reason}): free some space, or choose another --out"
        ) from None


def for_any_batch(answer: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """Wrap a function of uint8 images so that it also takes an empty batch, and answers with empty outputs.

    Kernels of oneDNN refuse an empty batch (tensorflow 2.21): the wrapped function computes one black image instead.
    """
    import tensorflow as tf

    def answer_any(pixels: Any) -> dict[str, Any]:
        count = tf.shape(pixels)[0]
        filling = tf.zeros([tf.maximum(1 - count, 0), *pixels.shape[1:]], pixels.dtype)
        return {name: value[:count] for name, value in answer(tf.concat([pixels, filling], 0)).items()}

    return answer_any
