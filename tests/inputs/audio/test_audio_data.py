"""Clips of a dataset: broken ones are refused, the preprocessing follows from the training clips, batches repeat."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tests.inputs.audio.sounds import OTHER, PLAIN, REASONS, WRONG, encoded, noise, tone
from zoo.data.dataset import Dataset, Examples
from zoo.data.example import Example
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.input import find, kind_of
from zoo.inputs.audio import client, data, records, synthetic, wav
from zoo.inputs.audio.batches import evaluation_batches, training_batches
from zoo.inputs.audio.client import encode
from zoo.inputs.audio.features import network_inputs
from zoo.inputs.audio.preprocessing import AudioPreprocessing, read_clip
from zoo.inputs.audio.settings import AudioSettings
from zoo.inputs.audio.spectrum import log_mel


def dataset(contents: list[bytes]) -> Dataset:
    examples = [
        data.described(content, content, split="train", target=number % 2, name=str(number))
        for number, content in enumerate(contents)
    ]
    train = Examples.of(examples)
    return Dataset(
        kind="audio",
        task="classes",
        source="folder:x",
        data_dir=None,
        options={},
        labels=("a", "b"),
        train=train,
        validation=train,
        test=train,
        form=data.form(examples),
        fingerprint="",
        skipped=(),
        license="",
    )


HALVES = [encoded(noise(8_000, seed=seed)) for seed in range(10)]


def test_a_clip_is_inspected(tmp_path: Path) -> None:
    path = tmp_path / "clip.flac"
    path.write_bytes(OTHER["FLAC"])
    example = data.inspect(path, split="train", target=1, name="clip")
    assert isinstance(example, Example)
    assert example.read() == OTHER["FLAC"]
    assert example.digest == hashlib.sha256(OTHER["FLAC"]).digest()
    assert (example.traits.rate, example.traits.seconds) == (16_000, 9_000 / 16_000)
    path.unlink()
    with pytest.raises(ZooError, match="no longer"):
        example.read()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "clip").write_bytes(WRONG[name])
    with pytest.raises(ZooError, match=f"^({REASONS[name]})"):
        data.inspect(tmp_path / "clip", split="train", target=0, name="clip")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ZooError, match="no file"):
            data.inspect(path, split="train", target=0, name="clip")


def test_the_length_follows_from_the_clips() -> None:
    halves, long = dataset(HALVES), dataset([encoded(noise(176_000))] * 2)
    assert data.suiting(halves, AudioSettings(), None).samples == 8_000
    assert data.suiting(long, AudioSettings(), None).samples == 160_000
    assert data.suiting(halves, AudioSettings(seconds=0.25), None).samples == 4_000
    made = data.suiting(halves, AudioSettings(rate=8_000), None)
    assert (made.samples, made.frame, made.hop) == (4_000, 200, 80)
    assert made.frames == data.suiting(halves, AudioSettings(), None).frames


def test_bands_are_measured_on_the_clips() -> None:
    made = data.suiting(dataset(HALVES), AudioSettings(), None)
    logarithms = log_mel(encode(HALVES, made)["waveform"], made).reshape(-1, 40)
    assert np.allclose(made.mean, logarithms.mean(0))
    assert np.allclose(made.std, np.maximum(logarithms.std(0), data.SMALLEST_STD))


def test_bands_without_sound_do_not_enlarge_what_float32_rounds() -> None:
    # The highest bands hold nothing but the rounding of 16 bits.
    tones = [encoded(tone(float(frequency)), 16_000) for frequency in range(200, 2_400, 200)]
    made = data.suiting(dataset(tones), AudioSettings(), None)
    clips = encode(tones, made)["waveform"]
    assert network_inputs(tf.constant(clips), made)["log_mel"].numpy()[..., 35:].std((0, 1)).max() < 0.8


def test_weights_bring_their_preprocessing() -> None:
    halves = dataset(HALVES)
    like = AudioPreprocessing(samples=12_000, short="pad", mean=(1.0,) * 40, std=(2.0,) * 40)
    assert data.suiting(halves, AudioSettings(), like) == like
    assert data.suiting(halves, AudioSettings(seconds=0.5, short="loop"), like).samples == 8_000
    waves = AudioSettings(front="waveform")
    assert data.suiting(halves, waves, None) == AudioPreprocessing(samples=8_000, front="waveform", clip_norm=True)


def test_silent_bands_have_a_std_and_silent_clips_are_named() -> None:
    silence = dataset([encoded(np.zeros(8_000)), PLAIN])
    made = data.suiting(silence, AudioSettings(), None)
    assert min(made.std) > 0
    (remark,) = data.remarks([silence.train], made)
    assert remark == "1 of 2 clips are nearly silent: 0"


def test_what_becomes_of_the_clips_is_said() -> None:
    mixed = dataset([*HALVES, encoded(tone(seconds=2, rate=8_000), 8_000)])
    made = data.suiting(mixed, AudioSettings(), None)
    rates, lengths = data.adjustments(mixed, made, AudioSettings())
    assert "resampled to 16000 samples a second (1 of 8000)" in rates
    assert "the network takes 0.5 s: 3 of 33 clips are longer" in lengths
    assert not [*data.adjustments(dataset(HALVES), made, AudioSettings())]
    assert data.kept(mixed.train, made) == (mixed.train, ())


def test_batches_repeat_and_follow_seed_and_epoch() -> None:
    halves, settings = dataset(HALVES), AudioSettings()
    made = data.suiting(halves, settings, None)

    def epoch(seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        batches = training_batches(halves.train, made, settings, batch_size=4, seed=seed, epoch=number)
        found = [(inputs["log_mel"].numpy(), targets.numpy()) for inputs, targets in batches]
        assert len(found) == 2
        return np.concatenate([one for one, _ in found]), np.concatenate([one for _, one in found])

    once, again, other = epoch(0, 0), epoch(0, 0), epoch(0, 1)
    assert once[0].shape == (8, made.frames, 40)
    assert np.array_equal(once[0], again[0])
    assert np.array_equal(once[1], again[1])
    assert not np.array_equal(once[0], other[0])
    (rest,) = training_batches(halves.train, made, settings, batch_size=4, seed=0, epoch=0, start=1)
    assert np.array_equal(rest[0]["log_mel"], once[0][4:])
    assert np.array_equal(rest[1], once[1][4:])
    with pytest.raises(ZooError, match="batch_size=10"):
        training_batches(halves.train, made, settings, batch_size=11, seed=0, epoch=0)


def test_evaluation_batches_are_every_clip_in_order() -> None:
    halves = dataset(HALVES)
    made = data.suiting(halves, AudioSettings(), None)
    found = [
        (inputs["log_mel"].numpy(), targets.numpy(), weights.numpy())
        for inputs, targets, weights in evaluation_batches(halves.train, made, batch_size=4)
    ]
    inputs, targets, weights = (np.concatenate(column) for column in zip(*found, strict=True))
    expected = network_inputs(encode(HALVES, made)["waveform"], made)["log_mel"]
    assert np.abs(inputs[:10] - expected).max() < 1e-5
    assert targets[:10].tolist() == [0, 1] * 5
    assert weights.tolist() == [1] * 10 + [0] * 2


def test_bands_of_another_rate_than_the_weights_have_statistics_of_their_own() -> None:
    clips = dataset(HALVES)
    like = data.suiting(clips, AudioSettings(), None)
    assert data.suiting(clips, AudioSettings(seconds=0.3), like).mean == like.mean
    other = data.suiting(clips, AudioSettings(rate=8_000), like)
    assert other.mean == data.suiting(clips, AudioSettings(rate=8_000), None).mean != like.mean


def test_a_network_refuses_the_other_front() -> None:
    size = Size("small", (), {}, 0, 0, (16_000, 40), 12)
    family = Family("keyword", "Keyword", "", (size,), "", input="audio")
    data.check(family, size, data.reference(size.input_shape), None)
    with pytest.raises(ZooError, match=r"audio\.front=log_mel"):
        data.check(family, size, data.reference((16_000,)), None)


def test_files_and_folders_are_requests(tmp_path: Path) -> None:
    for name in ("10.wav", "2.wav", ".hidden.wav"):
        (tmp_path / name).write_bytes(PLAIN)
    (tmp_path / "notes.txt").write_bytes(b"text")
    (tmp_path / "deeper").mkdir()
    left: dict[str, str] = {}
    wanted = AudioPreprocessing()
    found = client.named_examples([tmp_path], wanted, lambda path, reason: left.update({path.name: reason}))
    assert [Path(request.name).name for request in found] == ["2.wav", "10.wav"]
    assert left == {"notes.txt": "not WAV, FLAC, OGG or MP3 but text", "deeper": "a folder"}
    for bad in (tmp_path / "notes.txt", tmp_path / "missing.wav", tmp_path / "deeper"):
        with pytest.raises(ZooError):
            client.encode([one.raw for one in client.named_examples([bad], wanted, lambda path, reason: None)], wanted)


def test_the_kind_is_found_by_its_name() -> None:
    kind = find("audio")
    assert kind_of(AudioPreprocessing()) is kind
    assert kind.raw_safe == "serve_bytes_safe"
    assert not client.problems(AudioPreprocessing())
    assert client.facts(AudioPreprocessing()) == {"input": "1 s of sound, 16000 samples a second"}
    clips, license_text = data.stand_ins()
    assert len(clips) == 70
    assert license_text


def test_synthetic_words_are_clips_that_the_seed_decides(tmp_path: Path) -> None:
    words = {"see": "si", "am": "am"}
    once, again = list(synthetic.clips(2, 0, words)), list(synthetic.clips(2, 0, words))
    assert once == again
    assert [word for word, _ in once] == ["see", "am", "see", "am"]
    assert len({file for _, file in once}) == 4
    synthetic.write_folder(tmp_path, 1, words=words)
    for path in tmp_path.rglob("*.wav"):
        example = data.inspect(path, split="train", target=0, name=path.name)
        assert example.traits.seconds == 1.0


def test_numbers_of_records_that_are_no_samples_are_refused() -> None:
    def feature(samples: list[float]) -> tf.train.Feature:
        return tf.train.Feature(float_list=tf.train.FloatList(value=samples))

    file = records.encoded(feature([0.5, -1.2, 1.2]), 16_000, 1)
    assert wav.read_samples(file, wav.read_header(file)).max() < 1, "a decoder's overshoot is cut"
    with pytest.raises(ZooError, match=r"^samples of up to 8000 as floats, which should lie within 1: divide them"):
        records.encoded(feature([0.0, -8000.0, 7000.0]), 16_000, 1)


def test_a_clip_of_a_few_samples_is_refused_by_name(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "stub.wav", np.full(1, 0.5, np.float32), 48_000, subtype="PCM_16")
    with pytest.raises(ZooError, match="shorter than 1 ms"):
        data.inspect(tmp_path / "stub.wav", split="train", target=0, name="stub.wav")


def test_a_sample_is_no_longer_than_a_file_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "MOST_SAMPLES", 6_000)
    wanted = AudioPreprocessing()
    (_, whole), (_, cut) = (data.samples([encoded(noise(frames), 8_000)], wanted) for frames in (2_000, 4_000))
    assert [len(read_clip(file, wanted.rate)) for file in (whole, cut)] == [4_000, 6_000]
