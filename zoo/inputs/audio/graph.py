"""The functions of `zoo.input.Graph` for sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.inputs.audio.batches import evaluation_batches, training_batches
from zoo.inputs.audio.client import AUDIO_BYTES, WAVEFORM
from zoo.inputs.audio.features import network_inputs
from zoo.inputs.audio.preprocessing import AudioPreprocessing
from zoo.inputs.audio.uploads import uploaded_waveforms

__all__ = ["decoded", "evaluation_batches", "prepared", "training_batches"]


def prepared(inputs: Mapping[str, Any], preprocessing: AudioPreprocessing) -> dict[str, Any]:
    """Turn the waveform, float32 [batch, samples], into the spectrogram or the normalized waveform."""
    return network_inputs(inputs[WAVEFORM], preprocessing)


def decoded(raw: Mapping[str, Any], preprocessing: AudioPreprocessing) -> tuple[dict[str, Any], Any]:
    """Read uploaded WAV files as the waveform, and say which are refused."""
    waveform, status = uploaded_waveforms(raw[AUDIO_BYTES], preprocessing)
    return {WAVEFORM: waveform}, status
