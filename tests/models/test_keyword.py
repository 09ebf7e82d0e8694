"""The keyword networks: their counts, and training, saving and exporting them with their spectrogram."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from zoo import complexity
from zoo.description import Model
from zoo.export.graph import trace
from zoo.export.onnx.conversion import write_onnx
from zoo.export.onnx.lint import node_counts
from zoo.family import Size
from zoo.formats.onnx import inference_session
from zoo.inputs.audio import graph
from zoo.inputs.audio.client import encode, random
from zoo.inputs.audio.preprocessing import AudioPreprocessing
from zoo.inputs.audio.synthetic import clips
from zoo.models.keyword import FAMILY, network

WANTED = AudioPreprocessing(mean=(-6.0,) * 40, std=(3.0,) * 40)


def built(size: Size, count: int = 12, wanted: AudioPreprocessing = WANTED) -> Any:
    keras.utils.set_random_seed(0)
    log_mel = keras.Input((wanted.frames, wanted.bands), name="log_mel")
    return keras.Model(log_mel, network.build(log_mel, count, wanted, **size.options).logits)


@pytest.mark.parametrize("size", FAMILY.sizes, ids=lambda size: size.name)
def test_counts_are_those_of_the_record(size: Size) -> None:
    model = built(size)
    assert (WANTED.samples, WANTED.bands) == size.input_shape
    assert complexity.parameters(model) == size.parameters
    assert complexity.multiply_adds(model) == size.multiply_adds


def test_base_has_the_parameters_of_the_paper() -> None:
    """MatchboxNet-3x2x64 has 93 thousand, with 64 bands and 30 words (table 2)."""
    model = built(FAMILY.size("base"), 30, AudioPreprocessing(bands=64))
    assert round(complexity.parameters(model) / 1000) == 93


def test_the_record_names_the_differences_from_nemo() -> None:
    """NeMo's matchboxnet_3x1x64_v2 has strides of 1, a dilation of 2 in the next to last convolution, and 64 MFCCs."""
    size = FAMILY.size("base")
    prologue, epilogue = (built(size).get_layer(f"{name}_depthwise") for name in ("prologue", "epilogue"))
    assert (size.input_shape[1], size.options["repeats"], prologue.strides, epilogue.dilation_rate) == (
        40, 2, (2, 2), (1, 1)
    )  # fmt: skip
    for words in ("40 log-mel bands", "two convolutions in a block", "a stride of 2 in the first", "no dilation"):
        assert words in FAMILY.reference


@pytest.mark.parametrize("size", FAMILY.sizes, ids=lambda size: size.name)
def test_it_takes_clips_of_any_length(size: Size) -> None:
    for samples, bands in ((400, 8), (160_000, 64)):
        wanted = AudioPreprocessing(samples=samples, bands=bands)
        answer = built(size, 3, wanted)(np.zeros((2, wanted.frames, bands), np.float32))
        assert answer.shape == (2, 3)
        assert np.isfinite(answer).all()


@pytest.mark.parametrize("size", FAMILY.sizes, ids=lambda size: size.name)
def test_saves_and_loads(size: Size, tmp_path: Path) -> None:
    model = built(size)
    inputs = np.random.default_rng(0).standard_normal((2, 98, 40)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    assert np.array_equal(keras.models.load_model(tmp_path / "model.keras")(inputs), model(inputs))


@pytest.mark.parametrize("size", FAMILY.sizes, ids=lambda size: size.name)
def test_it_exports_with_its_spectrogram(size: Size, tmp_path: Path) -> None:
    model, path = built(size), tmp_path / "model.onnx"
    write_onnx(trace(model, Model("keyword", size.name, tuple(map(str, range(12))), WANTED, 0, 0)), path)
    nodes = node_counts(onnx.load(path))
    assert not {"Loop", "Shape", "If", "BatchNormalization"} & nodes.keys()
    # One to the layout of convolutions and one back; nothing else has a layout.
    assert nodes["Transpose"] <= 2
    session = inference_session(path)
    for count in (1, 5):
        waveform = random(WANTED, count, np.random.default_rng(count))["waveform"]
        prepared = graph.prepared({"waveform": tf.constant(waveform)}, WANTED)
        expected = model(prepared["log_mel"], training=False).numpy()
        (found,) = session.run(["logits"], {"waveform": waveform})
        assert np.abs(found - expected).max() < 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.slow
def test_small_learns_synthetic_words() -> None:
    words = {"see": "si", "us": "as", "you": "iu", "we": "ui"}

    def inputs(per_word: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        found = list(clips(per_word, seed, words))
        waveform = encode([file for _, file in found], WANTED)["waveform"]
        log_mel = graph.prepared({"waveform": tf.constant(waveform)}, WANTED)["log_mel"].numpy()
        return log_mel, np.array([list(words).index(word) for word, _ in found])

    model = built(FAMILY.size("small"), len(words))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(2e-3), loss, metrics=["accuracy"])
    model.fit(*inputs(40, 0), batch_size=16, epochs=10, verbose=0)
    assert model.evaluate(*inputs(20, 1), verbose=0)[1] > 0.8
