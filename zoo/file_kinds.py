"""Recognize the kind of a file that should be an image by its first bytes."""

from __future__ import annotations

HEAD = 512
"""The number of bytes that are looked at."""

JPEG, PNG, GIF, BMP = "a JPEG", "a PNG", "a GIF", "a BMP"
"""The kinds that zoo decodes."""

KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"GIF8", GIF),
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (0, b"II+\0", "a TIFF image"),
    (0, b"MM\0+", "a TIFF image"),
    (8, b"WEBP", "a WebP image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftypavis", "an AVIF image"),
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftyphev", "a HEIC image"),
    (4, b"ftypmif1", "a HEIC image"),
    (4, b"ftypmsf1", "a HEIC image"),
    (4, b"ftypM4A", "AAC sound (M4A)"),
    (4, b"ftypM4B", "AAC sound (M4B)"),
    (0, b"FORM", "an IFF file, such as AIFF sound"),
    (0, b"RF64", "RF64 sound, a WAV of more than 4 GB"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (WMA or WMV)"),
    (4, b"ftypqt", "a video"),
    (4, b"ftyp", "a video"),
    (8, b"AVI ", "a video"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (0, b"8BPS", "a Photoshop image"),
    (0, b"\0\0\x01\0", "an icon (ICO)"),
    (128, b"DICM", "a DICOM image"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image"),
    (0, b"%PDF", "a PDF"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\0", "an xz archive"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a rar archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"\0\x05\x16\x07", "an AppleDouble file of macOS"),
    (0, b"version https://git-lfs", "a Git LFS pointer; 'git lfs pull' fetches the file itself"),
    (0, b"BM", BMP),
)
"""An offset, the bytes at it, and the kind of a file that has them. The first match counts."""

MARKUP: tuple[tuple[bytes, str], ...] = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<head", "an HTML page"),
    (b"<body", "an HTML page"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML file"),
)
"""The markup near the beginning of a text, and the kind of the text. The first match counts."""


def kind_of(encoded: bytes) -> str:
    """Return the kind of a file, such as `a WebP image`, or `a file of an unknown kind`."""
    if not encoded:
        return "an empty file"
    for offset, magic, file_kind in KINDS:
        if encoded.startswith(magic, offset):
            return file_kind
    head = encoded[:HEAD]
    if not head.strip(b"\0"):
        return "a file of zeros"
    # Without byte order marks, and without the zero that UTF-16 has beside each ASCII letter.
    text = head.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").replace(b"\0", b"")
    opening = text.lstrip().lower()
    if opening.startswith(b"<"):
        for start, file_kind in MARKUP:
            if start in opening:
                return file_kind
    # The last character may be cut in its middle.
    for cut in range(4):
        try:
            letters = text[: len(text) - cut].decode()
        except UnicodeDecodeError:
            continue
        if letters and all(letter.isprintable() or letter.isspace() for letter in letters):
            return "text"
    return "a file of an unknown kind"
