"""SavedModel, as TF Serving takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.contract import CLASSIFY, EXAMPLES, IMAGE, IMAGE_BYTES, PROBABILITIES, SERVE, SERVE_BYTES, SERVE_LABELS
from zoo.errors import ZooError
from zoo.export.graph import Network, outputs
from zoo.export.load_check import load_check
from zoo.export.top_labels import images_of_examples, top_labels
from zoo.preprocess_graph import pixels_tensor


def write_saved_model(network: Network, version_folder: Path, labels: Sequence[str]) -> None:
    """Write the signatures of the contract over one set of weights; the warm-up is written apart.

    Args:
        network: what is served.
        labels: the names of the classes, in the order of the logits.
        version_folder: BASE/<integer>, which does not exist yet.

    Raises:
        ZooError: the disk is full, or the folder cannot be written.
    """
    import tensorflow as tf

    preprocessing = network.preprocessing
    shape = [None, *preprocessing.shape]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8, name=IMAGE)])
    def serve(image: Any) -> dict[str, Any]:
        # TF Serving checks no shapes: without this guard a request of another rank aborts the server.
        return outputs(tf.ensure_shape(image, shape), network.logits, preprocessing)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])
    def serve_bytes(image_bytes: Any) -> dict[str, Any]:
        encoded = tf.ensure_shape(image_bytes, [None])
        pixels = tf.map_fn(
            lambda one: pixels_tensor(one, preprocessing),
            encoded,
            fn_output_signature=tf.TensorSpec(preprocessing.shape, tf.uint8),
        )
        return outputs(pixels, network.logits, preprocessing)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=IMAGE_BYTES)])
    def serve_labels(image_bytes: Any) -> dict[str, Any]:
        return top_labels(serve_bytes(image_bytes)[PROBABILITIES], labels)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=EXAMPLES)])
    def classify(inputs: Any) -> dict[str, Any]:
        return serve_labels(images_of_examples(inputs))

    module = tf.Module()
    module.weights = [variable.value for variable in network.model.variables]
    module.load_check = load_check(module.weights)
    # Nobody trains what is served; tracing gradients takes as long as all the rest (tensorflow 2.21).
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    signatures = {SERVE: serve, SERVE_BYTES: serve_bytes, SERVE_LABELS: serve_labels, CLASSIFY: classify}
    try:
        tf.saved_model.save(module, str(version_folder), signatures=signatures, options=options)
    except tf.errors.OpError as error:
        # TensorFlow writes variables itself, and has its own exceptions for what goes wrong with files.
        reason = str(error.message).rpartition("; ")[2].partition(" [Op")[0]
        raise ZooError(
            f"the SavedModel cannot be written ({reason}): free some space, or choose another --out"
        ) from None
