"""The two implementations of `zoo.inputs.image.preprocessing`, by Pillow and by TensorFlow, give the same pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.sample_images import encoded, noise
from zoo.errors import ZooError
from zoo.inputs.image.decoding import normalized, pixels_tensor
from zoo.inputs.image.labeled_image import inspect_image
from zoo.inputs.image.photographs import photographs
from zoo.inputs.image.preprocessing import Preprocessing, covering, open_image, pixels_from_bytes
from zoo.inputs.image.uploads import uploaded_pixels

SOURCES: list[tuple[str, str, dict[str, Any]]] = [
    ("L", "PNG", {}),
    ("LA", "PNG", {}),
    ("RGB", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("P", "PNG", {}),
    ("P", "PNG", {"transparency": bytes(range(256))}),
    ("L", "PNG", {"transparency": 7}),
    ("I;16", "PNG", {}),
    ("1", "PNG", {}),
    ("P", "PNG", {"bits": 2}),
    ("L", "JPEG", {}),
    ("RGB", "JPEG", {}),
    ("RGB", "JPEG", {"progressive": True, "subsampling": 2}),
    ("CMYK", "JPEG", {}),
    ("RGB", "BMP", {}),
    ("P", "GIF", {}),
    ("P", "GIF", {"transparency": 3}),
]


LEVELS = {"bilinear": 1, "bicubic": 2}


def preprocessing(
    height: int,
    width: int,
    channels: int,
    crop: float = 1.0,
    interpolation: str = "bilinear",
    resize_mode: str = "shortest",
) -> Preprocessing:
    half = (0.5,) * channels
    return Preprocessing(height, width, channels, half, half, crop, interpolation, resize_mode)  # type: ignore[arg-type]


def both(image: bytes, wanted: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    by_pillow = pixels_from_bytes(image, wanted)
    by_tensorflow = pixels_tensor(tf.constant(image), wanted).numpy()
    assert by_pillow.dtype == by_tensorflow.dtype == np.uint8
    assert by_pillow.shape == by_tensorflow.shape == wanted.shape
    return by_pillow.astype(int), by_tensorflow.astype(int)


@settings(max_examples=150, deadline=None)
@given(
    source=st.sampled_from(SOURCES),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    wanted=st.builds(
        preprocessing,
        st.integers(1, 40),
        st.integers(1, 40),
        st.integers(1, 4),
        st.sampled_from([1.0, 0.875, 0.6]),
        st.sampled_from(["bilinear", "bicubic"]),
        st.sampled_from(["shortest", "squash"]),
    ),
    seed=st.integers(0, 1000),
)
def test_they_agree_on_images_of_datasets(
    source: tuple[str, str, dict[str, object]], size: tuple[int, int], wanted: Preprocessing, seed: int
) -> None:
    mode, format_name, options = source
    file = encoded(noise(mode, *size, seed=seed), format_name, **options)
    _, plain = inspect_image(file, split="train", target=0, name="", path="")
    by_pillow, by_tensorflow = both(plain, wanted)
    assert np.abs(by_pillow - by_tensorflow).max() <= LEVELS[wanted.interpolation]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("side", "crop", "resize_mode"), [(224, 0.95, "shortest"), (299, 0.8975, "shortest"), (96, 1.0, "squash")]
)
def test_they_agree_on_photographs(side: int, crop: float, resize_mode: str, interpolation: str) -> None:
    images = photographs(16)
    wanted = preprocessing(side, side, 3, crop, interpolation, resize_mode)
    differences = np.concatenate([np.subtract(*both(images.read(index), wanted)).ravel() for index in range(16)])
    assert np.abs(differences).max() <= LEVELS[interpolation]
    if interpolation == "bicubic":  # clipped and rounded in two steps by both: most values are the same
        assert (differences != 0).mean() < 1e-3


@pytest.mark.parametrize(
    ("image", "side", "crop", "resize_mode", "scaled"),
    [
        ((427, 640), 224, 0.95, "shortest", (235, 352)),
        ((640, 427), 224, 0.875, "shortest", (383, 256)),
        ((30, 100), 299, 0.875, "shortest", (341, 1136)),
        ((427, 640), 384, 1.0, "squash", (384, 384)),
        ((427, 640), 300, 0.96, "squash", (312, 312)),
    ],
)
def test_sizes_are_those_of_timm(
    image: tuple[int, int], side: int, crop: float, resize_mode: str, scaled: tuple[int, int]
) -> None:
    """Compare with the sizes of `transforms_imagenet_eval` of timm 1.0.31."""
    assert covering(*image, preprocessing(side, side, 3, crop, resize_mode=resize_mode)) == scaled


def test_the_width_is_resized_first() -> None:
    """Pillow's own order depends on its version, and bicubic results are clipped between the two passes."""
    image = Image.fromarray((np.asarray(noise("L", 36, 39)) > 127).astype(np.uint8) * 255)
    wanted = image.resize((43, 36), Image.Resampling.BICUBIC).resize((43, 24), Image.Resampling.BICUBIC)
    by_pillow, _ = both(encoded(image, "PNG"), preprocessing(24, 43, 1, 1.0, "bicubic", "squash"))
    np.testing.assert_array_equal(by_pillow[..., 0], np.asarray(wanted))


@pytest.mark.parametrize("source", [source for source in SOURCES if source[1] in ("JPEG", "PNG")], ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_they_agree_on_uploads(source: tuple[str, str, dict[str, object]], channels: int) -> None:
    mode, format_name, options = source
    file = encoded(noise(mode, 37, 53), format_name, **options)
    by_pillow, by_tensorflow = both(file, preprocessing(24, 24, channels))
    differences = np.abs(by_pillow - by_tensorflow)
    if channels in (2, 4) and (mode == "1" or "bits" in options):
        # TensorFlow makes 1 or 3 of the alpha of opaque PNGs of one or two bits.
        differences = differences[..., :-1]
    # CMYK is turned into RGB with other roundings.
    assert differences.max() <= (2 if mode == "CMYK" else 1)


def test_transcoding_keeps_what_pillow_sees() -> None:
    for mode, format_name, options in SOURCES:
        file = encoded(noise(mode, 37, 53), format_name, **options)
        _, plain = inspect_image(file, split="train", target=0, name="", path="")
        for channels in (1, 2, 3, 4):
            wanted = preprocessing(20, 20, channels)
            np.testing.assert_array_equal(pixels_from_bytes(plain, wanted), pixels_from_bytes(file, wanted))


def test_an_image_of_the_wanted_size_is_left_as_it_is() -> None:
    image = noise("RGB", 21, 34)
    by_pillow, by_tensorflow = both(encoded(image, "PNG"), preprocessing(21, 34, 3))
    np.testing.assert_array_equal(by_pillow, np.asarray(image))
    np.testing.assert_array_equal(by_tensorflow, np.asarray(image))


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    image = Image.fromarray(np.array([[0, 255, 256, 32768, 65535]], np.uint16))
    by_pillow, by_tensorflow = both(encoded(image, "PNG"), preprocessing(1, 5, 1))
    assert by_pillow[0, :, 0].tolist() == by_tensorflow[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_normalized_is_what_scale_and_offset_say() -> None:
    wanted = Preprocessing(4, 5, 3, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    pixels = np.asarray(noise("RGB", 4, 5))
    expected = (pixels / 255 - np.array(wanted.mean)) / np.array(wanted.std)
    np.testing.assert_allclose(normalized(pixels, wanted), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(16_000, 1), (1, 16_000), (150, 16_000)])
@pytest.mark.parametrize("resize_mode", ["shortest", "squash"])
def test_a_very_narrow_image_is_refused_before_it_is_resized(shape: tuple[int, int], resize_mode: str) -> None:
    """1 by 16,000 pixels would become 900 by 14 million, with 900 by 16,000 as the intermediate size."""
    narrow, wanted = encoded(Image.new("L", shape), "PNG"), preprocessing(900, 900, 1, resize_mode=resize_mode)
    with pytest.raises(ZooError, match="too narrow"):
        pixels_from_bytes(narrow, wanted)
    with pytest.raises(tf.errors.InvalidArgumentError, match="too large when scaled"):
        pixels_tensor(tf.constant(narrow), wanted)
    _, (reason,) = uploaded_pixels(tf.constant([narrow]), wanted)
    assert reason.numpy().endswith(b" pixels, too narrow to be scaled to cover 900 by 900")


def test_a_photograph_of_25_megapixels_covers_every_size_that_a_network_may_have() -> None:
    for side in (8, 224, 512, 1024, 1333, 2048, 4096):
        for resize_mode in ("shortest", "squash"):
            assert covering(4000, 6000, preprocessing(side, side, 3, 0.95, resize_mode=resize_mode))


@settings(max_examples=300, deadline=None)
@given(
    source=st.sampled_from(SOURCES),
    place=st.floats(0, 1, exclude_max=True),
    change=st.one_of(st.just("cut"), st.integers(1, 255)),
)
def test_a_damaged_image_is_read_or_refused_in_one_line(
    source: tuple[str, str, dict[str, object]], place: float, change: str | int
) -> None:
    mode, format_name, options = source
    file = bytearray(encoded(noise(mode, 12, 9), format_name, **options))
    index = int(place * len(file))
    if isinstance(change, str):
        del file[index:]
    else:
        file[index] ^= change
    refusal = ""
    try:
        image = open_image(bytes(file))
    except ZooError as error:
        refusal = str(error)
    assert "\n" not in refusal
    if not refusal and image.format == "PNG":
        tf.io.decode_png(bytes(file), channels=3)


def test_files_that_are_no_images_are_refused(tmp_path: Path) -> None:
    tiff = io.BytesIO()
    noise("RGB", 8, 8).save(tiff, "TIFF")
    for content in (b"", b"no image", tiff.getvalue()):
        with pytest.raises(ZooError, match="not a JPEG, PNG, BMP or GIF"):
            open_image(content)
