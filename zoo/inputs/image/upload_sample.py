"""Images for the gates, encoded as a client would upload them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


def as_jpeg(image: Image.Image) -> bytes:
    """Encode an image as JPEG at 1.5 times its size, so that the reader has to resize it."""
    image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    larger = image.resize((image.width * 3 // 2, image.height * 3 // 2))
    buffer = io.BytesIO()
    larger.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
