"""Folders of images for benchmarks of the training input: crops of scikit-learn's two photographs, in ten classes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 400, 300
QUALITY = 90
MARKERS = 2
"""The first bytes of a JPEG, after which a comment may follow."""


def write_jpegs(folder: Path, count: int, different: int = 2000, seed: int = 0) -> None:
    """Write `count` JPEGs of 400x300 pixels with different bytes; after the first `different` ones, pixels repeat."""
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(one) for one in load_sample_images().images]
    random = np.random.default_rng(seed)
    files: list[bytes] = []
    for number in range(count):
        if number < different:
            files.append(_jpeg(photographs[number % len(photographs)], random))
        write(folder, number, f"{number}.jpg", _with_comment(files[number % different], number))


def write_small(folder: Path, count: int, side: int = 32, seed: int = 0) -> None:
    """Write `count` PNGs of small crops in color, no two of which are equal."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    random = np.random.default_rng(seed)
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        top, left = (int(random.integers(0, length - side)) for length in photograph.shape[:2])
        crop = photograph[top : top + side, left : left + side].copy()
        # Four pixels hold the number, so that no two files are equal.
        crop[0, :4, 0] = np.frombuffer(number.to_bytes(4, "little"), np.uint8)
        file = io.BytesIO()
        Image.fromarray(crop).save(file, "PNG", compress_level=1)
        write(folder, number, f"{number}.png", file.getvalue())


def write(folder: Path, number: int, name: str, content: bytes) -> None:
    """Write a file into the folder of one of ten classes."""
    place = folder / f"class{number % 10}"
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(content)


def _jpeg(photograph: Image.Image, random: np.random.Generator) -> bytes:
    """A JPEG of a part of a photograph."""
    width = int(random.integers(WIDTH, photograph.width + 1))
    height = width * HEIGHT // WIDTH
    if height > photograph.height:
        width, height = WIDTH, HEIGHT
    left, top = int(random.integers(photograph.width - width + 1)), int(random.integers(photograph.height - height + 1))
    part = photograph.resize((WIDTH, HEIGHT), box=(left, top, left + width, top + height))
    file = io.BytesIO()
    part.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _with_comment(encoded: bytes, number: int) -> bytes:
    comment = number.to_bytes(4, "big")
    return encoded[:MARKERS] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + encoded[MARKERS:]
