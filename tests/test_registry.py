"""The registry, and the facts about networks that need no building."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import zoo
from tests.conftest import Answer
from zoo import registry
from zoo.errors import ZooError
from zoo.structure import SMALLEST_MAP, Structure, kept_halvings


def test_an_alias_is_a_family_and_a_size() -> None:
    family, size = registry.resolve("resnet50")
    assert (family.name, size.name) == ("resnet", "base")
    assert registry.resolve("resnet50", "base") == (family, size)
    assert registry.resolve("resnet")[1].name == "small"
    with pytest.raises(ZooError, match="'resnet50' is resnet base"):
        registry.resolve("resnet50", "large")


@pytest.mark.parametrize(
    ("name", "size", "hint"),
    [("resnt", None, "did you mean 'resnet'"), ("vg16", None, "did you mean 'vgg16'"), ("vgg", "lage", "'large'")],
)
def test_near_misses_are_offered(name: str, size: str | None, hint: str) -> None:
    with pytest.raises(ZooError, match=hint):
        registry.resolve(name, size)


def test_wildcards() -> None:
    assert [row["family"] for row in zoo.list_models("res*")] == ["resnet"] * 4
    assert [row["size"] for row in zoo.list_models("*-large")] == ["large"] * len(registry.families())
    assert [row["aliases"] for row in zoo.list_models("vgg1[69]")] == [["vgg16"], ["vgg19"]]
    with pytest.raises(ZooError, match="no family or size matches"):
        zoo.list_models("nothing*")


def test_list_and_info_say_the_same_in_json_and_in_text(zoo_command: Callable[..., Answer]) -> None:
    rows = json.loads(zoo_command("list", "vgg*", "--json").out)
    assert [row["parameters"] for row in rows] == [132_868_840, 138_365_992, 143_678_248]
    text = zoo_command("info", "vgg16").out
    assert "138,365,992" in text
    assert "15,470.3" in text
    assert "1409.1556" in text
    assert json.loads(zoo_command("info", "vgg16", "--json").out)[0]["multiply_adds"] == 15_470_264_320


@pytest.mark.parametrize(
    ("side", "kept"), [(8, 1), (15, 2), (16, 2), (28, 3), (32, 3), (48, 3), (64, 4), (128, 5), (224, 5), (4096, 5)]
)
def test_small_images_keep_their_resolution(side: int, kept: int) -> None:
    family, row = registry.resolve("resnet")
    for height, width in ((side, side + 9), (side + 9, side)):
        assert family.structure(row, height, width) == Structure(kept)
    assert kept_halvings(side, 5) == kept
    assert -(-side // 2**kept) >= SMALLEST_MAP


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"input_shape": (7, 32, 3)}, "each side must be 8 to 4096 pixels"),
        ({"input_shape": (32, 5000, 3)}, "each side must be 8 to 4096 pixels"),
        ({"input_shape": (32, 32, 5)}, "5 channels are not supported"),
        ({"input_shape": (32, 32, 0)}, "3 whole numbers above 0 are needed"),
        ({"classes": 1}, "at least 2 is needed"),
    ],
)
def test_an_input_that_cannot_be_taken_is_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ZooError, match=complaint):
        zoo.create("resnet", **options)  # type: ignore[arg-type]
