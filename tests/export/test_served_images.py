"""A SavedModel decodes unusual image files as clients do: 16-bit images by their white level, alpha on a background."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

import zoo
from tests.described import described
from zoo.contract import LOGITS, SERVE
from zoo.export.graph import trace
from zoo.export.tf_serving.saved_model import write_saved_model
from zoo.inputs.image.client import IMAGE, IMAGE_BYTES
from zoo.inputs.image.preprocessing import Preprocessing, pixels_from_bytes

SIDE = 8


def files() -> list[bytes]:
    """Return a 16-bit gray image that uses 12 bits, colors under transparency, a palette of two colors, and a JPEG."""
    random = np.random.default_rng(0)
    colors = random.integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    images = [
        Image.fromarray(random.integers(0, 4096, (SIDE, SIDE)).astype(np.uint16)),
        Image.fromarray(colors),
        Image.fromarray(colors[..., 0]).quantize(2),
    ]
    encoded = []
    for image, kind in [*((image, "PNG") for image in images), (Image.fromarray(colors[..., :3]), "JPEG")]:
        file = io.BytesIO()
        image.save(file, kind)
        encoded.append(file.getvalue())
    return encoded


def test_both_signatures_answer_alike_for_what_a_client_decodes(tmp_path: Path) -> None:
    half = (0.5,) * 3
    preprocessing = Preprocessing(SIDE, SIDE, 3, half, half, white_level=4095, background="white")
    model = zoo.create("cnn", classes=3, input_shape=(SIDE, SIDE, 3))
    write_saved_model(trace(model, described(preprocessing)), tmp_path / "1")
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    pixels = np.stack([pixels_from_bytes(file, preprocessing) for file in files()])
    assert pixels[0].max() > 200
    by_client = loaded.signatures[SERVE](**{IMAGE: tf.constant(pixels)})[LOGITS]
    by_server = loaded.signatures["serve_bytes"](**{IMAGE_BYTES: tf.constant(files())})[LOGITS]
    np.testing.assert_allclose(by_server, by_client, rtol=1e-5, atol=1e-5)
