"""The source `digits`: the handwritten digits that scikit-learn ships, 1797 gray images of 8 by 8 pixels."""

from __future__ import annotations

import hashlib

import numpy as np

from zoo.data.example import Example, RawDataset
from zoo.data.source import Source
from zoo.text import Say


def read(argument: str, say: Say, kind: str) -> RawDataset:
    """Encode every digit as PNG, in memory. The data have no splits."""
    from PIL import Image
    from sklearn.datasets import load_digits

    from zoo.inputs.image.labeled_image import ImageTraits, encode_png

    bundled = load_digits()
    examples = []
    for number, (gray, label) in enumerate(zip(bundled.images, bundled.target, strict=True)):
        pixels = np.rint(gray * (255 / 16)).astype(np.uint8)
        encoded = encode_png(Image.fromarray(pixels))
        examples.append(
            Example(
                split="train",
                target=int(label),
                name=f"digits {number}",
                content=encoded,
                size=len(encoded),
                # Computed from the pixels, because the bytes of a PNG depend on the version of zlib.
                digest=hashlib.sha256(pixels.tobytes()).digest(),
                traits=ImageTraits(pixels.shape[0], pixels.shape[1], gray=True),
            )
        )
    return RawDataset("image", tuple(str(name) for name in bundled.target_names), examples)


SOURCE = Source(
    scheme="digits",
    kinds=("image",),
    summary="the handwritten digits that scikit-learn ships",
    read=read,
    license="CC BY 4.0: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, "
    "doi:10.24432/C50P49",
)
