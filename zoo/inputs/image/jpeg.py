"""Complaints of libjpeg about JPEG files that decode all the same; Pillow 13.0 does not pass them on."""

from __future__ import annotations

from zoo.errors import one_line

LOST = ("Premature end", "premature end", "bad Huffman", "found marker", "Inconsistent progression")
"""Parts of complaints about lost pixels. Other complaints, such as about extra bytes, concern no pixel."""


def libjpeg_complaint(encoded: bytes) -> str:
    """Return libjpeg's complaint about a JPEG that decodes, on one line; an empty string if it has none."""
    import simplejpeg

    # Decoding at an eighth of the size takes a third of the time.
    try:
        simplejpeg.decode_jpeg(encoded, min_factor=8)
    except ValueError as error:
        try:
            simplejpeg.decode_jpeg(encoded, min_factor=8, strict=False)
        except ValueError:
            # simplejpeg 1.9 does not know every kind of JPEG, such as rare subsamplings of the colors.
            return ""
        return one_line(error, 80)
    return ""


def loses_pixels(complaint: str) -> bool:
    """Return whether a complaint of libjpeg is about pixels that are missing from the file."""
    return any(part in complaint for part in LOST)
