"""The batches of training and evaluation: their order, their examples, and that threads do not change them."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.sample_images import encoded, noise
from zoo.data.dataset import Dataset, Examples
from zoo.data.load import load
from zoo.data.pipeline import encoded_batches
from zoo.data.share import Share
from zoo.errors import ZooError
from zoo.inputs.image import batches as image_batches
from zoo.inputs.image.batches import evaluation_batches, training_batches
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings
from zoo.recipe import Split

PLAIN = Preprocessing(8, 8, 1, (0.0,), (1.0,))
EVERYTHING = ImageSettings(flip=True, shift=0.2, smallest_crop=0.5)
UNCHANGED = "12d4e92c67126592074a3d76dcad8366480b4feaf179514292eb1be1c3cdde1c"
STRONG = dataclasses.replace(EVERYTHING, crop_ratio=1.33, policy="randaugment", policy_operations=1, erase=0.5)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", "image", split=Split())


def hashes(batches: Any) -> list[str]:
    return [
        hashlib.sha256(inputs["image"].numpy().tobytes() + labels.numpy().tobytes()).hexdigest()
        for inputs, labels in batches
    ]


def pixel_batches(images: Examples, preprocessing: Preprocessing, *, batch_size: int) -> Any:
    for inputs, labels in encoded_batches(images, preprocessing, batch_size=batch_size):
        yield inputs["image"], labels


def epoch(images: Examples, **changes: Any) -> Any:
    arguments: dict[str, Any] = {"augment": EVERYTHING, "batch_size": 100, "seed": 1, "epoch": 2} | changes
    return training_batches(images, PLAIN, arguments.pop("augment"), **arguments)


def test_an_epoch_has_every_image_but_the_last_few_in_random_order(digits: Dataset) -> None:
    batches = epoch(digits.train, augment=ImageSettings())
    inputs, labels = batches.element_spec
    images = inputs["image"]
    assert (images.shape, images.dtype.name) == ((100, 8, 8, 1), "float32")
    assert (labels.shape, labels.dtype.name) == ((100,), "int64")
    seen = [
        (image.tobytes(), label)
        for inputs, labels in batches.as_numpy_iterator()
        for image, label in zip(inputs["image"], labels, strict=True)
    ]
    assert len(seen) == 1200
    stored = [
        ((pixels.astype(np.float32) * np.float32(1 / 255)).tobytes(), label)
        for pixels_of_batch, labels in pixel_batches(digits.train, PLAIN, batch_size=50)
        for pixels, label in zip(pixels_of_batch, labels, strict=True)
    ]
    assert not Counter(seen) - Counter(stored)
    assert seen != stored[:1200]


def test_the_first_batches_can_be_left_out_and_are_not_read(digits: Dataset) -> None:
    read: list[int] = []

    def reading(index: int) -> Any:
        read.append(index)
        return digits.train.read(index)

    on_disk = dataclasses.replace(digits.train, read=reading, in_memory=False)
    whole = hashes(epoch(digits.train))
    assert hashes(epoch(on_disk, start=9)) == whole[9:]
    assert len(read) <= 300 + len(digits.train) % 100
    assert hashes(epoch(digits.train, start=12)) == []


def test_the_same_seed_and_epoch_give_the_same_batches_and_others_do_not(digits: Dataset) -> None:
    first = hashes(epoch(digits.train))
    assert hashes(epoch(digits.train)) == first
    for other in (
        epoch(digits.train, epoch=3),
        epoch(digits.train, seed=2),
        epoch(digits.train, augment=ImageSettings()),
    ):
        assert not set(hashes(other)) & set(first)


def test_augmentation_does_not_depend_on_the_batch_size(digits: Dataset) -> None:
    large = np.concatenate([inputs["image"] for inputs, _ in epoch(digits.train, batch_size=600).as_numpy_iterator()])
    small = np.concatenate([inputs["image"] for inputs, _ in epoch(digits.train, batch_size=200).as_numpy_iterator()])
    np.testing.assert_array_equal(large, small)


def test_images_without_policy_and_erasing_are_what_they_were(digits: Dataset) -> None:
    # Neither shift nor flip computes with pixels, so that they are the same on every machine.
    found = hashes(epoch(digits.train, augment=ImageSettings(flip=True, shift=0.2)))
    assert hashlib.sha256("".join(found).encode()).hexdigest() == UNCHANGED


def test_strong_augmentation_is_the_same_with_any_number_of_threads_and_for_any_share(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = digits.train.only(np.arange(200))

    def images(**changes: Any) -> np.ndarray:
        batches = epoch(train, augment=STRONG, batch_size=40, **changes)
        return np.stack([inputs["image"] for inputs, _ in batches.as_numpy_iterator()])

    first = images()
    monkeypatch.setattr(image_batches, "usable_cpus", lambda: 7)
    np.testing.assert_array_equal(images(), first)
    second_half = images(start=1, share=Share(1, 2))
    np.testing.assert_array_equal(second_half, first[1:, 20:])
    assert (images(epoch=3) != first).mean() > 0.2


def test_threads_processes_and_reading_from_disk_change_nothing(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hashes(epoch(digits.train))
    for threads in (1, 7):
        monkeypatch.setattr(image_batches, "usable_cpus", lambda threads=threads: threads)
        assert hashes(epoch(digits.train)) == first
    assert hashes(epoch(dataclasses.replace(digits.train, in_memory=False))) == first
    load = "t.load('digits', 'image', split=t.Split())"
    script = f"import tests.data.test_pipeline as t; print(t.hashes(t.epoch({load}.train)))"
    root = Path(__file__).parents[2]
    answer = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == str(first)


def test_crops_of_jpegs_are_the_same_with_any_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(24):
        place = tmp_path / "ab"[number % 2] / f"{number}.jpg"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(encoded(noise("RGB", 40 + number, 90 - number, seed=number), "JPEG"))
    images = load(f"folder:{tmp_path}", "image", split=Split()).train
    wanted = Preprocessing(24, 16, 3, (0.5,) * 3, (0.5,) * 3)

    def batches() -> list[str]:
        return hashes(training_batches(images, wanted, EVERYTHING, batch_size=4, seed=1, epoch=2))

    assert images.files(0) == str(tmp_path / images.names(0))
    first = batches()
    assert len(set(first)) == len(images) // 4
    monkeypatch.setattr(image_batches, "LARGEST_TENSOR", 0)
    for others in ({"files": lambda index: ""}, {"files": lambda index: "", "in_memory": True}):
        images = dataclasses.replace(images, **others)
        assert batches() == first
    monkeypatch.setattr(image_batches, "usable_cpus", lambda: 7)
    assert batches() == first


def test_a_batch_larger_than_the_split_is_refused(digits: Dataset) -> None:
    with pytest.raises(ZooError, match=r"a batch of 2000 is more than the 1295 training examples: --set"):
        epoch(digits.train, batch_size=2000)


def test_evaluation_is_in_order_and_padded_with_weight_zero(digits: Dataset) -> None:
    batches = evaluation_batches(digits.test, PLAIN, batch_size=100)
    inputs, *others = batches.element_spec
    assert [tuple(spec.shape) for spec in (inputs["image"], *others)] == [(100, 8, 8, 1), (100,), (100,)]
    rows = [(inputs["image"], labels, weights) for inputs, labels, weights in batches.as_numpy_iterator()]
    images, labels, weights = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    assert weights.dtype == np.float32
    assert weights.tolist() == [1.0] * 359 + [0.0] * 41
    np.testing.assert_array_equal(labels[:359], digits.test.targets)
    pixels = np.concatenate([pixels for pixels, _ in pixel_batches(digits.test, PLAIN, batch_size=100)])
    np.testing.assert_array_equal(images[:359], pixels.astype(np.float32) * np.float32(1 / 255))


@pytest.mark.parametrize("batch_size", [1, 100, 359, 1000])
def test_pixel_batches_are_every_image_in_order(digits: Dataset, batch_size: int) -> None:
    batches = list(pixel_batches(digits.test, PLAIN, batch_size=batch_size))
    assert [len(labels) for _, labels in batches[:-1]] == [batch_size] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), digits.test.targets)
    assert all(pixels.dtype == np.uint8 and pixels.shape == (len(labels), 8, 8, 1) for pixels, labels in batches)


def test_pixel_batches_name_what_cannot_be_read_any_more(digits: Dataset) -> None:
    broken = dataclasses.replace(digits.test, read=lambda index: b"gone")
    with pytest.raises(ZooError, match="not a JPEG, PNG, BMP or GIF but text"):
        list(pixel_batches(broken, PLAIN, batch_size=10))


def test_images_of_all_sizes_and_colors_come_out_alike(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number, mode in enumerate(("L", "RGB", "RGBA", "CMYK", "P", "I;16", "1") * 2):
            kind = "JPEG" if mode == "CMYK" else "PNG"
            path = tmp_path / label / f"{number}.{kind}"
            path.write_bytes(encoded(noise(mode, 20 + number, 50 - number, seed=number), kind))
    data = load(f"folder:{tmp_path}", "image", split=Split())
    wanted = Preprocessing(24, 16, 3, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), crop_pct=0.9)
    pixels = np.concatenate([pixels for pixels, _ in pixel_batches(data.train, wanted, batch_size=4)])
    batches = evaluation_batches(data.train, wanted, batch_size=4)
    images = np.concatenate([inputs["image"] for inputs, _, _ in batches.as_numpy_iterator()])[: len(data.train)]
    scale, offset = wanted.scale_and_offset()
    assert (np.abs(images - (pixels * scale + offset)) <= scale * 1.01).all()
