"""Uploads in a served graph: the files that are refused, with reasons, and that no bytes crash a request."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.errors import ZooError
from zoo.export.tf_serving.saved_model import first_refusal
from zoo.inputs.image import hostile
from zoo.inputs.image.decoding import pixels_tensor
from zoo.inputs.image.preprocessing import (
    LONGEST_SIDE,
    MOST_PARTS,
    MOST_PIXELS,
    Preprocessing,
    open_header,
    pixels_from_bytes,
)
from zoo.inputs.image.upload_sample import upload_sample
from zoo.inputs.image.uploads import DAMAGED, NEITHER, uploaded_pixels

WANTED = Preprocessing(40, 40, 3, (0.5,) * 3, (0.5,) * 3, crop_pct=0.9)
RANDOM = np.random.default_rng(0)
NOISE = Image.fromarray(RANDOM.integers(0, 256, (20, 30, 3), np.uint8))

Read = Callable[[list[bytes]], tuple[np.ndarray, list[bytes]]]


def encoded(format_name: str, image: Image.Image = NOISE, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def read() -> Read:
    """Return a function that reads files to pixels and status, with a graph that is traced once."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def graph(files: Any) -> Any:
        return uploaded_pixels(files, WANTED)

    def call(files: list[bytes]) -> tuple[np.ndarray, list[bytes]]:
        pixels, status = graph(tf.constant(files, tf.string, [len(files)]))
        return pixels.numpy(), list(status.numpy())

    return call


SEEDS = [
    encoded("PNG"),
    encoded("PNG", NOISE.convert("P")),
    encoded("PNG", NOISE.convert("RGBA")),
    encoded("JPEG"),
    encoded("JPEG", progressive=True, subsampling=2),
    encoded("JPEG", NOISE.convert("CMYK")),
]


def test_a_valid_file_is_read_as_by_the_client(read: Read) -> None:
    pixels, status = read(SEEDS)
    assert status == [b""] * len(SEEDS)
    for file, found in zip(SEEDS, pixels, strict=True):
        np.testing.assert_array_equal(found, pixels_tensor(tf.constant(file), WANTED))


def test_an_empty_batch_is_read_as_nothing(read: Read) -> None:
    pixels, status = read([])
    assert pixels.shape == (0, *WANTED.shape)
    assert status == []


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", NEITHER),
        (b"no image", NEITHER),
        (b"<!DOCTYPE html><html></html>", NEITHER),
        (encoded("WEBP"), NEITHER),
        (encoded("BMP"), NEITHER),
        (encoded("GIF"), NEITHER),
        (encoded("TIFF"), NEITHER),
        (b"\x89PNG\r\n\x1a\n", DAMAGED),
        (b"\xff\xd8\xff", DAMAGED),
        (SEEDS[0][:-20], DAMAGED),
        (SEEDS[3][: len(SEEDS[3]) // 2], DAMAGED),
        (hostile.png(3, 3, pixels=b"x"), DAMAGED),
        (hostile.png(0, 3), DAMAGED),
        (hostile.claiming(encoded("JPEG"), 0, 0), DAMAGED),
        (hostile.png(LONGEST_SIDE + 1, 1), f"{LONGEST_SIDE + 1} by 1 pixels, more than 25000000 in all or 16384 on"),
        (hostile.png(5001, 5000, pixels=b"x"), "5001 by 5000 pixels, more than 25000000"),
        (hostile.png(1, LONGEST_SIDE), f"1 by {LONGEST_SIDE} pixels, too narrow to be scaled to cover 40 by 40"),
    ],
)
def test_the_status_says_why_a_file_is_refused_and_its_pixels_are_zero(read: Read, file: bytes, reason: str) -> None:
    pixels, status = read([SEEDS[0], file, SEEDS[3]])
    assert status[0] == status[2] == b""
    assert status[1].decode().startswith(reason)
    assert not pixels[1].any()
    assert pixels[0].any()
    assert pixels[2].any()
    assert first_refusal(tf.constant(status), "image").numpy() == b"image 2 of 3 is " + status[1]


def test_without_refusals_the_message_is_empty() -> None:
    for status in ([], ["", ""]):
        assert first_refusal(tf.constant(status, tf.string), "image").numpy() == b""


@pytest.mark.parametrize("name", hostile.refused_images())
def test_a_hostile_image_is_refused_by_graph_and_client_alike(read: Read, name: str) -> None:
    file = hostile.refused_images()[name]
    _, (status,) = read([file])
    assert b"more than" in status
    with pytest.raises(ZooError):
        open_header(file)


def test_a_png_whose_header_is_not_first_is_refused_before_decoding(read: Read) -> None:
    """libpng ignores an unknown chunk before the header, which moves the size in the header to another position."""
    signature = len(b"\x89PNG\r\n\x1a\n")
    large = hostile.png(6000, 6000, bits=1, kind=hostile.GRAY)
    small_size = hostile.png(3, 3)[16:24]
    file = large[:signature] + hostile._chunk(b"abCd", small_size) + large[signature:]
    assert read([file])[1] == [DAMAGED.encode()]
    with pytest.raises(ZooError, match="a damaged PNG"):
        open_header(file)


def test_the_largest_photograph_is_read_by_graph_and_client_alike(read: Read) -> None:
    """5000 by 5000 pixels are exactly 25 million, the limit."""
    largest = hostile.png(5000, 5000, bits=1, kind=hostile.GRAY)
    assert open_header(largest).width * open_header(largest).height == MOST_PIXELS
    assert read([largest])[1] == [b""]


@pytest.mark.parametrize(
    ("size", "input_side", "expected"),
    [
        ((30, 20), 40, (45, 30)),
        ((4032, 3024), 224, (4032, 3024)),
        ((5000, 5000), 224, (5000, 5000)),
        ((11_000, 600), 224, (11_000, 600)),
        ((6000, 1500), 1024, (6000, 1500)),
    ],
    ids=["small", "photograph", "most pixels", "long", "narrow"],
)
def test_the_first_sample_of_images_of_any_size_is_taken(
    size: tuple[int, int], input_side: int, expected: tuple[int, int]
) -> None:
    wanted = Preprocessing(input_side, input_side, 1, (0.5,), (0.5,))
    file = upload_sample(Image.new("L", size), wanted)
    assert open_header(file).size == expected
    pixels, status = uploaded_pixels(tf.constant([file]), wanted)
    assert status.numpy().tolist() == [b""]
    assert np.abs(pixels.numpy()[0].astype(int) - pixels_from_bytes(file, wanted)).max() <= 1


def test_the_most_scans_that_are_allowed_are_read_by_graph_and_client_alike(read: Read) -> None:
    most, more = hostile.of_many_scans(MOST_PARTS), hostile.of_many_scans(MOST_PARTS + 1)
    assert read([most, more])[1] == [b"", b"made of more than 64 scans or texts"]
    assert open_header(most).format == "JPEG"
    with pytest.raises(ZooError, match="more than 64 scans"):
        open_header(more)


@settings(max_examples=60)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    length=st.one_of(st.none(), st.floats(0, 1)),
    more=st.binary(max_size=30),
)
def test_no_bytes_of_any_kind_fail_a_request_or_change_the_others(
    read: Read, seed: bytes, changes: list[tuple[float, int]], length: float | None, more: bytes
) -> None:
    file = bytearray(seed)
    for place, value in changes:
        file[int(place * len(file))] = value
    if length is not None:
        del file[int(length * len(file)) :]
    alone, _ = read([SEEDS[3]])
    pixels, status = read([SEEDS[3], bytes(file) + more, SEEDS[3]])
    assert status[0] == status[2] == b""
    assert not (status[1] and pixels[1].any())
    np.testing.assert_array_equal(pixels[[0, 2]], alone[[0, 0]])


def test_a_photograph_with_a_video_behind_it_is_read(read: Read) -> None:
    """Random bytes of a video contain the two bytes that begin a scan by chance, but hardly ever the three."""
    film = np.random.default_rng(1).integers(0, 256, 4_000_000, np.uint8).tobytes()
    assert film.count(b"\xff\xda") > 40
    assert read([encoded("JPEG") + film])[1] == [b""]
