"""Clips of any length: filled up to the longest of a batch, by clients and graphs alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.inputs.audio.sounds import OTHER, PLAIN, WRONG, encoded, noise, tone
from zoo.data.dataset import Examples
from zoo.errors import ZooError
from zoo.input import find
from zoo.inputs.audio import client, data, wav
from zoo.inputs.audio.graph import decoded
from zoo.inputs.audio.preprocessing import AudioPreprocessing

OPEN = AudioPreprocessing(samples=0, front="waveform", clip_norm=True)


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def graph(files: Any) -> Any:
    return decoded({"audio_bytes": files}, OPEN)


def by_graph(files: list[bytes]) -> tuple[np.ndarray, list[str]]:
    inputs, status = graph(tf.constant(files, tf.string, [len(files)]))
    return inputs["waveform"].numpy(), [reason.decode() for reason in status.numpy()]


def test_the_contract_has_an_open_length() -> None:
    assert str(client.tensors(OPEN)["waveform"]) == "float32 [batch, samples]"
    assert client.facts(OPEN) == {"input": "up to 30 s of sound, 16000 samples a second"}
    assert find("audio").alone(OPEN)
    assert not find("audio").alone(AudioPreprocessing())


def test_a_clip_keeps_its_length_and_several_are_filled_up() -> None:
    short, long = wav.written(noise(3_000), 16_000), wav.written(noise(5_000, 2), 16_000)
    alone = client.encode([short], OPEN)["waveform"]
    both = client.encode([short, long], OPEN)["waveform"]
    assert (alone.shape, both.shape) == ((1, 3_000), (2, 5_000))
    np.testing.assert_array_equal(both[0], np.pad(alone[0], (0, 2_000)))


def test_graphs_read_them_as_clients_do() -> None:
    files = [wav.written(noise(frames, channels), 16_000) for frames, channels in ((3_000, 1), (5_000, 2), (1, 3))]
    for some in (files, files[:1], files[2:]):
        waveform, status = by_graph(some)
        assert set(status) == {""}
        np.testing.assert_array_equal(waveform, client.encode(some, OPEN)["waveform"])


def test_the_shortest_clip_has_a_tenth_of_a_second() -> None:
    assert by_graph([wav.written(np.ones(1), 16_000)])[0].shape == (1, 1_600)
    assert by_graph([])[0].shape == client.encode([], OPEN)["waveform"].shape == (0, 1_600)


def test_a_bad_clip_fails_alone_and_has_no_length() -> None:
    bad = list({**OTHER, **WRONG}.values())
    sound = wav.written(noise(2_000), 16_000)
    waveform, status = by_graph([*bad, sound])
    assert [bool(reason) for reason in status] == [True] * len(bad) + [False]
    assert waveform.shape[1] == 2_000
    assert not waveform[:-1].any()
    np.testing.assert_array_equal(waveform[-1:], client.encode([sound], OPEN)["waveform"])


def test_more_than_thirty_seconds_are_refused() -> None:
    longest, longer = (wav.written(np.zeros(30 * 16_000 + more), 16_000) for more in (0, 1))
    assert by_graph([longest])[0].shape == (1, 480_000)
    assert by_graph([longer])[1] == ["longer than 30 seconds"]
    with pytest.raises(ZooError, match="longer than 30 seconds: cut it into clips"):
        client.encode([longer], OPEN)


def test_damaged_and_hostile_files_are_refused() -> None:
    refused, costly = data.hostile()
    assert all(by_graph([file])[1] != [""] for file in (*data.damaged(PLAIN, OPEN).values(), *refused.values()))
    statuses = [by_graph([file])[1] for file in costly.values()]
    assert sum(status == ["longer than 30 seconds"] for status in statuses) == 2


def test_other_rates_are_resampled_by_clients() -> None:
    clip = encoded(tone(seconds=0.5, rate=8_000), 8_000)
    assert client.encode([clip], OPEN)["waveform"].shape == (1, 8_000)


def test_samples_and_noise_fit() -> None:
    generator = np.random.default_rng(0)
    assert client.random(OPEN, 2, generator)["waveform"].shape == (2, 16_000)
    made = data.samples(client.noise(OPEN, 3, generator), OPEN)
    waveform, status = by_graph(made)
    assert set(status) == {""}
    np.testing.assert_array_equal(waveform, client.encode(made, OPEN)["waveform"])


def test_spectrograms_have_a_length() -> None:
    with pytest.raises(ValueError, match="at least one frame of 400 samples, not 0"):
        AudioPreprocessing(samples=0)


def test_training_from_such_weights_takes_the_length_of_the_data(tmp_path: Any) -> None:
    assert data._usual_seconds(data.Form(0.73, {}), OPEN) == 0.8


def test_clips_that_are_too_long_for_any_network_are_left_out() -> None:
    lengths = {"short": 8_000, "longest": 30 * 8_000, "longer": 30 * 8_000 + 1}
    files = {name: wav.written(np.full(length, 0.5), 8_000) for name, length in lengths.items()}
    clips = Examples.of(
        [data.described(file, file, split="test", target="a", name=name) for name, file in files.items()]
    )
    left, reasons = data.kept(clips, OPEN)
    assert [left.names(place) for place in range(len(left))] == ["short", "longest"]
    assert reasons == ("longer: longer than 30 seconds: cut it into clips",)
    assert client.encode([left.read(1)], OPEN)["waveform"].shape == (1, 480_000)
    assert data.kept(left, OPEN) == (left, ())
    assert data.kept(clips, AudioPreprocessing()) == (clips, ())
