"""Tests of the forms of targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zoo.data.targets import array_of, bytes_of, classes_of, is_class


@pytest.mark.parametrize(
    ("targets", "dtype", "shape", "classes"),
    [
        ([0, 2, 1], np.int64, (3,), True),
        ([(0.5,), (2.0,)], np.float32, (2, 1), False),
        ([(1.0, 0.5), (0.0, 2.0)], np.float32, (2, 2), False),
        (["a word", "two words"], object, (2,), False),
        ([], np.int64, (0,), True),
    ],
    ids=["classes", "values", "several", "texts", "none"],
)
def test_each_form_has_one_array(targets: list[Any], dtype: type, shape: tuple[int, ...], classes: bool) -> None:
    array = array_of(targets)
    assert array.dtype == dtype
    assert array.shape == shape
    assert (classes_of(array) is not None) is classes
    assert all(is_class(target) is classes for target in targets)


def test_bytes_tell_forms_apart() -> None:
    assert len({bytes_of(target) for target in (1, (1.0,), (1.0, 0.0), "1", "1.0")}) == 5


def test_numbers_of_numpy_are_classes() -> None:
    assert is_class(np.int64(3))
    assert array_of([np.int64(3), np.int64(0)]).dtype == np.int64
    assert bytes_of(np.int64(3)) == bytes_of(3)
