"""References: real examples with the outputs that Keras computes for them, which all gates compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.dataset import Examples
from zoo.description import Model
from zoo.export.batches import forms, joined, part, parts, size, volume
from zoo.export.graph import TracedModel, outputs, spec
from zoo.finite import finite, refuse_not_finite
from zoo.formats import Compute
from zoo.inference import batch_within
from zoo.input import Arrays, kind_of
from zoo.task import task_of

EXAMPLES = 64
GOLDEN_EXAMPLES = 8
SAMPLES = 4

STAND_INS = 16
"""The number of examples for a model without data; with more, an export of the largest model would take too long."""

FURTHER = 6
"""The number of further examples of random content, of which some are computed alone at their own size."""

LAST_BITS, STEADY = 2**-20, 1e-5
"""An answer is steady if scaling the network's input by 1 + LAST_BITS moves it by at most STEADY units of the task's
yardstick for this answer."""

MEMORY = 2**28
"""Bytes that the outputs of all layers together may take for one batch; a runtime keeps a few of them at a time."""


@dataclass(frozen=True)
class Reference:
    """Real examples, and the outputs that the Keras model computes for them in float32.

    Attributes:
        description: the model.
        inputs: the examples as inputs of the contract.
        outputs: the outputs of the contract that the model computes for them.
        samples: raw examples, as clients send them.
        doubtful: more raw examples, which clients and graphs may encode differently.
        decoded: the inputs that the graph of the kind of input makes of the samples.
        statuses: for each sample the reason why the graph refuses it; empty if it does not.
        answers: the outputs that the model computes for `decoded`.
        at_once: the number of examples that gates compute at once: at most `EXAMPLES`, fewer if the layers would take
            more than `MEMORY`.
        alone: batches of one example at its own size, such as a text that is not filled up to the longest one, each
            with the outputs that the model computes for it; none if all examples have the same size.
    """

    description: Model
    inputs: Arrays
    outputs: Arrays
    samples: tuple[Any, ...]
    doubtful: tuple[Any, ...]
    decoded: Arrays
    statuses: tuple[str, ...]
    answers: Arrays
    at_once: int
    alone: tuple[tuple[Arrays, Arrays], ...] = ()

    def primary(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the primary output of a file's outputs."""
        return task_of(self.description).primary(outputs, self.description)

    @property
    def expected(self) -> np.ndarray:
        """The primary output for all examples."""
        return self.primary(self.outputs)

    def golden(self, run: Compute | None = None) -> Arrays:
        """Return the inputs and outputs of the first examples: the golden file that `zoo verify` compares with.

        The outputs are those of Keras, or those of `run` for a format that is compared with itself.
        """
        inputs = part(self.inputs, slice(GOLDEN_EXAMPLES))
        return inputs | (run(inputs) if run else part(self.outputs, slice(GOLDEN_EXAMPLES)))


def of_noise(model: TracedModel) -> Reference:
    """Return a reference of two examples of random content, for a model that has no data yet."""
    preprocessing = model.description.preprocessing
    noise, keras = kind_of(preprocessing).client.noise, _KerasModel(model)
    raw = noise(preprocessing, 2, np.random.default_rng(0))
    # The two examples may have the same size, so more are drawn where sizes may differ.
    further = noise(preprocessing, FURTHER, np.random.default_rng(1)) if keras.takes_any_size else ()
    return keras.reference(raw, raw[:1], further=further)


def of_examples(model: TracedModel, test: Examples) -> Reference:
    """Return a reference of examples that are spread evenly over the test split."""
    chosen = np.linspace(0, len(test) - 1, min(EXAMPLES, len(test))).astype(int)
    samples = [test.read(number) for number in range(min(SAMPLES, len(test)))]
    raw = [test.read(int(number)) for number in chosen]
    return _KerasModel(model).reference(raw, samples, name=lambda number: test.names(int(chosen[number])))


def of_stand_ins(model: TracedModel) -> Reference:
    """Return a reference of the kind's stand-ins, for a model that came without data.

    Stand-ins with steady answers come first: where the last bits of the input alone move an answer, Keras in float32
    does not agree with itself, and no file can be compared with it. Trained models are steady on all stand-ins; in a
    model with random weights and unrelated batch statistics, some answers grow a thousandfold.
    """
    preprocessing = model.description.preprocessing
    kind, keras = kind_of(preprocessing), _KerasModel(model)
    examples, _ = kind.data.stand_ins()
    raw = [examples.read(number) for number in range(len(examples))]
    steady: list[int] = []
    others: list[int] = []
    for batch in parts(kind.client.encode(raw, preprocessing), keras.at_once):
        for fits in keras.steady(batch):
            (steady if fits else others).append(len(steady) + len(others))
        if len(steady) >= STAND_INS:
            break
    chosen = [raw[number] for number in (steady + others)[:STAND_INS]]
    return keras.reference(chosen, chosen[:SAMPLES])


def decoded_by_graph(raw: Sequence[Any], preprocessing: Any) -> tuple[Arrays, tuple[str, ...]]:
    """Decode raw examples as the graph of their kind of input does.

    Returns:
        The inputs of the contract, and for each example the reason why the graph refuses it; empty if it does not.
    """
    import tensorflow as tf

    kind = kind_of(preprocessing)
    arrays = kind.client.raw_arrays(raw, preprocessing)
    decoded, status = kind.graph.decoded({name: tf.constant(array) for name, array in arrays.items()}, preprocessing)
    return {name: tensor.numpy() for name, tensor in decoded.items()}, tuple(text.decode() for text in status.numpy())


class _KerasModel:
    """A traced model that computes batches as large as memory allows."""

    def __init__(self, model: TracedModel) -> None:
        import tensorflow as tf

        self.description = description = model.description
        self.kind = kind_of(description.preprocessing)
        self.at_once = batch_within(MEMORY, model.model, most=EXAMPLES)
        tensors = self.kind.client.tensors(description.preprocessing)
        self.takes_any_size = any(
            not isinstance(length, int) for tensor in tensors.values() for length in tensor.shape[1:]
        )
        specs = {name: spec(tensor) for name, tensor in tensors.items()}

        # Called eagerly, Keras 3.15 keeps the outputs of all layers until the last one is computed.
        @tf.function(input_signature=[specs, tf.TensorSpec([])], autograph=False)
        def function(inputs: Any, scale: Any) -> Any:
            def network(prepared: dict[str, Any]) -> Any:
                scaled = {key: value * scale if value.dtype.is_floating else value for key, value in prepared.items()}
                return model.network(scaled)

            return outputs(inputs, network, description)

        self._function = function

    def _primary(self, outputs: Arrays) -> np.ndarray:
        return task_of(self.description).primary(outputs, self.description)

    def outputs(
        self, inputs: Mapping[str, np.ndarray], scale: float = 1.0, name: Callable[[int], str] = "example {}".format
    ) -> Arrays:
        """Compute the outputs of the contract, with the network's input scaled.

        Raises:
            Refused: some outputs are not finite. The message counts the examples and names the first one by `name`.
        """
        computed = joined(
            [
                {key: value.numpy() for key, value in self._function(batch, scale).items()}
                for batch in parts(inputs, self.at_once)
            ]
        )
        refuse_not_finite(finite(self._primary(computed)), name, "the network")
        return computed

    def steady(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return for each example whether its answer is steady, see `STEADY`: bool [examples]."""
        answers, moved = (self._primary(self.outputs(inputs, scale)) for scale in (1.0, 1 + LAST_BITS))
        yardstick = task_of(self.description).yardstick
        rows = [slice(number, number + 1) for number in range(size(inputs))]
        differences = [yardstick(answers[row], self.description).largest(moved[row], answers[row]) for row in rows]
        fits: np.ndarray = np.array(differences) <= STEADY
        return fits

    def reference(
        self,
        raw: Sequence[Any],
        samples: Sequence[Any],
        name: Callable[[int], str] = "example {}".format,
        further: Sequence[Any] = (),
    ) -> Reference:
        """Return a reference: `raw` as the inputs of the contract, and `samples` as clients send them.

        If examples may have any size, some of `raw` and `further` are also computed alone.
        """
        preprocessing = self.description.preprocessing
        inputs = self.kind.client.encode(raw, preprocessing)
        sent = self.kind.data.samples(samples, preprocessing)
        decoded, statuses = decoded_by_graph(sent, preprocessing)
        alone = [
            (batch, self.outputs(batch, name=lambda _: "an example alone"))
            for batch in self._alone([*raw, *further], inputs)
        ]
        return Reference(
            description=self.description,
            inputs=inputs,
            outputs=self.outputs(inputs, name=name),
            samples=tuple(sent),
            doubtful=tuple(self.kind.data.doubtful(raw, preprocessing)),
            decoded=decoded,
            statuses=statuses,
            answers=self.outputs(decoded, name="sample {}".format),
            at_once=self.at_once,
            alone=tuple(alone),
        )

    def _alone(self, raw: Sequence[Any], inputs: Arrays) -> list[Arrays]:
        """Encode the smallest raw example and one of median size alone, unless they are as large as `inputs`."""
        if not self.takes_any_size:
            return []
        encoded = [self.kind.client.encode([example], self.description.preprocessing) for example in raw]
        ordered = sorted(encoded, key=volume)
        chosen = {str(forms(batch)): batch for batch in (ordered[0], ordered[len(ordered) // 2])}
        chosen.pop(str(forms(part(inputs, slice(1)))), None)
        return [*chosen.values()]
