"""The functions of `zoo.input.Data` for sound."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import schema
from zoo.data.dataset import Dataset, Examples
from zoo.data.entries import read_file
from zoo.data.example import Example
from zoo.errors import ZooError, listed
from zoo.family import Family, Size
from zoo.inputs.audio import synthetic, wav
from zoo.inputs.audio.client import WAVEFORM, encode
from zoo.inputs.audio.hostile import costly_files, refused_files
from zoo.inputs.audio.preprocessing import (
    LONGEST,
    MOST_SAMPLES,
    TOO_LONG,
    AudioPreprocessing,
    decoded_file,
    read_clip,
)
from zoo.inputs.audio.settings import FASTEST, SLOWEST, AudioSettings
from zoo.inputs.audio.spectrum import log_mel
from zoo.structure import Structure

PREPROCESSOR = "preprocessor_config.json"
"""The file of transformers that says how clips are prepared."""

PROCESSOR = "processor_config.json"
"""The file of transformers with the feature extractor and the tokenizer of a network for transcripts."""

SHORTEST_FILE = 0.001
"""The least seconds of a clip; resampling may leave no samples of a shorter clip."""

SHORTEST = 0.1
"""The least seconds of the clips of a pulled network."""

MEASURED = 512
"""The most clips, evenly spaced, on which the means and stds of the bands are measured; that takes two seconds."""

LONGEST_BY_DATA = 10.0
"""Seconds; the longest input that is chosen from the data alone."""

SMALLEST_STD = 0.5
"""The least std of a band's logarithms. Speech has 2 to 4.

A band that varies less holds no sound, such as those above 4 kHz in a recording by telephone. Division by the std of
such a band would enlarge rounding errors of float32, and TensorFlow and onnxruntime would differ by more than the gates
allow.
"""

SILENT = 1e-3
"""A clip is nearly silent if the absolute value of every sample is below this."""


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A sound file, which is read when its clip is needed."""

    path: str

    def read(self) -> bytes:
        """Read the file.

        Raises:
            ZooError: it cannot be read any more.
        """
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise ZooError(f"{self.path} can no longer be read ({error.strerror}): start again") from None


@dataclass(frozen=True, slots=True)
class SoundTraits:
    """The properties of a clip that are known without decoding it again: its rate, its length, its largest sample."""

    rate: int
    seconds: float
    peak: float


RECORDS = (SoundFile, SoundTraits)


@dataclass(frozen=True)
class Form:
    """The form of a dataset's clips: the length that nine of ten do not exceed, in seconds, and clips by their rate."""

    seconds: float
    rates: dict[int, int]


def inspect(path: Path, *, split: str, target: Any, name: str) -> Example:
    """Decode a sound file whole, to find damage.

    Raises:
        ZooError: it is not sound, holds none, or is damaged.
    """
    content = read_file(path)
    return described(content, SoundFile(str(path)), split=split, target=target, name=name)


def described(content: bytes, source: Any, *, split: str, target: Any, name: str) -> Example:
    """Describe an encoded clip; `source` is the clip itself or an object that reads it.

    Raises:
        ZooError: as `inspect`.
    """
    clip, rate = decoded_file(content)
    if len(clip) < SHORTEST_FILE * rate:
        raise ZooError(f"shorter than {1000 * SHORTEST_FILE:g} ms")
    traits = SoundTraits(rate, len(clip) / rate, float(np.abs(clip).max()))
    return Example(split, target, name, source, len(content), hashlib.sha256(content).digest(), traits)


def form(examples: Sequence[Example]) -> Form:
    """Return the usual length of the clips, and their rates."""
    seconds = float(np.quantile([example.traits.seconds for example in examples], 0.9, method="inverted_cdf"))
    return Form(seconds, dict(Counter(example.traits.rate for example in examples)))


def suiting(dataset: Dataset, settings: AudioSettings, like: AudioPreprocessing | None) -> AudioPreprocessing:
    """Return the preprocessing `like` of pretrained weights, or one that suits the data, with the settings' changes.

    Bands are normalized by their statistics over the training split, unless the weights bring statistics for the same
    rate, on which the bands depend.

    Raises:
        ZooError: the settings ask for clips that are shorter than a frame.
    """
    takes_waveform = settings.front == "waveform"
    template = like or AudioPreprocessing(front=settings.front, clip_norm=takes_waveform)
    rate = settings.rate or template.rate
    frame, hop = (round(length * rate / template.rate) for length in (template.frame, template.hop))
    if settings.seconds and round(rate * settings.seconds) < frame:
        raise ZooError(
            f"audio.seconds={settings.seconds:g} is shorter than a frame of {frame / rate:g} s: set it to more"
        )
    preprocessing = dataclasses.replace(
        template,
        rate=rate,
        samples=max(frame, round(rate * (settings.seconds or _usual_seconds(dataset.form, like)))),
        short=template.short if settings.short == "auto" else settings.short,
        frame=frame,
        hop=hop,
    )
    if preprocessing.front == "waveform" or (preprocessing.mean and preprocessing.rate == template.rate):
        return preprocessing
    return with_statistics(dataset.train, preprocessing)


def _usual_seconds(form: Form, like: AudioPreprocessing | None) -> float:
    if like and not like.is_open:
        return like.samples / like.rate
    # Rounded up to a tenth of a second; 0.5 stays 0.5.
    return min(math.ceil(form.seconds * 10 - 1e-6) / 10, LONGEST_BY_DATA)


def with_statistics(clips: Examples, preprocessing: AudioPreprocessing) -> AudioPreprocessing:
    """Return the preprocessing with the mean and the std of each band over the clips."""
    indices = np.linspace(0, len(clips) - 1, min(MEASURED, len(clips))).astype(int)
    count, total, squares = 0, np.zeros(preprocessing.bands), np.zeros(preprocessing.bands)
    for index in indices:
        logarithms = log_mel(encode([clips.read(int(index))], preprocessing)[WAVEFORM], preprocessing)[0]
        count += len(logarithms)
        total += logarithms.sum(0)
        squares += (logarithms**2).sum(0)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, SMALLEST_STD**2))
    return dataclasses.replace(preprocessing, mean=tuple(map(float, mean)), std=tuple(map(float, std)))


def kept(examples: Examples, preprocessing: AudioPreprocessing) -> tuple[Examples, tuple[str, ...]]:
    """Return the clips that the network takes: all, or, if it takes any length, those of up to `LONGEST` seconds.

    A line names each other clip.
    """
    if not preprocessing.is_open:
        return examples, ()
    seconds = np.array([examples.traits(index).seconds for index in range(len(examples))])
    # The rounding is that of soxr, which decides the length of a resampled clip.
    is_too_long = np.floor(seconds * preprocessing.rate + 0.5) > preprocessing.longest
    if not is_too_long.any():
        return examples, ()
    lines = tuple(f"{examples.names(int(index))}: {TOO_LONG}" for index in np.flatnonzero(is_too_long))
    return examples.only(np.flatnonzero(~is_too_long)), lines


def remarks(splits: Sequence[Examples], preprocessing: AudioPreprocessing) -> Iterator[str]:
    """Yield a line about clips that are nearly silent."""
    silent = [
        clips.names(index) for clips in splits for index in range(len(clips)) if clips.traits(index).peak < SILENT
    ]
    if silent:
        yield f"{len(silent)} of {sum(map(len, splits))} clips are nearly silent: {listed(silent, most=3)}"


def adjustments(dataset: Dataset, preprocessing: AudioPreprocessing, settings: AudioSettings) -> Iterator[str]:
    """Say how many clips are resampled, cut, repeated or padded, if the settings do not state rate and length."""
    other_rates = {rate: count for rate, count in dataset.form.rates.items() if rate != preprocessing.rate}
    if other_rates and not settings.rate:
        rates = listed((f"{count} of {rate}" for rate, count in sorted(other_rates.items())), most=3)
        network_rate = preprocessing.rate
        yield f"clips are resampled to {network_rate} samples a second ({rates}): --set audio.rate=… takes another rate"
    splits = (dataset.train, dataset.validation, dataset.test)
    seconds = np.array([clips.traits(index).seconds for clips in splits for index in range(len(clips))])
    length, step = preprocessing.samples / preprocessing.rate, 1 / preprocessing.rate
    longer, shorter = int((seconds > length + step).sum()), int((seconds < length - step).sum())
    if (longer or shorter) and not settings.seconds:
        filled = {"loop": "are repeated", "pad": "are padded with silence"}[preprocessing.short]
        yield (
            f"the network takes {length:g} s: {longer} of {len(seconds)} clips are longer and keep their middle, "
            f"{shorter} are shorter and {filled}: --set audio.seconds=… takes another length"
        )


def reference(shape: Sequence[int]) -> AudioPreprocessing:
    """Return the preprocessing of a network that takes (samples,) of a waveform, or (samples, bands) of log-mel.

    Raises:
        ZooError: no network takes so many samples or bands.
    """
    samples, *bands = shape
    front = {"bands": bands[0]} if bands else {"front": "waveform", "clip_norm": True}
    return schema.parse(AudioPreprocessing, {"samples": samples, **front}, "input_shape")


def published(folder: Path, task: str, seconds: float | None = None) -> AudioPreprocessing:
    """Return waveforms, normalized as the feature extractor of a folder of transformers says.

    For transcripts, clips may have any length, because a cut clip loses words. For other tasks they have a length, by
    default one second, because silence at the end of a clip changes the answer.

    Raises:
        ZooError: there is no feature extractor, it has other features than a waveform of a rate that networks take, or
            no network takes clips of so many seconds.
    """
    path, extractor = _feature_extractor(folder)
    try:
        rate, features, norm = (extractor[key] for key in ("sampling_rate", "feature_size", "do_normalize"))
    except KeyError:
        raise ZooError(f"{path} does not say how clips are prepared: fetch the folder again") from None
    if features != 1 or not isinstance(rate, int) or not SLOWEST <= rate <= FASTEST or not isinstance(norm, bool):
        raise ZooError(
            f"{path} asks for {features!r:.20} features at {rate!r:.20} samples a second: name another folder"
        )
    if task == "transcript" and seconds is not None:
        raise ZooError("networks for transcripts take clips of any length: leave --seconds out")
    if seconds is not None and not SHORTEST <= seconds <= LONGEST:
        raise ZooError(f"--seconds {seconds:g}: a length from {SHORTEST:g} to {LONGEST:g} is needed")
    samples = 0 if task == "transcript" else round((seconds or 1) * rate)
    return AudioPreprocessing(rate=rate, samples=samples, front="waveform", clip_norm=norm)


def _feature_extractor(folder: Path) -> tuple[Path, Mapping[str, Any]]:
    """Return the file that states the feature extractor, and its content.

    transformers 5 writes it into `processor_config.json`, if a tokenizer belongs to the network.
    """
    path, processor = folder / PREPROCESSOR, folder / PROCESSOR
    nested = not path.exists() and processor.exists()
    path = processor if nested else path
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return path, {**(content["feature_extractor"] if nested else content)}
    except (OSError, ValueError, TypeError, KeyError):
        raise ZooError(f"{path}, which says how clips are prepared, cannot be read: fetch the folder again") from None


def structure(family: Family, size: Size, preprocessing: AudioPreprocessing) -> None:
    """Return None: the preprocessing decides the form of the network."""


def check(family: Family, size: Size, preprocessing: AudioPreprocessing, structure: Structure | None) -> None:
    """Refuse a spectrogram for a network that takes waveforms, and the reverse.

    Raises:
        ZooError: it is refused.
    """
    network_front = reference(size.input_shape).front
    if preprocessing.front != network_front:
        raise ZooError(
            f"{family.name} {size.name} takes {network_front}, not {preprocessing.front}: "
            f"--set audio.front={network_front}"
        )


def stand_ins() -> tuple[Examples, str]:
    """Return synthetic clips, and their license."""
    examples = [
        described(file, file, split="test", target=0, name=f"clip {number}")
        for number, (_, file) in enumerate(synthetic.clips(7, seed=0))
    ]
    return Examples.of(examples), synthetic.LICENSE


def samples(raw: Sequence[bytes], preprocessing: AudioPreprocessing) -> list[bytes]:
    """Return a stereo WAV file that has to be cut, whose sound is the first clip, and then WAV files of all clips.

    Long recordings are cut to twice the length that the network takes, because the artifact keeps them. A clip that
    has more than `MOST_SAMPLES` samples at the network's rate is cut to that number.
    """
    rate = preprocessing.rate
    longest = MOST_SAMPLES if preprocessing.is_open else min(MOST_SAMPLES, 2 * preprocessing.usual)
    clips = [read_clip(file, rate)[:longest] for file in raw]
    left = np.resize(clips[0], preprocessing.usual + preprocessing.usual // 3 + 1)
    return [wav.written(np.stack([left, left[::-1] / 2], 1), rate), *(wav.written(clip, rate) for clip in clips)]


def doubtful(raw: Sequence[bytes], preprocessing: AudioPreprocessing) -> list[Any]:
    """Return nothing: the samples already need every step of the preprocessing."""
    return []


def damaged(raw: bytes, preprocessing: AudioPreprocessing) -> dict[str, Any]:
    """Return files that no decoder takes; `raw` is an undamaged file."""
    return {
        "bytes that are not sound": b"no sound",
        "no bytes": b"",
        "half a clip": raw[: len(raw) // 2],
        "a clip without its end": raw[:-20],
        "a clip of no samples": wav.written(np.zeros(0), 16_000),
    }


def hostile() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return small files that claim much sound, and files with as much as is allowed."""
    return refused_files(), costly_files()


def client_tolerance(preprocessing: AudioPreprocessing) -> float:
    """Return 0: a graph reads 16-bit WAV files to the bit."""
    return 0.0
