"""Images for networks whose run has no data: crops of the two photographs that scikit-learn ships."""

from __future__ import annotations

import hashlib

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.example import Example
from zoo.inputs.image.labeled_image import ImageTraits, encode_png

LICENSE = "CC BY 2.0: china.jpg by danielbuechele, flower.jpg by vultilion (flickr.com), as scikit-learn ships them"

SMALLEST, LARGEST = 160, 420
"""The sides of the crops, in pixels."""


def stand_ins() -> tuple[Examples, str]:
    """Return the crops and their license."""
    return photographs(), LICENSE


def photographs(count: int = 64) -> Examples:
    """Return `count` crops, which differ in position, size and aspect ratio, as RGB PNGs with the label 0."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    originals = load_sample_images().images
    random = np.random.default_rng(0)
    images = []
    for number in range(count):
        photograph = originals[number % len(originals)]
        height, width = (int(side) for side in random.integers(SMALLEST, LARGEST, 2))
        top, left = (
            int(random.integers(photograph.shape[0] - height)),
            int(random.integers(photograph.shape[1] - width)),
        )
        crop = photograph[top : top + height, left : left + width]
        encoded = encode_png(Image.fromarray(crop))
        digest = hashlib.sha256(crop.tobytes()).digest()
        traits = ImageTraits(height, width, gray=False)
        images.append(Example("test", 0, f"crop {number}", encoded, len(encoded), digest, traits))
    return Examples.of(images)
