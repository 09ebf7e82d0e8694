"""Loading data by the name of a source: `digits`, its splits, and refusals of unknown sources."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from zoo.data.load import load
from zoo.errors import ZooError
from zoo.inputs.image.data import Form
from zoo.inputs.image.preprocessing import open_image
from zoo.recipe import Split


@pytest.mark.parametrize("source", ["", "digit", "mnist", "tfds", "tfds:", "folder:", "digits:2", "http://x/y"])
def test_unknown_data_are_refused_with_all_forms(source: str) -> None:
    with pytest.raises(ZooError) as refused:
        load(source, "image", split=Split())
    assert "write csv:FILE[,FILE…], digits, files:PATH, folder:PATH or tfds:NAME[:VERSION]" in str(refused.value)


def test_a_near_miss_gets_a_hint() -> None:
    with pytest.raises(ZooError, match="did you mean 'digits'"):
        load("digit", "image", split=Split())


def test_digits_are_all_there_once_and_unchanged() -> None:
    data = load("digits", "image", split=Split(seed=3))
    assert data.labels == tuple("0123456789")
    assert (data.form, data.source, data.data_dir) == (Form((8, 8), 1), "digits", None)
    assert data.description().counts == {"train": 1295, "validation": 143, "test": 359}
    bundled = load_digits()
    numbers = []
    for images in (data.train, data.validation, data.test):
        assert images.in_memory
        assert images.total_bytes == sum(len(images.read(index)) for index in range(len(images)))
        for index, label in enumerate(images.targets):
            number = int(images.names(index).removeprefix("digits "))
            numbers.append(number)
            assert bundled.target[number] == label
            pixels = np.asarray(open_image(images.read(index)))
            np.testing.assert_array_equal(pixels, np.rint(bundled.images[number] / 16 * 255))
    assert sorted(numbers) == list(range(1797))
    shares = np.bincount(data.test.targets) / np.bincount(bundled.target)
    np.testing.assert_allclose(shares, 0.2, atol=0.005)


def test_the_fingerprint_of_digits_does_not_depend_on_png_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load("digits", "image", split=Split())
    save = Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda self, file, kind: save(self, file, kind, compress_level=0))
    second = load("digits", "image", split=Split())
    assert first.train.read(0) != second.train.read(0)
    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != load("digits", "image", split=Split(seed=1)).fingerprint


def test_the_split_shares_are_those_asked_for() -> None:
    data = load("digits", "image", split=Split(validation=0.25, test=0.4))
    assert len(data.test) == pytest.approx(0.4 * 1797, abs=5)
    assert len(data.validation) == pytest.approx(0.25 * 0.6 * 1797, abs=5)
