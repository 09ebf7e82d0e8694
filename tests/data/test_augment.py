from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.inputs.image.augment import RANDOM_NUMBERS, augmented
from zoo.inputs.image.settings import ImageSettings

ALMOST_ONE = float(np.nextafter(np.float32(1), np.float32(0)))
chances = st.lists(st.floats(0, ALMOST_ONE, width=32), min_size=RANDOM_NUMBERS, max_size=RANDOM_NUMBERS)


def changed(pixels: np.ndarray, augment: ImageSettings, chance: list[float]) -> np.ndarray:
    result = augmented(tf.constant(pixels), augment, tf.constant(chance, tf.float32))
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
