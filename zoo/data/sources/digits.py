"""The source `digits`: the handwritten digits that scikit-learn ships, 1797 gray images of 8 by 8 pixels."""

from __future__ import annotations

import hashlib

import numpy as np

from zoo.data.source import Say, Source
from zoo.inputs.image.labeled_image import LabeledImage, RawDataset, encode_png


def read(argument: str, say: Say) -> RawDataset:
    """Encode every digit as PNG, in memory. The data have no splits."""
    from PIL import Image
    from sklearn.datasets import load_digits

    bundled = load_digits()
    images = []
    for number, (gray, label) in enumerate(zip(bundled.images, bundled.target, strict=True)):
        pixels = np.rint(gray * (255 / 16)).astype(np.uint8)
        encoded = encode_png(Image.fromarray(pixels))
        images.append(
            LabeledImage(
                split="train",
                label=int(label),
                name=f"digits {number}",
                encoded=encoded,
                size=len(encoded),
                height=pixels.shape[0],
                width=pixels.shape[1],
                gray=True,
                # Of the pixels, because the bytes of a PNG depend on the version of zlib.
                digest=hashlib.sha256(pixels.tobytes()).digest(),
            )
        )
    return RawDataset(labels=tuple(str(name) for name in bundled.target_names), images=images)


SOURCE = Source(
    scheme="digits",
    summary="the handwritten digits that scikit-learn ships",
    read=read,
    license="CC BY 4.0: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, "
    "doi:10.24432/C50P49",
)
