"""Read files that should be texts: one text a file, in UTF-8."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import ZooError
from zoo.inputs.text.preprocessing import LONGEST_TEXT, NOT_UTF8, TOO_LONG

UTF16 = (b"\xff\xfe", b"\xfe\xff")
"""The first bytes of files in UTF-16."""


def read_text_file(path: Path) -> str:
    """Read a file as one text, without the byte-order mark that may begin it.

    Raises:
        ZooError: it is not a file of UTF-8, is too large, or cannot be read; the message is the reason, in words that
            follow 'is'.
    """
    try:
        # Only files are opened, because reading a pipe would never end.
        if not path.is_file():
            raise ZooError("no file")
        if path.stat().st_size > LONGEST_TEXT:
            raise ZooError(TOO_LONG)
        content = path.read_bytes()
    except OSError as error:
        raise ZooError(f"unreadable ({error.strerror or type(error).__name__})") from None
    if content.startswith(UTF16):
        raise ZooError("UTF-16: store it as UTF-8")
    if b"\0" in content:
        raise ZooError("no text: it has NUL bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ZooError(f"{NOT_UTF8} (line {line}, byte {content[error.start]:#x})") from None
