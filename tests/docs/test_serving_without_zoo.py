"""The program that prepares an image for a client without zoo, as docs/serve.md prints it."""

from __future__ import annotations

import ast
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.docs.doc_blocks import ROOT, blocks
from zoo import schema
from zoo.inputs.image.preprocessing import Preprocessing, pixels_from_bytes


@pytest.fixture(scope="module")
def encoded() -> Callable[..., np.ndarray]:
    """The printed function, without the lines after it, which read an artifact."""
    text = next(block.text for block in blocks(ROOT / "docs" / "serve.md") if "def encoded(" in block.text)
    tree = ast.parse(text)
    last = next(place for place, one in enumerate(tree.body) if isinstance(one, ast.FunctionDef))
    variables: dict[str, Any] = {}
    exec(compile(ast.Module(tree.body[: last + 1], []), "docs/serve.md", "exec"), variables)
    found: Callable[..., np.ndarray] = variables["encoded"]
    return found


@pytest.mark.parametrize("size", [(64, 48), (31, 77), (24, 24), (9, 13)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "settings",
    [{}, {"crop_pct": 0.875, "interpolation": "bicubic"}, {"resize_mode": "squash"}, {"crop_pct": 0.9}],
)
def test_the_pixels_are_those_of_zoo(
    encoded: Callable[..., np.ndarray], size: tuple[int, int], channels: int, settings: dict[str, Any]
) -> None:
    how = Preprocessing(24, 20, channels, (0.5,) * channels, (0.5,) * channels, **settings)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8))
    file = io.BytesIO()
    image.save(file, "PNG")
    expected = pixels_from_bytes(file.getvalue(), how)
    np.testing.assert_array_equal(encoded(image, schema.to_dict(how)), expected[None])
