"""The handwritten digits that come with scikit-learn: 1797 gray images of 8 by 8 pixels, no network needed."""

from __future__ import annotations

import hashlib

import numpy as np

from zoo.data.example import Example, Found, png

LICENSE = "CC BY 4.0: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, doi:10.24432/C50P49"


def find() -> Found:
    """Every digit, held as PNG; none belongs to a split yet."""
    from PIL import Image
    from sklearn.datasets import load_digits

    bundled = load_digits()
    examples = []
    for number, (gray, label) in enumerate(zip(bundled.images, bundled.target, strict=True)):
        pixels = np.rint(gray * (255 / 16)).astype(np.uint8)
        encoded = png(Image.fromarray(pixels))
        examples.append(
            Example(
                split="train",
                label=int(label),
                name=f"digits {number}",
                encoded=encoded,
                size=len(encoded),
                height=pixels.shape[0],
                width=pixels.shape[1],
                gray=True,
                # Of the pixels: how PNG packs them depends on the version of zlib.
                digest=hashlib.sha256(pixels.tobytes()).digest(),
            )
        )
    labels = tuple(str(name) for name in bundled.target_names)
    return Found("digits", None, labels, examples, skipped=(), license=LICENSE)
