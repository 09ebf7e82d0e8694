"""Read uploaded sound in a served graph: 16-bit WAV, where one bad clip must not fail the request.

The header is read as `zoo.inputs.audio.wav` reads it, and the samples are those of `zoo.inputs.audio.preprocessing`, to
the bit. No size that a header claims is allocated: only bytes that are there are cut out, and only those that the
network takes.
"""

from __future__ import annotations

from typing import Any

from zoo.inputs.audio.preprocessing import LONGEST, MOST_SAMPLES, AudioPreprocessing
from zoo.inputs.audio.wav import EXTENSIBLE, FULL_SCALE, MOST_CHANNELS, MOST_CHUNKS, PCM

AT_ONCE = 4
"""The number of clips of one request that are read in parallel."""

NO_WAV = "no WAV file"
DAMAGED = "damaged or cut short"
EMPTY = "without any sound"
TOO_LONG = f"longer than {MOST_SAMPLES} samples"
TOO_MANY_SECONDS = f"longer than {LONGEST:g} seconds"
NO_PCM = "no WAV file of 16-bit samples (PCM)"
"""Reasons to refuse a clip, in words that follow 'is'. `TOO_MANY_SECONDS` is for networks that take any length,
`NO_PCM` for 8, 24 and 32 bits and compressed samples."""


def uploaded_waveforms(files: Any, preprocessing: AudioPreprocessing) -> tuple[Any, Any]:
    """Read uploaded WAV files with TensorFlow operations, and say which of them are refused.

    Args:
        files: string [batch], any bytes.
        preprocessing: the preprocessing of the network.

    Returns:
        The waveforms, float32 [batch, samples], 0 for a refused clip; and the status, string [batch], the reason for a
        refused clip and empty for the others. Where the network takes clips of any length, all have the length of the
        longest clip, and shorter ones end with silence.
    """
    import tensorflow as tf

    if preprocessing.is_open:
        return _of_any_length(files, preprocessing)

    def read(file: Any) -> tuple[Any, Any]:
        header, reason = _header(file, preprocessing)
        silence = tf.zeros([preprocessing.samples])
        return tf.cond(tf.equal(reason, ""), lambda: _waveform(file, header, preprocessing), lambda: silence), reason

    forms = tf.TensorSpec([preprocessing.samples], tf.float32), tf.TensorSpec([], tf.string)
    return tf.map_fn(read, files, fn_output_signature=forms, parallel_iterations=AT_ONCE)


def _of_any_length(files: Any, preprocessing: AudioPreprocessing) -> tuple[Any, Any]:
    """Read clips of any length; first all headers, because the longest clip decides how much the others are filled."""
    import tensorflow as tf

    def read_header(file: Any) -> tuple[Any, ...]:
        header, reason = _header(file, preprocessing)
        return header["start"], header["frames"], header["channels"], reason

    def read(file_and_header: tuple[Any, ...]) -> Any:
        file, start, frames, channels, reason = file_and_header
        nothing = tf.zeros([0])
        clip = tf.cond(tf.equal(reason, ""), lambda: _mixed(file, start, frames, channels), lambda: nothing)
        return tf.pad(clip, [[0, length - tf.size(clip)]])

    # An additional file, which is refused, gives even an empty batch a longest clip.
    files = tf.concat([files, [b""]], 0)
    number, text = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.string)
    headers = tf.map_fn(
        read_header, files, fn_output_signature=(number, number, number, text), parallel_iterations=AT_ONCE
    )
    start, frames, channels, reason = headers
    length = tf.maximum(tf.reduce_max(tf.where(tf.equal(reason, ""), frames, 0)), preprocessing.shortest)
    waveforms = tf.map_fn(
        read,
        (files, start, frames, channels, reason),
        fn_output_signature=tf.TensorSpec([None], tf.float32),
        parallel_iterations=AT_ONCE,
    )
    return waveforms[:-1], reason[:-1]


def _number(file: Any, offset: Any, size: int) -> Any:
    """Return the little-endian number of `size` bytes at `offset`, an int64 scalar; bytes beyond the end count as 0."""
    import tensorflow as tf

    present_bytes = tf.strings.substr(file, tf.minimum(offset, tf.strings.length(file)), size)
    digits = tf.io.decode_raw(tf.strings.substr(tf.strings.join([present_bytes, b"\0" * size]), 0, size), tf.uint8)
    return tf.reduce_sum(tf.cast(digits, tf.int64) * tf.constant([256**power for power in range(size)], tf.int64))


def _header(file: Any, preprocessing: AudioPreprocessing) -> tuple[dict[str, Any], Any]:
    """Find the samples; return `start`, `frames` and `channels` as int32 scalars, and the reason to refuse the file."""
    import tensorflow as tf

    length = tf.strings.length(file)
    length_int64 = tf.cast(length, tf.int64)

    def more(count: Any, offset: Any, format_offset: Any, format_size: Any, data_offset: Any) -> Any:
        return tf.logical_and(tf.equal(data_offset, 0), offset + 8 <= length)

    def step(count: Any, offset: Any, format_offset: Any, format_size: Any, data_offset: Any) -> Any:
        name, size = tf.strings.substr(file, offset, 4), _number(file, offset + 4, 4)
        is_format_chunk = tf.equal(name, b"fmt ")
        # The size may be anything below 2**32; an offset is never beyond the end of the file, so that int32 holds it.
        next_offset = tf.cast(tf.minimum(tf.cast(offset, tf.int64) + 8 + size + size % 2, length_int64), tf.int32)
        held_size = tf.cast(tf.minimum(size, length_int64 - 8 - tf.cast(offset, tf.int64)), tf.int32)
        return (
            count + 1,
            next_offset,
            tf.where(is_format_chunk, offset + 8, format_offset),
            tf.where(is_format_chunk, held_size, format_size),
            tf.where(tf.equal(name, b"data"), offset + 8, data_offset),
        )

    # Without samples, `data_offset` stays 0.
    zero = tf.constant(0)
    state = tf.while_loop(
        more, step, (zero, tf.constant(12), zero, zero, zero), maximum_iterations=MOST_CHUNKS, parallel_iterations=1
    )
    _, _, format_offset, format_size, start = state
    size = _number(file, tf.maximum(start - 4, 0), 4)
    code, channels, rate = (
        _number(file, format_offset + field_offset, count) for field_offset, count in ((0, 2), (2, 2), (4, 4))
    )
    frame_size, bits = _number(file, format_offset + 12, 2), _number(file, format_offset + 14, 2)
    extensible_code = tf.where(format_size >= 26, _number(file, format_offset + 24, 2), 0)
    code = tf.where(tf.equal(code, EXTENSIBLE), extensible_code, code)
    is_wav = tf.logical_and(
        tf.equal(tf.strings.substr(file, 0, 4), b"RIFF"),
        tf.equal(tf.strings.substr(file, tf.minimum(8, length), 4), b"WAVE"),
    )
    frames = size // tf.maximum(frame_size, 1)
    rules = (
        (tf.logical_not(is_wav), NO_WAV),
        (tf.equal(start, 0), DAMAGED),
        (format_size < 16, DAMAGED),
        (size > length_int64 - tf.cast(start, tf.int64), DAMAGED),
        (tf.logical_or(channels < 1, channels > MOST_CHANNELS), f"not of 1 to {MOST_CHANNELS} channels"),
        (tf.logical_or(tf.not_equal(code, PCM), tf.not_equal(bits, 16)), NO_PCM),
        (tf.not_equal(frame_size, 2 * channels), DAMAGED),
        (
            tf.not_equal(rate, preprocessing.rate),
            tf.strings.join(["of ", tf.strings.as_string(rate), f" samples a second, not {preprocessing.rate}"]),
        ),
        (size // 2 > MOST_SAMPLES, TOO_LONG),
        (frames < 1, EMPTY),
        *(((frames > preprocessing.longest, TOO_MANY_SECONDS),) if preprocessing.is_open else ()),
    )
    reason = tf.constant("")
    for applies, explanation in reversed(rules):
        reason = tf.where(applies, explanation, reason)
    return {
        "start": start,
        "frames": tf.cast(tf.minimum(frames, length_int64), tf.int32),
        "channels": tf.cast(channels, tf.int32),
    }, reason


def _waveform(file: Any, header: dict[str, Any], preprocessing: AudioPreprocessing) -> Any:
    """Return the waveform of a file that is not refused, float32 [samples]."""
    import tensorflow as tf

    samples, channels, frames = preprocessing.samples, header["channels"], header["frames"]
    first_frame = tf.maximum(frames - samples, 0) // 2
    kept_frames = tf.minimum(frames, samples)
    clip = _mixed(file, header["start"] + first_frame * 2 * channels, kept_frames, channels)
    if preprocessing.short == "loop":
        clip = tf.gather(clip, tf.range(samples) % kept_frames)
    else:
        silence_before = (samples - kept_frames) // 2
        clip = tf.pad(clip, [[silence_before, samples - kept_frames - silence_before]])
    return tf.ensure_shape(clip, [samples])


def _mixed(file: Any, start: Any, frames: Any, channels: Any) -> Any:
    """Average the channels of `frames` frames, from the byte `start` of a file on; return float32 [frames]."""
    import tensorflow as tf

    part = tf.strings.substr(file, start, frames * 2 * channels)
    samples = tf.cast(tf.reshape(tf.io.decode_raw(part, tf.int16), [frames, channels]), tf.float32) / FULL_SCALE
    return tf.reduce_sum(samples, 1) / tf.cast(channels, tf.float32)
