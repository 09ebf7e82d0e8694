"""Sound: encoded clips, which networks take as a waveform or as a log-mel spectrogram.

Clients need `client` and `preprocessing`, training and exporting also `data`, and TensorFlow graphs are made with
`graph`. The other modules are parts of these.
"""

from __future__ import annotations

from zoo.input import Input
from zoo.inputs.audio.preprocessing import AudioPreprocessing
from zoo.inputs.audio.settings import AudioSettings

INPUT = Input(
    kind="audio",
    noun="clip",
    plural="clips",
    turned_off={
        "frequency_masks": ("front", ("waveform",)),
        "frequency_width": ("frequency_masks", (0,)),
        "time_masks": ("front", ("waveform",)),
        "time_width": ("time_masks", (0,)),
    },
    pipelines={"classes": "audio-classification", "transcript": "automatic-speech-recognition"},
    preprocessing=AudioPreprocessing,
    settings=AudioSettings,
    raw="serve_bytes",
    default_data="synthetic_speech",
    client_module=f"{__name__}.client",
    data_module=f"{__name__}.data",
    graph_module=f"{__name__}.graph",
    kept_by_weights=frozenset({"front"}),
    client_libraries={"soundfile": "soundfile", "soxr": "soxr"},
    mixed_by=frozenset({"mixup"}),
    space={"audio.noise": {"low": 0.0, "high": 0.5}, "audio.shift": {"low": 0.0, "high": 0.3}},
    alone=lambda preprocessing: preprocessing.is_open,
)
