"""The functions of `zoo.input.Client` for sound; a raw example is the bytes of a WAV, FLAC, OGG or MP3 file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.contract import BATCH
from zoo.data.entries import read_file
from zoo.data.named_files import named_files
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.input import Arrays, NamedExample
from zoo.inputs.audio import wav
from zoo.inputs.audio.preprocessing import LONGEST, SOUNDS, AudioPreprocessing, batch_of, read_clip
from zoo.inputs.audio.sound_files import reason_for_no_sound
from zoo.signature import Tensor

WAVEFORM = "waveform"
"""Samples from -1 to 1, of the network's rate. The spectrogram and normalization are inside the model."""

SAMPLES = "samples"
"""The name of a waveform's second dimension where it is open."""

LOG_MEL = "log_mel"
"""The normalized log-mel spectrogram, which some networks take."""

AUDIO_BYTES = "audio_bytes"
"""16-bit WAV files of the network's rate, as uploaded. Decoding and cutting are inside the model."""

UPLOAD = Path("clip.wav")
"""The sound file that the examples of a model card read."""


def tensors(preprocessing: AudioPreprocessing) -> dict[str, Tensor]:
    """Return the waveform, float32 [batch, samples]."""
    return {WAVEFORM: Tensor("float32", (BATCH, preprocessing.samples or SAMPLES))}


def raw_tensors(preprocessing: AudioPreprocessing) -> dict[str, Tensor]:
    """Return the uploaded file, a string."""
    return {AUDIO_BYTES: Tensor("string", (BATCH,))}


def network_tensors(preprocessing: AudioPreprocessing) -> dict[str, Tensor]:
    """Return the spectrogram, float32 [batch, frames, bands], or the waveform."""
    if preprocessing.front == "waveform":
        return tensors(preprocessing)
    return {LOG_MEL: Tensor("float32", (BATCH, preprocessing.frames, preprocessing.bands))}


def encode(raw: Sequence[bytes], preprocessing: AudioPreprocessing) -> Arrays:
    """Decode sound files, average their channels, resample them and bring them to the network's length.

    Raises:
        ZooError: a file cannot be decoded, holds no sound, or is longer than any network takes.
    """
    return {WAVEFORM: batch_of((read_clip(file, preprocessing.rate) for file in raw), preprocessing)}


def raw_arrays(raw: Sequence[bytes], preprocessing: AudioPreprocessing) -> Arrays:
    """Return sound files as an object array of bytes."""
    return {AUDIO_BYTES: np.array(list(raw), object)}


def random(preprocessing: AudioPreprocessing, count: int, generator: np.random.Generator) -> Arrays:
    """Return clips of white noise at a tenth of full scale."""
    return {WAVEFORM: 0.1 * generator.standard_normal((count, preprocessing.usual), np.float32)}


def noise(preprocessing: AudioPreprocessing, count: int, generator: np.random.Generator) -> list[bytes]:
    """Return WAV files of the same noise, of half to twice the usual length, every third in stereo."""
    files = []
    for number in range(count):
        frames = int(preprocessing.usual * generator.uniform(0.5, 2)) + 1
        shape = (frames, 2) if number % 3 == 2 else (frames,)
        files.append(wav.written(0.1 * generator.standard_normal(shape, np.float32), preprocessing.rate))
    return files


def named_examples(
    paths: Sequence[Path], preprocessing: AudioPreprocessing, leave_out: Callable[[Path, str], None]
) -> Iterator[NamedExample]:
    """Read sound files; a folder stands for the sound files in it, whatever their names, in natural order.

    Raises:
        ZooError: there is no sound file.
    """
    for path in [
        path for argument in paths for path in named_files(argument, "clip", SOUNDS, reason_for_no_sound, leave_out)
    ]:
        try:
            yield NamedExample(str(path), read_file(path))
        except ZooError as error:
            yield NamedExample(str(path), None, str(error))


def catalog(family: Family, size: Size) -> dict[str, Any]:
    """Return no limits: clips are cut or filled to the length of the network; only transcripts have a longest clip."""
    return {"limits": {}}


def published(wanted: Any) -> dict[str, Any]:
    """Return nothing: weights are read from files, which describe their input."""
    return {"input": ""}


def facts(preprocessing: AudioPreprocessing) -> dict[str, str]:
    """Return the length and the rate of the input."""
    seconds = f"up to {LONGEST:g}" if preprocessing.is_open else f"{preprocessing.samples / preprocessing.rate:g}"
    return {"input": f"{seconds} s of sound, {preprocessing.rate} samples a second"}


def problems(preprocessing: AudioPreprocessing) -> list[str]:
    """Return nothing: the record itself refuses contradictions."""
    return []


def python(preprocessing: AudioPreprocessing) -> str:
    """Return an expression that reads `UPLOAD`."""
    return f'Path("{UPLOAD}").read_bytes()'


def rest(preprocessing: AudioPreprocessing) -> dict[str, Any]:
    """Return `UPLOAD`."""
    return {AUDIO_BYTES: UPLOAD}


def files(preprocessing: AudioPreprocessing) -> dict[str, str]:
    """Return no files: the manifest has all that clients need."""
    return {}
