"""The clients' preprocessing of sound: the files that are read, the cut to length, and refusals in one line."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests.inputs.audio.sounds import OTHER, PLAIN, READABLE, REASONS, WRONG, encoded, noise, tone
from zoo.errors import ZooError
from zoo.inputs.audio import client, wav
from zoo.inputs.audio import preprocessing as audio
from zoo.inputs.audio.client import encode
from zoo.inputs.audio.preprocessing import AudioPreprocessing, fitted, read_clip
from zoo.schema import parse, to_dict

WANTED = AudioPreprocessing(samples=8_000)


@pytest.mark.parametrize("name", [*READABLE, *OTHER])
def test_sound_becomes_a_waveform(name: str) -> None:
    (waveform,) = encode([{**READABLE, **OTHER}[name]], WANTED)["waveform"]
    assert waveform.shape == (8_000,)
    assert waveform.dtype == np.float32
    assert 0 < np.abs(waveform).max() <= 1


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(ZooError, match=f"^({REASONS[name]})") as refusal:
        encode([WRONG[name]], WANTED)
    assert "\n" not in str(refusal.value)
    assert 5 < len(str(refusal.value)) < 160
    assert "0x" not in str(refusal.value)


def test_every_encoding_of_the_same_samples_is_the_same_but_for_its_precision() -> None:
    samples = tone()
    for subtype, bound in {"PCM_U8": 1 / 120, "PCM_16": 1 / 32768, "PCM_24": 2e-7, "FLOAT": 1e-7}.items():
        assert np.abs(read_clip(encoded(samples, subtype=subtype), 16_000) - samples).max() <= bound


def test_16_bit_samples_are_what_libsndfile_reads() -> None:
    import io

    import soundfile

    for name in READABLE:
        expected, _ = soundfile.read(io.BytesIO(READABLE[name]), dtype="float32", always_2d=True)
        found = wav.read_samples(READABLE[name], wav.read_header(READABLE[name]))
        assert np.array_equal(found, expected), name


def test_channels_are_averaged() -> None:
    left, right = noise(900), noise(900, seed=1)
    both = read_clip(encoded(np.hstack([left, right]), subtype="DOUBLE"), 16_000)
    assert np.abs(both - (left + right)[:, 0] / 2).max() < 1e-6


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_another_rate_is_resampled(rate: int) -> None:
    clip = read_clip(encoded(tone(440, rate=rate), rate, subtype="FLOAT"), 16_000)
    assert len(clip) == 8_000
    assert np.abs(clip - tone(440))[500:-500].max() < 1e-3


def test_a_tone_that_the_rate_cannot_hold_is_removed() -> None:
    assert np.abs(read_clip(encoded(tone(12_000, rate=48_000), 48_000), 16_000))[500:-500].max() < 1e-3


def test_clips_are_cut_looped_or_padded() -> None:
    clip = np.arange(1, 6, dtype=np.float32)
    long, short = AudioPreprocessing(samples=3, front="waveform"), AudioPreprocessing(samples=8, front="waveform")
    padded = AudioPreprocessing(samples=8, front="waveform", short="pad")
    assert fitted(clip, long).tolist() == [2, 3, 4]
    assert fitted(clip, short).tolist() == [1, 2, 3, 4, 5, 1, 2, 3]
    assert fitted(clip, padded).tolist() == [0, 1, 2, 3, 4, 5, 0, 0]


def test_a_small_file_that_claims_a_long_clip_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    # The number of samples in a FLAC's header: the last 36 bits of 8 bytes at 18.
    flac = encoded(noise(9_000), form="FLAC")
    (head,) = struct.unpack_from(">Q", flac, 18)
    claiming = flac[:18] + struct.pack(">Q", head >> 36 << 36 | (2**36 - 1)) + flac[26:]
    with pytest.raises(ZooError, match="longer than"):
        encode([claiming], WANTED)
    monkeypatch.setattr(audio, "MOST_SAMPLES", 8_000)
    for file in (flac, encoded(noise(9_000)), encoded(noise(4_500, 2)), encoded(tone(seconds=1), form="MP3")):
        with pytest.raises(ZooError, match="longer than"):
            encode([file], WANTED)


def test_no_clips_are_an_empty_batch() -> None:
    assert encode([], WANTED)["waveform"].shape == (0, 8_000)


def test_the_contract_says_what_encode_gives() -> None:
    generator = np.random.default_rng(0)
    (tensor,) = client.tensors(WANTED).values()
    assert tensor.fits(encode([PLAIN], WANTED)["waveform"])
    assert tensor.fits(client.random(WANTED, 3, generator)["waveform"])
    assert tensor.fits(encode(client.noise(WANTED, 4, generator), WANTED)["waveform"])
    assert client.raw_tensors(WANTED)["audio_bytes"].dtype == "string"
    assert client.network_tensors(WANTED)["log_mel"].shape == ("batch", 48, 40)
    assert client.network_tensors(AudioPreprocessing(front="waveform"))["waveform"].shape == ("batch", 16_000)


def test_the_record_goes_through_json() -> None:
    record = AudioPreprocessing(bands=8, mean=(1.0,) * 8, std=(2.0,) * 8)
    assert parse(AudioPreprocessing, to_dict(record), "preprocessing") == record
    assert to_dict(record)["kind"] == "audio"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"samples": 399}, "at least one frame of 400 samples, not 399"),
        ({"mean": (0.0,) * 40}, "as many means as stds, none or 40, not 40 means and 0 stds"),
        ({"mean": (0.0,), "std": (1.0,)}, "none or 40, not 1 means and 1 stds"),
        ({"rate": 5}, "rate should be greater than or equal to 1000, not 5"),
        ({"kind": "image"}, "kind should be 'audio', not 'image'"),
    ],
)
def test_values_that_do_not_fit_are_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(ZooError, match=reason):
        parse(AudioPreprocessing, values, "preprocessing")
