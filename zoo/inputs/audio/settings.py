"""The section `audio` of a recipe: the network's input, and random changes of training clips."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from zoo.inputs.audio.preprocessing import LONGEST
from zoo.schema import record

SLOWEST, FASTEST = 4_000, 48_000
"""The lowest and the highest `rate`, in samples a second; below, a spectrogram has more bands than frequencies."""


def _supported_rate(rate: int) -> int:
    if rate and not SLOWEST <= rate <= FASTEST:
        raise ValueError(f"{SLOWEST} to {FASTEST}, or 0")
    return rate


@record
class AudioSettings:
    """The network's input, and random changes of training clips, drawn for each clip in each epoch.

    `seconds` is the length of a clip and `rate` its samples a second. A value of 0 stands for that of the weights that
    training starts from. Where it starts from scratch, 0 stands for the length that nine of ten clips do not exceed, at
    most 10 seconds, and for 16000 samples a second. `short` says how shorter clips are filled: `loop` repeats them,
    `pad` puts them in the middle of silence, and `auto` does as the weights say, or else repeats them. `front`
    depends on the family: its networks take a log-mel spectrogram or a waveform.

    `shift` moves a clip by up to this share of its length, and fills with silence. `noise` adds white noise of up to
    this multiple of the clip's own root mean square. The masks are those of SpecAugment: `frequency_masks` of up to
    `frequency_width` (a share of the bands) and `time_masks` of up to `time_width` (a share of the frames) are set to
    the mean. Waveforms have no masks.
    """

    kind: Literal["audio"] = "audio"
    seconds: Annotated[float, Field(ge=0, le=LONGEST)] = 0.0
    rate: Annotated[int, AfterValidator(_supported_rate)] = 0
    short: Literal["auto", "loop", "pad"] = "auto"
    front: Literal["log_mel", "waveform"] = "log_mel"
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    noise: Annotated[float, Field(ge=0, le=10)] = 0.1
    frequency_masks: Annotated[int, Field(ge=0, le=4)] = 1
    frequency_width: Annotated[float, Field(ge=0, le=1)] = 0.15
    time_masks: Annotated[int, Field(ge=0, le=4)] = 1
    time_width: Annotated[float, Field(ge=0, le=1)] = 0.15
