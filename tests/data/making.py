"""Encoded images of every kind, made in memory, for the tests of this folder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def noise(mode: str, height: int, width: int, seed: int = 0) -> Image.Image:
    """An image of independent pixels in one of Pillow's modes; `I;16` and `P` too."""
    random = np.random.default_rng(seed)
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 2**16, (height, width), np.uint16))
    if mode in ("1", "P"):
        colors = Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))
        return colors.convert("1") if mode == "1" else colors.convert("P", palette=Image.Palette.ADAPTIVE)
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), random.integers(0, 256, height * width * bands, np.uint8).tobytes())


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def fill(folder: Path, classes: dict[str, int], size: tuple[int, int] = (12, 10), mode: str = "L") -> Path:
    """A folder of one folder a class with so many PNGs each, no two alike."""
    seed = sum(map(ord, str(folder)))
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            seed += 1
            (folder / name / f"{number}.png").write_bytes(encoded(noise(mode, *size, seed=seed), "PNG"))
    return folder
