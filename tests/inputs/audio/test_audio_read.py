"""Clips of a dataset: broken ones are named, and the preprocessing follows from the training clips."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tests.inputs.audio.sounds import OTHER, PLAIN, WRONG, encoded, noise
from zoo.inputs.audio import synthetic
from zoo.inputs.audio.preprocessing import AudioPreprocessing, encode
from zoo.inputs.audio.read import Candidate, read_clips, suiting
from zoo.inputs.audio.settings import AudioSettings
from zoo.inputs.audio.spectrum import log_mel


def test_broken_and_empty_files_are_named(tmp_path: Path) -> None:
    files = {"good.wav": PLAIN, "empty.wav": b"", "cut.wav": PLAIN[:-9], "good.flac": OTHER["FLAC"], "x.wav": b"text"}
    candidates = []
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        candidates.append(Candidate("train", 0, tmp_path / name, name))
    candidates.append(Candidate("test", 1, tmp_path / "gone.wav", "gone.wav"))
    clips, unreadable = read_clips(candidates)
    assert [clip.name for clip in clips] == ["good.wav", "good.flac"]
    assert clips[0].digest == hashlib.sha256(PLAIN).digest()
    assert (clips[0].rate, clips[0].seconds) == (16_000, 0.5)
    assert [clip.name for clip in unreadable] == ["empty.wav", "cut.wav", "x.wav", "gone.wav"]
    assert all(clip.reason for clip in unreadable)


def test_the_length_follows_from_the_clips() -> None:
    contents = [encoded(noise(8_000, seed=seed)) for seed in range(10)]
    seconds = [0.5] * 9 + [20.0]
    assert suiting(contents, seconds, AudioSettings()).samples == 8_000
    assert suiting(contents, [20.0] * 10, AudioSettings()).samples == 160_000
    assert suiting(contents, seconds, AudioSettings(seconds=0.25)).samples == 4_000
    assert suiting(contents, seconds, AudioSettings(rate=8_000)).samples == 4_000


def test_bands_are_measured_on_the_clips() -> None:
    contents = [encoded(noise(8_000, seed=seed)) for seed in range(4)]
    made = suiting(contents, [0.5] * 4, AudioSettings())
    logarithms = log_mel(encode(contents, made)["waveform"], made).reshape(-1, 40)
    assert np.allclose(made.mean, logarithms.mean(0))
    assert np.allclose(made.std, logarithms.std(0))


def test_weights_bring_their_preprocessing() -> None:
    like = AudioPreprocessing(samples=12_000, short="pad", mean=(1.0,) * 40, std=(2.0,) * 40)
    assert suiting([PLAIN], [0.5], AudioSettings(), like) == like
    assert suiting([PLAIN], [0.5], AudioSettings(seconds=0.5), like).samples == 8_000
    waves = AudioSettings(front="waveform")
    assert suiting([PLAIN], [0.5], waves) == AudioPreprocessing(samples=8_000, front="waveform", clip_norm=True)


def test_silent_bands_have_a_std() -> None:
    silence = encoded(np.zeros(8_000))
    assert min(suiting([silence], [0.5], AudioSettings()).std) > 0


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_stops_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "clip").write_bytes(WRONG[name])
    clips, (bad,) = read_clips([Candidate("train", 0, tmp_path / "clip", "clip")])
    assert not clips
    assert bad.name == "clip"


def test_synthetic_words_are_clips_that_the_seed_decides(tmp_path: Path) -> None:
    words = {"see": "si", "am": "am"}
    once, again = list(synthetic.clips(2, 0, words)), list(synthetic.clips(2, 0, words))
    assert once == again
    assert [word for word, _ in once] == ["see", "am", "see", "am"]
    assert len({file for _, file in once}) == 4
    synthetic.write_folder(tmp_path, 1, words=words)
    clips, unreadable = read_clips([Candidate("train", 0, path, path.name) for path in tmp_path.rglob("*.wav")])
    assert len(clips) == 2
    assert not unreadable
    assert {clip.seconds for clip in clips} == {1.0}
