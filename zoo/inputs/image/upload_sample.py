"""Images for the gates, encoded as a client would upload them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from zoo.inputs.image.preprocessing import Preprocessing, is_too_large
from zoo.inputs.image.resizable import refusal

if TYPE_CHECKING:
    from PIL import Image


def upload_sample(image: Image.Image, preprocessing: Preprocessing) -> bytes:
    """Encode an image as JPEG at 1.5 times its size, so that the reader has to resize it.

    Where that size is refused, the JPEG has the image's own size, which is larger than the input of most networks.
    """
    image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    width, height = image.width * 3 // 2, image.height * 3 // 2
    if not is_too_large(width, height) and not refusal(height, width, preprocessing):
        image = image.resize((width, height))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
