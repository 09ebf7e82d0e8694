"""Parts of the examples in a model card: code that runs as it stands, in the folder that holds the artifact."""

from __future__ import annotations

import json

UPLOAD = "image.jpg"
"""The image file that the examples read."""

_PIXELS = """from pathlib import Path

from zoo.artifact import read
from zoo.inputs.image.preprocessing import pixels_from_bytes

model = read(Path({folder})).model
image = pixels_from_bytes(Path("{upload}").read_bytes(), model.preprocessing)[None]
"""


def pixels_in_python(name: str) -> str:
    """Python that reads an image file as the artifact `name` takes it: `image`, uint8 [1, height, width, channels]."""
    return _PIXELS.format(folder=quoted(name), upload=UPLOAD)


def quoted(text: str) -> str:
    """Text as a string in double quotes that Python reads."""
    return json.dumps(text, ensure_ascii=False)


def code_block(language: str, *lines: str) -> str:
    """Lines of code as a fenced block."""
    code = "\n".join(lines)
    return f"```{language}\n{code}\n```\n"
