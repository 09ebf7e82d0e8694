"""Wav2Vec 2.0: a transformer over the frames of a waveform, which starts from weights that transformers publishes."""

from __future__ import annotations

from zoo.contract import LOGITS
from zoo.family import Family, Size
from zoo.inputs.audio.settings import AudioSettings
from zoo.models.wav2vec2.frames import CONVOLUTIONS
from zoo.models.wav2vec2.recipes import RECIPES
from zoo.models.wav2vec2.sizes import OPTIONS
from zoo.recipe import Optimizer, Recipe, Schedule
from zoo.weights.pretrained import TransformersModel

SAMPLES = (16_000,)
"""The waveform that sizes are counted on: one second."""


def _size(name: str, parameters: int, multiply_adds: int, model: str) -> Size:
    published = TransformersModel(model, {}, reader=f"{__name__}.reader")
    weights = {"transformers": published}
    return Size(name, (), OPTIONS[name], parameters, multiply_adds, SAMPLES, 12, weights=weights)


FAMILY = Family(
    name="wav2vec2",
    title="Wav2Vec 2.0",
    input="audio",
    reference="Baevski et al. 2020, arXiv:2006.11477, as transformers' Wav2Vec2ForSequenceClassification and ForCTC",
    builder=f"{__name__}.network",
    task_options={"transcript": {"head": "transcript"}},
    head=("projector", LOGITS),
    scaled={**{f"features{n}": 8 for n in range(1, len(CONVOLUTIONS) + 1)}, "projection": 64, "projector": 8},
    figures="the paper gives 95 and 317 million parameters with the parts that pretraining alone needs (base, large)",
    # As transformers' example of audio classification: a small rate, a slow start. Masks are of spectrograms.
    recipe=Recipe(
        epochs=5,
        batch_size=32,
        optimizer=Optimizer(name="adamw", lr=3e-5, weight_decay=1e-2, clip_norm=1.0),
        schedule=Schedule(warmup_epochs=1),
        input=AudioSettings(front="waveform", frequency_masks=0, time_masks=0),
    ),
    recipes=RECIPES,
    sizes=(
        _size("small", 23_726_860, 1_741_923_840, "Wav2Vec2ForSequenceClassification"),
        _size("base", 94_570_764, 6_906_855_424, "facebook/wav2vec2-base"),
        _size("large", 315_703_052, 17_802_639_360, "facebook/wav2vec2-large-lv60"),
    ),
)
