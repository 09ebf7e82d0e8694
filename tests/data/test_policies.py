"""The operations of augmentation policies: those of Pillow, pixel for pixel, on images of any size and channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from zoo.inputs.image import policies
from zoo.inputs.image.policies import OPERATIONS, RANDOM_NUMBERS_EACH, changed
from zoo.inputs.image.preprocessing import MODES
from zoo.inputs.image.settings import ImageSettings

WITHOUT_AMOUNT = ("identity", "auto_contrast", "equalize")
ENHANCERS = {
    "color": ImageEnhance.Color,
    "contrast": ImageEnhance.Contrast,
    "brightness": ImageEnhance.Brightness,
    "sharpness": ImageEnhance.Sharpness,
}
PLACES: dict[str, Callable[[float, int, int], tuple[float, ...]]] = {
    "shear_x": lambda amount, height, width: (1, amount, -amount * height / 2, 0, 1, 0),
    "shear_y": lambda amount, height, width: (1, 0, 0, amount, 1, -amount * width / 2),
    "translate_x": lambda amount, height, width: (1, 0, amount * width, 0, 1, 0),
    "translate_y": lambda amount, height, width: (1, 0, 0, 0, 1, amount * height),
}


def pixels(height: int, width: int, channels: int, seed: int) -> np.ndarray:
    """Images of noise, of a few colors, of one color, and with a smooth part."""
    generator = np.random.default_rng(seed)
    low, high = sorted(generator.choice(257, 2, replace=False).tolist())
    image = generator.integers(low, high, (height, width, channels))
    if seed % 3 == 1:
        image = image // 64 * 64
    if seed % 3 == 2:
        image[: height // 2] = np.arange(width)[:, None] * 255 // width
    return image.astype(np.uint8)


def applied(name: str, image: np.ndarray, amount: float) -> np.ndarray:
    found = OPERATIONS[name].apply(tf.constant(image), tf.constant(amount, tf.float32))
    assert found.shape == image.shape
    assert found.dtype == tf.uint8
    return found.numpy()


def by_pillow(name: str, image: np.ndarray, amount: float) -> np.ndarray:
    height, width, channels = image.shape
    given = Image.fromarray(image[..., 0] if channels == 1 else image, MODES[channels])
    if name in ENHANCERS:
        made = ENHANCERS[name](given).enhance(1 + amount)
    elif name in PLACES:
        made = given.transform(given.size, Image.Transform.AFFINE, PLACES[name](amount, height, width))
    else:
        made = {
            "identity": lambda: given,
            "auto_contrast": lambda: ImageOps.autocontrast(given),
            "equalize": lambda: ImageOps.equalize(given),
            "posterize": lambda: ImageOps.posterize(given, 8 - round(amount)),
            "solarize": lambda: ImageOps.solarize(given, 256 - round(amount)),
            "rotate": lambda: given.rotate(amount),
        }[name]()
    return np.asarray(made).reshape(image.shape)


def amounts(name: str) -> Any:
    """Amounts within the allowed range, exact in float32: 64 steps of an enhancement, whole degrees, bits, levels."""
    operation = OPERATIONS[name]
    greatest = max(operation.randaugment, operation.trivialaugment)
    steps = 64 if greatest < 1 else 1
    return st.integers(-int(greatest * steps) * operation.signed, int(greatest * steps)).map(lambda one: one / steps)


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=8, deadline=None)
@given(st.data())
def test_an_operation_is_that_of_pillow(name: str, data: st.DataObject) -> None:
    height, width = (data.draw(st.integers(3, 40)) for _ in range(2))
    channels = data.draw(st.sampled_from([3] if OPERATIONS[name].colored else [1, 3]))
    image, amount = pixels(height, width, channels, data.draw(st.integers(0, 2**16))), data.draw(amounts(name))
    np.testing.assert_array_equal(applied(name, image, amount), by_pillow(name, image, amount))


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=5, deadline=None)
@given(st.data())
def test_an_operation_keeps_shape_and_alpha_and_does_nothing_with_an_amount_of_0(
    name: str, data: st.DataObject
) -> None:
    channels = data.draw(st.sampled_from([4] if OPERATIONS[name].colored else [2, 4]))
    height, width, seed = (data.draw(st.integers(1, most)) for most in (12, 12, 99))
    image = pixels(height, width, channels, seed)
    found = applied(name, image, data.draw(amounts(name)))
    if name not in PLACES and name != "rotate":
        np.testing.assert_array_equal(found[..., -1], image[..., -1])
    if name == "identity" or name not in WITHOUT_AMOUNT:
        np.testing.assert_array_equal(applied(name, image, 0.0), image)


@pytest.mark.parametrize("channels", [1, 3])
def test_random_numbers_decide_operation_strength_and_sign(channels: int) -> None:
    image = pixels(20, 30, channels, 5)
    choices = [name for name, one in OPERATIONS.items() if channels == 3 or not one.colored]
    for number, name in enumerate(choices):
        operation, which = OPERATIONS[name], (number + 0.5) / len(choices)
        for sign in (0.4, 0.6):
            side = -1 if operation.signed and sign < 0.5 else 1
            for recipe, amount in (
                (
                    ImageSettings(policy="randaugment", policy_magnitude=5, policy_operations=1),
                    operation.randaugment / 2,
                ),
                (ImageSettings(policy="trivialaugment"), operation.trivialaugment * 15 / 30),
            ):
                found = changed(tf.constant(image), recipe, tf.constant([which, 15.5 / 31, sign]))
                np.testing.assert_array_equal(found, applied(name, image, side * amount), err_msg=name)


def test_randaugment_applies_operations_one_after_the_other() -> None:
    image, names = pixels(16, 16, 3, 0), list(OPERATIONS)
    random = [number for name in ("rotate", "solarize") for number in ((names.index(name) + 0.5) / len(names), 0, 0.9)]
    recipe = ImageSettings(policy="randaugment", policy_magnitude=10)
    found = changed(tf.constant(image), recipe, tf.constant(random, tf.float32))
    expected = applied("solarize", applied("rotate", image, 30.0), 256.0)
    np.testing.assert_array_equal(found, expected)
    assert policies.operations_of(recipe) * RANDOM_NUMBERS_EACH == len(random)


@pytest.mark.parametrize("channels", [2, 4])
@settings(max_examples=8, deadline=None)
@given(st.floats(0, 10), st.integers(0, 999))
def test_a_policy_keeps_shape_and_dtype(channels: int, magnitude: float, seed: int) -> None:
    image = pixels(7, 9, channels, seed)
    recipe = ImageSettings(policy="randaugment", policy_magnitude=magnitude, policy_operations=3)
    found = changed(tf.constant(image), recipe, tf.constant(np.random.default_rng(seed).random(9, np.float32)))
    assert (found.shape, found.dtype) == (image.shape, tf.uint8)
