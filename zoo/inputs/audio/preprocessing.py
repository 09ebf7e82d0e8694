"""The definition of sound preprocessing, and its implementation for clients with soundfile, soxr and numpy.

First, an encoded clip becomes `waveform`, float32 [samples]: it is decoded, its channels are averaged, it is resampled
to the network's rate, and it is brought to the network's length. A longer clip keeps its middle. A shorter one is
repeated from its start, or stands in the middle of silence. A network that takes clips of any length gets them as they
are; in a batch, shorter ones are padded with silence at the end. Then the waveform becomes the network's input: itself,
or its log-mel spectrogram (`zoo.inputs.audio.spectrum`).

`zoo.inputs.audio.graph` implements both steps as TensorFlow operations. Its waveforms of 16-bit WAV files are the same
to the bit; it refuses all other files.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from zoo.errors import ZooError
from zoo.file_kinds import kind_of
from zoo.inputs.audio import mp3, wav
from zoo.schema import record

LOWEST_RATE, HIGHEST_RATE = 1_000, 384_000
"""Samples a second. A header that claims another rate is refused."""

MOST_SAMPLES = 60_000_000
"""Samples of all channels. A longer clip is refused: 30 minutes of one channel at 32 kHz, 10 of two at 48 kHz."""

AT_ONCE = 65_536
"""Frames that are decoded at once, so that memory depends on the content of a file and not on the claims of its
header."""

LOUDEST = 32_768.0
"""The largest sample that is accepted in a file of floating-point numbers, where 1 is full scale."""

LONGEST = 30.0
"""Seconds; the longest clip that a network takes."""

UNKNOWN = 2**63 - 1
"""The number of samples that libsndfile gives for a file that does not state its length."""

TOO_LONG = f"longer than {LONGEST:g} seconds: cut it into clips"
"""The reason to refuse a clip that no network takes."""

SHORTEST = 0.1
"""Seconds; where a network takes clips of any length, a shorter clip is padded to this length with silence at the
end."""

SOUNDS = "WAV, FLAC, OGG or MP3"


@record
class AudioPreprocessing:
    """The preprocessing of a network's clips.

    Attributes:
        kind: the kind of input.
        rate: samples a second.
        samples: the number of samples of a clip that the network takes; 0 where it takes any length up to `LONGEST`.
        short: `loop` repeats a clip that is too short from its start, `pad` puts it in the middle of zeros.
        front: the network's input: `log_mel`, or `waveform`.
        bands: the number of bands of the log-mel spectrogram.
        frame: the length of the frames of the spectrogram, in samples.
        hop: the distance between two frames' starts, in samples.
        mean: a number for each band, which is subtracted from the logarithms; empty if nothing is subtracted.
        std: a number for each band, by which the difference is divided; empty if nothing is divided.
        clip_norm: whether a waveform is brought to mean 0 and variance 1, clip by clip, as Wav2Vec 2.0 needs it.
    """

    kind: Literal["audio"] = "audio"
    rate: Annotated[int, Field(ge=LOWEST_RATE, le=HIGHEST_RATE)] = 16_000
    samples: Annotated[int, Field(ge=0, le=int(LONGEST * 48_000))] = 16_000
    short: Literal["loop", "pad"] = "loop"
    front: Literal["log_mel", "waveform"] = "log_mel"
    bands: Annotated[int, Field(ge=8, le=128)] = 40
    frame: Annotated[int, Field(ge=32, le=4096)] = 400
    hop: Annotated[int, Field(ge=16, le=4096)] = 160
    mean: tuple[float, ...] = ()
    std: tuple[Annotated[float, Field(gt=0)], ...] = ()
    clip_norm: bool = False

    def __post_init__(self) -> None:
        if self.front == "log_mel" and self.samples < self.frame:
            raise ValueError(f"at least one frame of {self.frame} samples, not {self.samples}")
        if not len(self.mean) == len(self.std) in (0, self.bands):
            raise ValueError(
                f"as many means as stds, none or {self.bands}, not {len(self.mean)} means and {len(self.std)} stds"
            )

    @property
    def frames(self) -> int:
        """The number of frames of the log-mel spectrogram."""
        return 1 + (self.samples - self.frame) // self.hop

    @property
    def is_open(self) -> bool:
        """True where the network takes clips of any length."""
        return self.samples == 0

    @property
    def shortest(self) -> int:
        """The samples of the shortest clip of a network that takes any length."""
        return round(SHORTEST * self.rate)

    @property
    def longest(self) -> int:
        """The samples of the longest clip of a network that takes any length."""
        return round(LONGEST * self.rate)

    @property
    def usual(self) -> int:
        """The samples of a random clip: as many as the network takes, or one second where it takes any length."""
        return self.samples or self.rate

    def scale_and_offset(self) -> tuple[np.ndarray, np.ndarray]:
        """Return float32 [bands] twice: the network's input is `logarithm * scale + offset`."""
        std = np.asarray(self.std or (1.0,) * self.bands, np.float64)
        mean = np.asarray(self.mean or (0.0,) * self.bands, np.float64)
        return (1 / std).astype(np.float32), (-mean / std).astype(np.float32)


def batch_of(clips: Iterable[np.ndarray], preprocessing: AudioPreprocessing) -> np.ndarray:
    """Bring clips, each float32 [any samples but none], to one length: float32 [clips, samples].

    The length is the network's. For a network of open length, it is that of the longest clip, and silence is added to
    the end of the others. For a network of fixed length, only one whole clip is in memory at a time.

    Raises:
        ZooError: a clip is longer than any network takes.
    """
    if not preprocessing.is_open:
        # A copy, because a part of an array keeps the whole array in memory.
        fitted_clips = [np.array(fitted(clip, preprocessing)) for clip in clips]
        return np.stack(fitted_clips) if fitted_clips else np.zeros((0, preprocessing.samples), np.float32)
    clips = list(clips)
    length = max((preprocessing.shortest, *map(len, clips)))
    if length > preprocessing.longest:
        raise ZooError(TOO_LONG)
    filled = np.zeros((len(clips), length), np.float32)
    for row, clip in zip(filled, clips, strict=True):
        row[: len(clip)] = clip
    return filled


def fitted(clip: np.ndarray, preprocessing: AudioPreprocessing) -> np.ndarray:
    """Bring a clip, float32 [any samples but none], to the one length that the network takes."""
    samples, length = preprocessing.samples, len(clip)
    if length >= samples:
        start = (length - samples) // 2
        return clip[start : start + samples]
    if preprocessing.short == "loop":
        return clip[np.arange(samples) % length]
    silence_before = (samples - length) // 2
    return np.pad(clip, (silence_before, samples - length - silence_before))


def read_clip(file: bytes, rate: int) -> np.ndarray:
    """Decode a clip, average its channels and resample it: float32 [samples], of `rate`.

    Raises:
        ZooError: it is neither WAV, FLAC, OGG nor MP3, is damaged or too long, or holds no sound or samples that are no
            numbers.
    """
    clip, file_rate = decoded_file(file)
    if file_rate != rate:
        import soxr

        clip = soxr.resample(clip, file_rate, rate)
    if not len(clip):
        raise ZooError("it holds no sound")
    return clip


def decoded_file(file: bytes) -> tuple[np.ndarray, int]:
    """Decode a clip and average its channels; return float32 [samples], and samples a second.

    Raises:
        ZooError: as `read_clip`.
    """
    form = format_of(file)
    if form == "WAV":
        header = wav.read_header(file)
        _check_rate(header.rate)
        if header.is_16_bit:
            _check_length(header.size // 2)
            return _sound([_mixed(wav.read_samples(file, header))]), header.rate
    if form == "MP3" and mp3.is_cut_short(file):
        raise ZooError("an MP3 cut short: its header claims more bytes than it holds")
    if form == "OGG" and _is_ogg_cut_short(file):
        raise ZooError("an OGG cut short: its last page is not the end of the stream")
    return _decoded_by_libsndfile(file, form)


def format_of(file: bytes) -> str:
    """Return the format that a file begins as.

    Raises:
        ZooError: it is not sound.
    """
    if wav.is_wav(file):
        return "WAV"
    for beginning, name in ((b"fLaC", "FLAC"), (b"OggS", "OGG"), (b"ID3", "MP3")):
        if file.startswith(beginning):
            return name
    # A frame of MPEG audio begins with eleven bits of 1. A frame of AAC begins with twelve, and its layer is 0.
    if file[:1] == b"\xff" and file[1:2] >= b"\xe0":
        if file[1] & 0xF6 == 0xF0:
            raise ZooError(f"not {SOUNDS} but AAC sound")
        return "MP3"
    raise ZooError(f"not {SOUNDS} but {kind_of(file)}")


def _is_ogg_cut_short(file: bytes) -> bool:
    """Return whether the last page of an OGG is incomplete or not marked as the last; libsndfile (1.2) does not look.

    A page has a header of 27 bytes, with flags at byte 5 and the number of segments at byte 26, then the size of each
    segment in a byte, then the segments (RFC 3533, section 6).
    """
    offset = file.rfind(b"OggS")
    page = file[offset:]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    return not page[5] & 4 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


def _decoded_by_libsndfile(file: bytes, form: str) -> tuple[np.ndarray, int]:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(file)) as sound:
            _check_rate(sound.samplerate)
            if not 1 <= sound.channels <= wav.MOST_CHANNELS:
                raise ZooError(f"{sound.channels} channels: mix it down to one")
            if sound.frames == UNKNOWN:
                raise ZooError(f"{form} that does not state its length: save it again")
            _check_length(sound.frames * sound.channels)
            blocks = list(_blocks(sound))
            count, stated_count = sum(map(len, blocks)), sound.frames
            if form == "MP3" and not mp3.states_length(file):
                # libsndfile (1.2) estimates the length from the first frame, and reads no further.
                stated_count = mp3.samples(file) - mp3.TRIMMED
            if count < stated_count:
                raise ZooError(f"{form} cut short: {count} of {stated_count} samples could be read: save it again")
            return _sound(blocks), sound.samplerate
    except (soundfile.SoundFileError, RuntimeError, ValueError, OSError, TypeError):
        raise ZooError(f"a damaged {form}, or one in an unknown encoding: save it again") from None


def _blocks(sound: Any) -> Iterator[np.ndarray]:
    """Yield the averages of the channels, block by block."""
    count = 0
    while len(block := sound.read(AT_ONCE, "float32", always_2d=True)):
        count += block.size
        _check_length(count)
        yield _mixed(block)


def _mixed(samples: np.ndarray) -> np.ndarray:
    """Average channels, float32 [samples, channels]; sums of 16-bit samples are exact in any order."""
    return samples.sum(1) / np.float32(samples.shape[1])


def _sound(blocks: Sequence[np.ndarray]) -> np.ndarray:
    clip = np.concatenate([*blocks, np.zeros(0, np.float32)])
    if not len(clip):
        raise ZooError("it holds no sound")
    if not (np.abs(clip) <= LOUDEST).all():
        raise ZooError("samples that are not numbers, or far out of range: save it again as 16-bit WAV")
    return clip


def _check_rate(rate: int) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ZooError(f"its header claims {rate} samples a second: save it again with 16000")


def _check_length(samples: int) -> None:
    if samples > MOST_SAMPLES:
        raise ZooError(f"longer than {MOST_SAMPLES} samples: cut it into clips")
