"""Uploads of sound in a served graph: bit for bit equal to the clients' preprocessing, and no bytes crash a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inputs.audio.sounds import OTHER, PLAIN, READABLE, WRONG, encoded, noise, with_chunk
from zoo.errors import ZooError
from zoo.inputs.audio import wav
from zoo.inputs.audio.client import encode
from zoo.inputs.audio.client import noise as noise_files
from zoo.inputs.audio.data import damaged, hostile, samples
from zoo.inputs.audio.graph import decoded
from zoo.inputs.audio.preprocessing import AudioPreprocessing, read_clip

Read = Callable[[list[bytes]], tuple[np.ndarray, list[str]]]


def reader(short: Literal["loop", "pad"]) -> tuple[AudioPreprocessing, Read]:
    wanted = AudioPreprocessing(samples=8_000, short=short)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def graph(files: Any) -> Any:
        return decoded({"audio_bytes": files}, wanted)

    def call(files: list[bytes]) -> tuple[np.ndarray, list[str]]:
        inputs, status = graph(tf.constant(files, tf.string, [len(files)]))
        return inputs["waveform"].numpy(), [reason.decode() for reason in status.numpy()]

    return wanted, call


LOOP, PAD = reader("loop"), reader("pad")

SEEDS = [
    wav.written(noise(50), 16_000),
    wav.written(noise(40, 2), 16_000),
    with_chunk(wav.written(noise(30), 16_000)),
    encoded(noise(30), form="WAVEX"),
]


@pytest.mark.parametrize(("wanted", "read"), [LOOP, PAD], ids=["loop", "pad"])
def test_a_graph_reads_wav_files_as_clients_do(wanted: AudioPreprocessing, read: Read) -> None:
    files = [*READABLE.values(), *noise_files(wanted, 6, np.random.default_rng(0))]
    waveforms, status = read(files)
    assert set(status) == {""}
    assert np.array_equal(waveforms, encode(files, wanted)["waveform"])


def test_a_bad_clip_fails_alone() -> None:
    wanted, read = LOOP
    bad = {**OTHER, **WRONG}
    files = [PLAIN, *bad.values(), PLAIN]
    waveforms, status = read(files)
    assert status[0] == status[-1] == ""
    assert all(0 < len(reason) < 100 for reason in status[1:-1]), dict(zip(bad, status[1:-1], strict=True))
    assert not waveforms[1:-1].any()
    assert np.array_equal(waveforms[[0, -1]], encode([PLAIN, PLAIN], wanted)["waveform"])


def test_damaged_and_hostile_files_are_refused() -> None:
    wanted, read = LOOP
    refused, costly = hostile()
    for bad in (damaged(PLAIN, wanted), refused):
        _, status = read(list(bad.values()))
        assert all(status), bad.keys()
        for file in bad.values():
            with pytest.raises(ZooError):
                encode([file], wanted)
    waveforms, status = read(list(costly.values()))
    assert not any(status)
    assert np.array_equal(waveforms, encode(list(costly.values()), wanted)["waveform"])


def test_samples_are_read_by_clients_and_graphs_alike() -> None:
    wanted, read = LOOP
    files = samples([OTHER["FLAC"], OTHER["96 kHz"], PLAIN], wanted)
    waveforms, status = read(files)
    assert len(files) == 4
    assert not any(status)
    assert np.array_equal(waveforms, encode(files, wanted)["waveform"])


def test_samples_of_long_recordings_are_cut() -> None:
    wanted, _ = LOOP
    long = wav.written(np.tile(read_clip(PLAIN, wanted.rate), 100), wanted.rate)
    assert all(len(read_clip(file, wanted.rate)) <= 2 * wanted.usual for file in samples([long], wanted))


def test_the_reason_says_what_to_mend() -> None:
    _, read = LOOP
    _, status = read([OTHER["96 kHz"], OTHER["float"], OTHER["FLAC"], WRONG["a WAV without samples"], PLAIN[:-9]])
    assert status == [
        "of 96000 samples a second, not 16000",
        "no WAV file of 16-bit samples (PCM)",
        "no WAV file",
        "without any sound",
        "damaged or cut short",
    ]


def test_no_clips_are_an_empty_answer() -> None:
    waveforms, status = LOOP[1]([])
    assert waveforms.shape == (0, 8_000)
    assert status == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_bytes_fail_a_request_and_answers_are_those_of_clients(data: st.DataObject) -> None:
    wanted, read = LOOP
    files = []
    for seed in SEEDS:
        places = st.integers(0, 79)
        changed = bytearray(seed)
        for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=3)):
            changed[place] = value
        files.append(bytes(changed[: data.draw(st.integers(0, len(changed)))]))
    waveforms, status = read(files)
    for file, waveform, reason in zip(files, waveforms, status, strict=True):
        if not reason:
            assert np.array_equal(waveform, encode([file], wanted)["waveform"][0])
        elif "a second" not in reason and "16-bit" not in reason:
            with pytest.raises(ZooError):
                encode([file], wanted)


def test_the_graph_needs_neither_python_nor_xla() -> None:
    wanted = AudioPreprocessing(samples=8_000)
    traced = tf.function(lambda files: decoded({"audio_bytes": files}, wanted)).get_concrete_function(
        tf.TensorSpec([None], tf.string)
    )
    definition = traced.graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    assert not [
        node.name for node in nodes if "PyFunc" in node.op or "Xla" in node.op or "_XlaMustCompile" in node.attr
    ]
