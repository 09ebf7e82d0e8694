"""MP3 files whose length has to be found in their frames."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from zoo.errors import ZooError
from zoo.inputs.audio import mp3
from zoo.inputs.audio.preprocessing import decoded_file

RATE, SECONDS = 16_000, 6


def encoded(loudness: np.ndarray, **options: object) -> bytes:
    """An MP3 of noise of the given loudness, float32 [samples]."""
    file = io.BytesIO()
    noise = np.random.default_rng(0).normal(size=len(loudness)).astype(np.float32)
    soundfile.write(file, 0.2 * loudness * noise, RATE, format="MP3", **options)
    return file.getvalue()


def without_first_frame(file: bytes) -> bytes:
    """The file without the frame that states its length."""
    (size, _), *_ = mp3._frames(file)
    return file[mp3._begin(file) + size :]


@pytest.fixture(scope="module")
def variable() -> bytes:
    loudness = np.repeat(np.array([1, 0.001], np.float32), RATE * SECONDS // 2)
    return encoded(loudness, bitrate_mode="VARIABLE", compression_level=0.5)


@pytest.fixture(scope="module")
def constant() -> bytes:
    return encoded(np.ones(RATE * SECONDS, np.float32), bitrate_mode="CONSTANT", compression_level=0.5)


def test_frames_have_the_samples_that_are_decoded(variable: bytes, constant: bytes) -> None:
    for file in (variable, constant):
        assert mp3.states_length(file)
        assert 0 <= mp3.samples(file) - SECONDS * RATE <= mp3.TRIMMED
        assert len(decoded_file(file)[0]) == SECONDS * RATE
    tagged = b"ID3\x04\x00\x00\x00\x00\x01\x02" + bytes(130) + constant
    assert mp3.samples(tagged) == mp3.samples(constant)


def test_a_constant_rate_needs_no_stated_length(constant: bytes) -> None:
    file = without_first_frame(constant)
    assert not mp3.states_length(file)
    assert abs(len(decoded_file(file)[0]) - SECONDS * RATE) <= mp3.TRIMMED


def test_a_variable_rate_without_a_stated_length_is_read_whole_or_refused(variable: bytes) -> None:
    file = without_first_frame(variable)
    assert not mp3.states_length(file)
    assert abs(mp3.samples(file) - SECONDS * RATE) <= mp3.TRIMMED
    with pytest.raises(ZooError, match=r"MP3 cut short: [0-9]+ of [0-9]+ samples could be read: save it again"):
        decoded_file(file)


@pytest.mark.parametrize("file", [b"", b"ID3", b"\xff\xfb", b"\xff" * 400, b"no sound" * 100])
def test_what_is_no_mp3_has_no_frames(file: bytes) -> None:
    assert mp3.samples(file) == 0


def test_a_file_that_was_longer_is_cut_short(variable: bytes) -> None:
    assert not mp3.is_cut_short(variable)
    assert mp3.is_cut_short(variable[:-1000])
    assert not mp3.is_cut_short(variable[:20])


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xf1\x50\x80", "AAC sound"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "AAC sound"),
        (b"FORM\0\0\0\x40AIFF", "AIFF"),
        (b"RF64\xff\xff\xff\xffWAVE", "RF64"),
    ],
)
def test_other_kinds_of_sound_are_called_by_name(head: bytes, kind: str) -> None:
    with pytest.raises(ZooError, match=f"not WAV, FLAC, OGG or MP3 but .*{kind}"):
        decoded_file(head + bytes(400))
