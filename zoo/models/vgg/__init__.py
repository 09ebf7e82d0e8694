"""VGG with batch normalization."""

from __future__ import annotations

from zoo.family import Family, Size
from zoo.inputs.image.settings import ImageSettings
from zoo.models.vgg.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule
from zoo.structure import Structure, kept_halvings
from zoo.weights.names import Names
from zoo.weights.pretrained import (
    BSD,
    KERAS_TAG,
    NORM,
    TORCHVISION,
    KerasApplication,
    Published,
    PublishedInput,
    Tag,
    Triple,
)

WINDOW = 7
"""The side of the map that the first dense layer sees, in pixels."""

KERAS_NAMES: Names = {
    "block{s}_conv{n}": "stage{s}_conv{n}",
    "fc{n}": "head{n}",
    "predictions": "logits",
}


def timm_names(convolutions: tuple[int, ...]) -> Names:
    """Return the table of timm's names, which number every step of all stages: convolution, norm, ReLU, …, pool."""
    rows, step = {}, 0
    for stage, count in enumerate(convolutions, start=1):
        for number in range(1, count + 1):
            rows[f"features.{step}"] = f"stage{stage}_conv{number}"
            rows[f"features.{step + 1}"] = f"stage{stage}_conv{number}_norm"
            step += 3
        step += 1
    return {**rows, "pre_logits.fc{n}": "head{n}", "head.fc": "logits"}


_MEAN: Triple = (123.68 / 255, 116.779 / 255, 103.939 / 255)
_STD: Triple = (1 / 255, 1 / 255, 1 / 255)
# Scaled and cropped as in the paper, section 3.2; mean and std are of Keras' own preprocess_input.
_KERAS_INPUT = PublishedInput(224, interpolation="bilinear", mean=_MEAN, std=_STD)
# License: README of github.com/fchollet/deep-learning-models.
_KERAS_TAG = Tag(KERAS_TAG, "CC-BY-4.0", _KERAS_INPUT)

_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _size(name: str, layers: int, parameters: int, multiply_adds: int, keras: str | None = None) -> Size:
    """Return the row of the network with `layers` weight layers; `keras` is its name in keras.applications."""
    convolutions = _CONVOLUTIONS[layers]
    names = timm_names(convolutions)
    weights = {"timm": Published(f"vgg{layers}_bn", names, (Tag("tv_in1k", BSD, TORCHVISION),))}
    if keras:
        # Keras' VGG has no batch normalization.
        weights["keras"] = KerasApplication(keras, KERAS_NAMES, (_KERAS_TAG,), epsilon=0.0, norm_lacks=NORM, bgr=True)
    options = {"convolutions": convolutions}
    return Size(name, (f"vgg{layers}",), options, parameters, multiply_adds, smallest_side=32, weights=weights)


def structure(size: Size, height: int, width: int) -> Structure:
    """Choose a structure: the head sees the whole last map, of 7×7 pixels at most."""
    halvings = kept_halvings(min(height, width), size.halvings)
    return Structure(halvings, window=(min(WINDOW, height >> halvings), min(WINDOW, width >> halvings)))


FAMILY = Family(
    name="vgg",
    title="VGG with batch normalization",
    reference="Simonyan & Zisserman 2014, arXiv:1409.1556 (A, D, E), as torchvision's vgg11_bn, vgg16_bn, vgg19_bn",
    builder=f"{__name__}.network",
    figures="torchvision's weights",
    small_images="pools are left out, from the first on, while the last map is under 4 pixels; the head spans what "
    "map is left",
    structure=structure,
    recipe=Recipe(
        epochs=60,
        label_smoothing=0.1,
        optimizer=Optimizer(lr=0.02, clip_norm=1.0),
        schedule=Schedule(warmup_epochs=2),
        input=ImageSettings(shift=0.1),
    ),
    recipes=RECIPES,
    sizes=(
        _size("small", 11, 132_868_840, 7_609_090_048),
        _size("base", 16, 138_365_992, 15_470_264_320, keras="VGG16"),
        _size("large", 19, 143_678_248, 19_632_062_464, keras="VGG19"),
    ),
)
