"""The SavedModel for TF Serving, with the signatures of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo import contract
from zoo.contract import CLASSIFY, EXAMPLES, PROBABILITIES, SERVE, SERVE_LABELS, STATUS
from zoo.errors import ZooError
from zoo.export.graph import TracedModel, open_shape, outputs, spec
from zoo.export.tf_serving.load_check import load_check
from zoo.export.tf_serving.top_labels import raw_of_examples, top_labels
from zoo.input import kind_of
from zoo.signature import Tensor
from zoo.task import task_of

Inputs = Mapping[str, Any]
Answer = Callable[[Inputs], dict[str, Any]]


def write_saved_model(network: TracedModel, version_folder: Path) -> None:
    """Write a SavedModel with all signatures of the contract, which share one set of weights.

    The warm-up file is written separately, by `zoo.export.tf_serving.warmup`.

    Args:
        network: the network to serve.
        version_folder: BASE/VERSION, which does not exist yet.

    Raises:
        ZooError: the disk is full, or the folder cannot be written.
    """
    import tensorflow as tf

    module = tf.Module()
    module.weights = [variable.value for variable in network.model.variables]
    module.load_check = load_check(module.weights)
    # A served model is not trained, and tracing its gradients would double the time (tensorflow 2.21).
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    try:
        tf.saved_model.save(module, str(version_folder), signatures=_functions(network), options=options)
    except tf.errors.OpError as error:
        # TensorFlow writes the variables and raises its own exceptions instead of OSError.
        reason = str(error.message).rpartition("; ")[2].partition(" [Op")[0]
        raise ZooError(
            f"the SavedModel cannot be written ({reason}): free some space, or choose another --out"
        ) from None


def _functions(network: TracedModel) -> dict[str, Any]:
    """Return a tf.function for each signature of the contract."""
    import tensorflow as tf

    description = network.description
    preprocessing = description.preprocessing
    kind, signatures = kind_of(preprocessing), contract.signatures(description)
    raw = signatures[kind.raw].inputs
    answer = for_any_batch(lambda inputs: outputs(inputs, network.network, description))

    def serve(inputs: Inputs) -> dict[str, Any]:
        return answer(guarded(inputs, signatures[SERVE].inputs))

    def serve_raw(inputs: Inputs) -> dict[str, Any]:
        decoded, status = kind.graph.decoded(guarded(inputs, raw), preprocessing)
        problem = first_refusal(status, kind.noun)
        with tf.control_dependencies([tf.debugging.Assert(tf.equal(problem, ""), [problem])]):
            return answer({name: tf.identity(value) for name, value in decoded.items()})

    def serve_raw_safe(inputs: Inputs) -> dict[str, Any]:
        decoded, status = kind.graph.decoded(guarded(inputs, raw), preprocessing)
        return {**blanked(answer(decoded), status, task_of(description).probabilities), STATUS: status}

    functions = {
        name: with_inputs(function, signatures[name].inputs)
        for name, function in ((SERVE, serve), (kind.raw, serve_raw), (kind.raw_safe, serve_raw_safe))
    }
    if SERVE_LABELS in signatures:

        def serve_labels(inputs: Inputs) -> dict[str, Any]:
            answers = functions[kind.raw](*(inputs[name] for name in raw))
            return top_labels(answers[PROBABILITIES], description.labels)

        def classify(inputs: Inputs) -> dict[str, Any]:
            raw_inputs = raw_of_examples(inputs[EXAMPLES], raw)
            return functions[SERVE_LABELS](*(raw_inputs[name] for name in raw))

        functions[SERVE_LABELS] = with_inputs(serve_labels, raw)
        functions[CLASSIFY] = with_inputs(classify, signatures[CLASSIFY].inputs)
    return functions


def with_inputs(function: Answer, tensors: Mapping[str, Tensor]) -> Any:
    """Return a function of named inputs as a tf.function whose arguments are these tensors, in this order."""
    import tensorflow as tf

    @tf.function(input_signature=[spec(tensor, name) for name, tensor in tensors.items()], autograph=False)
    def with_arguments(*arguments: Any) -> dict[str, Any]:
        return function(dict(zip(tensors, arguments, strict=True)))

    return with_arguments


def guarded(inputs: Inputs, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Let inputs of other shapes fail the request; dimensions with the same name must have the same size.

    TF Serving does not check shapes: without this guard, a request of another rank aborts the server.
    """
    import tensorflow as tf

    ensured = {name: tf.ensure_shape(inputs[name], open_shape(tensor)) for name, tensor in tensors.items()}
    sizes: dict[str, Any] = {}
    checks = []
    for name, tensor in tensors.items():
        for axis, dimension in enumerate(tensor.shape):
            if isinstance(dimension, str):
                size = tf.shape(ensured[name])[axis]
                expected_size = sizes.setdefault(dimension, size)
                if expected_size is not size:
                    problem = f"inputs that differ in '{dimension}': {name}"
                    checks.append(tf.debugging.Assert(tf.equal(size, expected_size), [problem, size, expected_size]))
    if not checks:
        return ensured
    with tf.control_dependencies(checks):
        return {name: tf.identity(value) for name, value in ensured.items()}


def first_refusal(status: Any, noun: str) -> Any:
    """Return a string scalar that names the first refused example and the reason; empty if none is refused.

    Args:
        status: string [batch], as `zoo.input.Graph.decoded` returns it.
        noun: the word for an example.
    """
    import tensorflow as tf

    refused = tf.cast(tf.not_equal(status, ""), tf.int32)

    def first() -> Any:
        position, count = tf.argmax(refused, output_type=tf.int32), tf.strings.as_string(tf.size(status))
        number = tf.strings.as_string(position + 1)
        return tf.strings.join([f"{noun} ", number, " of ", count, " is ", status[position]])

    return tf.cond(tf.reduce_sum(refused) > 0, first, lambda: tf.constant(""))


def blanked(found: Inputs, status: Any, probabilities: Mapping[str, str]) -> dict[str, Any]:
    """Return outputs with 0 for the examples that have a status, so that all classes are equally probable.

    `probabilities` maps each output of probabilities to the output of its logits.
    """
    import tensorflow as tf

    def blank(value: Any) -> Any:
        sound = tf.reshape(tf.equal(status, ""), [-1] + [1] * (len(value.shape) - 1))
        return tf.where(sound, value, tf.zeros([], value.dtype))

    blank_outputs = {name: blank(value) for name, value in found.items() if name not in probabilities}
    return blank_outputs | {name: tf.nn.softmax(blank_outputs[logits]) for name, logits in probabilities.items()}


def for_any_batch(answer: Answer) -> Answer:
    """Wrap a function of inputs so that it also takes an empty batch, and answers with empty outputs.

    Kernels of oneDNN refuse an empty batch (tensorflow 2.21): the wrapped function computes one example of zeros
    instead. An open dimension of size 0 is filled up to 1 with zeros, too.
    """
    import tensorflow as tf

    def filled(value: Any) -> Any:
        sizes = tf.shape(value)
        lacking = [tf.maximum(1 - sizes[axis], 0) if size is None else 0 for axis, size in enumerate(value.shape)]
        padded = tf.pad(value, [[0, count] for count in lacking])
        padded.set_shape(value.shape)
        return padded

    def answer_any(inputs: Inputs) -> dict[str, Any]:
        count = tf.shape(next(iter(inputs.values())))[0]
        answers = answer({name: filled(value) for name, value in inputs.items()})
        return {name: value[:count] for name, value in answers.items()}

    return answer_any
