"""Augmentation of images: flips, shifts, random crops and random erasing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.sample_images import encoded
from zoo.errors import ZooError
from zoo.inputs.image.augment import ERASE_NUMBERS, RANDOM_NUMBERS, augmented, crop, cropped, erased, more_numbers
from zoo.inputs.image.decoding import pixels_tensor
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings

ALMOST_ONE = float(np.nextafter(np.float32(1), np.float32(0)))
chances = st.lists(st.floats(0, ALMOST_ONE, width=32), min_size=RANDOM_NUMBERS, max_size=RANDOM_NUMBERS)


def wanted(height: int, width: int, channels: int = 3, **options: Any) -> Preprocessing:
    return Preprocessing(height, width, channels, (0.5,) * channels, (0.5,) * channels, **options)


def changed(pixels: np.ndarray, augment: ImageSettings, chance: list[float]) -> np.ndarray:
    """Augment an image that has the size of the network's input already."""
    file = encoded(Image.fromarray(pixels), "PNG")
    result = augmented(tf.constant(file), wanted(*pixels.shape), augment, tf.constant(chance, tf.float32))
    assert result.shape == pixels.shape
    assert result.dtype == tf.uint8
    return result.numpy()


def ramp(height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 2]: row and column numbers."""
    return np.stack(list(np.mgrid[:height, :width]), -1).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), chances, st.sampled_from([0.0, 0.1, 0.5]))
def test_shift_moves_and_reflects(height: int, width: int, chance: list[float], share: float) -> None:
    pixels = ramp(height, width)
    rows, columns = (
        np.clip(int(np.float32(place) * (2 * int(share * side) + 1)), 0, 2 * int(share * side)) - int(share * side)
        for place, side in zip(chance[3:5], (height, width), strict=True)
    )
    row = [(row + rows) for row in range(height)]
    column = [(column + columns) for column in range(width)]

    def reflected(places: list[int], side: int) -> list[int]:
        return [abs(place) if place < side else 2 * (side - 1) - place for place in places]

    expected = pixels[np.ix_(reflected(row, height), reflected(column, width))]
    np.testing.assert_array_equal(changed(pixels, ImageSettings(shift=share), chance), expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), chances, st.floats(0.01, 1))
def test_a_crop_is_a_part_of_at_least_the_smallest_area(
    height: int, width: int, chance: list[float], smallest: float
) -> None:
    pixels = ramp(height, width)
    result = changed(pixels, ImageSettings(smallest_crop=smallest), chance).astype(float)
    # Rows and columns still rise evenly, from one inside the image to another, and span the area.
    for axis, side in ((0, height), (1, width)):
        line = result[..., axis].take(0, axis=1 - axis)
        assert (np.diff(line) >= 0).all()
        assert line[0] >= 0
        assert line[-1] <= side - 1
        assert line[-1] - line[0] + 1 >= np.floor(np.sqrt(smallest) * side) - 1


def test_a_crop_of_everything_is_the_image() -> None:
    pixels = ramp(13, 17)
    np.testing.assert_array_equal(
        changed(pixels, ImageSettings(smallest_crop=0.3), [ALMOST_ONE] * RANDOM_NUMBERS), pixels
    )


def test_flip_mirrors_half_of_them_left_to_right() -> None:
    pixels = ramp(5, 7)
    np.testing.assert_array_equal(changed(pixels, ImageSettings(flip=True), [0.0] * 5 + [0.49]), pixels[:, ::-1])
    np.testing.assert_array_equal(changed(pixels, ImageSettings(flip=True), [0.0] * 5 + [0.5]), pixels)


def test_nothing_happens_unless_asked_for() -> None:
    pixels = ramp(5, 7)
    np.testing.assert_array_equal(changed(pixels, ImageSettings(), [0.1] * RANDOM_NUMBERS), pixels)


def smooth(height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3]: colors that change slowly, so that two ways to scale them agree."""
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(5 * rows + 3 * columns), np.cos(4 * columns), np.sin(6 * rows)]
    return np.rint(127 + 100 * np.stack(waves, -1)).astype(np.uint8)


@pytest.mark.parametrize("size", [(300, 400), (400, 300), (640, 2000), (64, 64), (61, 100)])
@pytest.mark.parametrize("options", [{}, {"crop_pct": 0.875}, {"resize_mode": "squash"}], ids=str)
def test_a_crop_of_everything_is_what_evaluation_shows(size: tuple[int, int], options: dict[str, Any]) -> None:
    preprocessing = wanted(64, 64, **options)
    image = Image.fromarray(smooth(*size))
    for file in (encoded(image, "PNG"), encoded(image, "JPEG", quality=95)):
        shown = pixels_tensor(tf.constant(file), preprocessing).numpy().astype(int)
        whole = cropped(tf.constant(file), preprocessing, 0.3, tf.constant(1.0), tf.constant([0.0, 0.0]))
        assert np.abs(whole.numpy().astype(int) - shown).max() <= 8


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 900), st.integers(8, 900), chances, st.floats(0.05, 1))
def test_a_crop_lies_in_what_evaluation_shows(height: int, width: int, chance: list[float], smallest: float) -> None:
    preprocessing = wanted(32, 48, crop_pct=0.8)
    start, part = crop(
        tf.constant([height, width]), preprocessing, smallest, *tf.split(tf.constant(chance[:3]), [1, 2])
    )
    start, part = start.numpy(), part.numpy()
    scale = max(40 / height, 60 / width)
    shown = np.array([32, 48]) / scale
    first = (np.array([height, width]) - shown) / 2
    assert (start >= np.floor(first) - 2).all()
    assert (start + part <= np.ceil(first + shown) + 2).all()
    assert (start >= 0).all()
    assert (start + part <= [height, width]).all()
    assert (part >= np.sqrt(smallest) * shown - 2).all()


def test_a_jpeg_is_decoded_no_more_finely_than_needed_and_comes_out_alike() -> None:
    image = Image.fromarray(smooth(1200, 1600))
    preprocessing = wanted(64, 64)
    jpeg, png = (tf.constant(encoded(image, *form)) for form in (("JPEG",), ("PNG",)))
    for area, place in ((0.0, [0.0, 0.0]), (0.4, [0.9, 0.2]), (0.9, [0.5, 0.5])):
        both = [
            cropped(file, preprocessing, 0.05, tf.constant(area), tf.constant(place)).numpy() for file in (jpeg, png)
        ]
        assert np.abs(np.subtract(*both, dtype=int)).max() <= 8


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("form", [("L", "JPEG"), ("RGB", "JPEG"), ("RGBA", "PNG"), ("L", "PNG")], ids="-".join)
def test_crops_have_the_channels_of_the_network(channels: int, form: tuple[str, str]) -> None:
    mode, kind = form
    file = tf.constant(encoded(Image.fromarray(smooth(90, 120)).convert(mode), kind))
    preprocessing = wanted(32, 32, channels)
    shown = pixels_tensor(file, preprocessing).numpy().astype(int)
    whole = cropped(file, preprocessing, 0.3, tf.constant(1.0), tf.constant([0.0, 0.0])).numpy()
    assert whole.shape == shown.shape
    assert np.abs(whole - shown).max() <= 8


@settings(max_examples=40, deadline=None)
@given(
    st.integers(8, 900), st.integers(8, 900), st.floats(0.05, 1), st.floats(0.25, 4), st.floats(0, ALMOST_ONE, width=32)
)
def test_a_crop_of_another_aspect_ratio_keeps_its_area(
    height: int, width: int, area: float, stretch: float, place: float
) -> None:
    start, part = crop(
        tf.constant([height, width]), wanted(32, 48), area, tf.constant(0.0), tf.fill([2], place), tf.constant(stretch)
    )
    _, shown = crop(tf.constant([height, width]), wanted(32, 48), 1.0, tf.constant(0.0), tf.zeros(2))
    ratio = np.clip(stretch, area, 1 / area)
    expected = shown.numpy() * np.sqrt([area / ratio, area * ratio])
    assert (np.abs(part.numpy() - expected) <= 2).all()
    assert (start.numpy() >= 0).all()
    assert (start + part <= [height, width]).numpy().all()


def test_a_random_number_decides_the_aspect_ratio_of_a_crop() -> None:
    pixels = ramp(40, 40)
    augment = ImageSettings(smallest_crop=0.25, crop_ratio=2.0)
    chance = [0.0] * RANDOM_NUMBERS
    for ratio, sides in ((0.0, (20 * 2**0.5, 20 / 2**0.5)), (0.5, (20, 20)), (ALMOST_ONE, (20 / 2**0.5, 20 * 2**0.5))):
        found = changed(pixels, augment, [*chance, ratio])
        for axis in range(2):
            assert abs(found[-1, -1, axis] + 1 - sides[axis]) <= 1.5


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.sampled_from(["noise", "mean"]), st.integers(0, 999)
)
def test_erasing_is_of_a_rectangle(height: int, width: int, channels: int, filling: str, seed: int) -> None:
    augment = ImageSettings(erase=0.5, erase_with=filling)  # type: ignore[arg-type]
    pixels = np.zeros((height, width, channels), np.uint8)
    random = tf.unstack(tf.constant(np.random.default_rng(seed).random(ERASE_NUMBERS - 1, np.float32)))
    result = erased(tf.constant(pixels), wanted(*pixels.shape), augment, random)
    assert (result.shape, result.dtype) == (pixels.shape, tf.uint8)
    found = result.numpy()
    rows, columns = (found.any((1, 2)), found.any((0, 2)))
    if filling == "mean":
        inside = found[np.ix_(rows, columns)]
        assert (inside == 128).all()
        assert inside.size == np.count_nonzero(found)
        assert rows.sum() * columns.sum() <= max(height, width, 0.42 * height * width + height + width)
    elif found.size > 400:
        assert len(np.unique(found)) > 3


def test_as_many_images_are_erased_as_the_recipe_says() -> None:
    pixels, others = ramp(12, 12), [0.5] * (RANDOM_NUMBERS + ERASE_NUMBERS)
    for chance, erased_too in ((0.0, True), (0.29, True), (0.31, False)):
        others[RANDOM_NUMBERS] = chance
        assert (changed(pixels, ImageSettings(erase=0.3), others) != pixels).any() == erased_too


def test_nothing_of_the_random_numbers_is_shared_by_two_changes() -> None:
    augment = ImageSettings(smallest_crop=0.5, crop_ratio=1.5, policy="randaugment", erase=1.0)
    assert more_numbers(augment) == (1, 6, ERASE_NUMBERS)
    assert more_numbers(ImageSettings(policy="trivialaugment")) == (0, 3, 0)
    assert more_numbers(ImageSettings(flip=True, shift=0.1, smallest_crop=0.1)) == (0, 0, 0)
    pixels, numbers = ramp(24, 24), RANDOM_NUMBERS + sum(more_numbers(augment))
    chance = np.random.default_rng(3).random(numbers, np.float32)
    whole = changed(np.concatenate([pixels, pixels[..., :1]], -1), augment, list(chance))
    assert whole.shape == (24, 24, 3)


def test_a_ratio_without_a_crop_is_refused() -> None:
    with pytest.raises(ZooError, match=r"image\.smallest_crop=1 makes none: set that below 1"):
        ImageSettings(crop_ratio=1.33)
