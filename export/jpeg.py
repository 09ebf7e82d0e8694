"""Pictures for the gates, as a user would upload them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


def as_jpeg(picture: Image.Image) -> bytes:
    """The picture encoded as JPEG, half as large again, so that what reads it has to scale it."""
    picture = picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")
    larger = picture.resize((picture.width * 3 // 2, picture.height * 3 // 2))
    buffer = io.BytesIO()
    larger.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
