"""Normalize images for the peers' files, which take floats."""

from __future__ import annotations

import numpy as np

# ImageNet's mean and the inverse of its std, of pixels from 0 to 255.
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_SCALE = 1 / np.array([58.395, 57.12, 57.375], np.float32)


def normalize(pixels: np.ndarray, *, nchw: bool) -> np.ndarray:
    """Normalize uint8 NHWC images to float32, with `nchw` in NCHW; written for speed, because its time is measured."""
    images = (pixels.astype(np.float32) - _MEAN) * _SCALE
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)) if nchw else images
