"""The space of a search: its files, its checks, and the default one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from zoo import keys_file
from zoo import recipe as recipes
from zoo.errors import ZooError
from zoo.keys_file import flat
from zoo.registry import matching, resolve
from zoo.tuning.space import Choices, Range, Value, checked, corners, default, to_plain, try_bounds

MLP, SMALL = resolve("mlp")
USUAL = MLP.recipe_of(SMALL)
TOML = """
size = ["small", "base"]
batch_size = [8, 16]
[optimizer]
lr = {low = 1e-4, high = 0.1, log = true}
weight_decay = {low = 0, high = 2}
"""


def test_toml_and_json_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(TOML)
    nested = {
        "size": ["small", "base"],
        "batch_size": [8, 16],
        "optimizer": {"lr": {"low": 1e-4, "high": 0.1, "log": True}, "weight_decay": {"low": 0, "high": 2}},
    }
    (tmp_path / "a.json").write_text(json.dumps(nested))
    plain = keys_file.read(tmp_path / "a.toml", "space")
    assert plain == keys_file.read(tmp_path / "a.json", "space") == flat(nested)
    space = checked(plain, MLP, None, USUAL, ())
    assert space == {
        "size": Choices(("small", "base")),
        "batch_size": Choices((8, 16)),
        "optimizer.lr": Range(1e-4, 0.1, True, False),
        "optimizer.weight_decay": Range(0, 2, False, False),
    }
    assert checked(json.loads(json.dumps(to_plain(space))), MLP, None, USUAL, ()) == space


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({}, "no keys"),
        ({"optimizer.learning_rate": [1]}, "did you mean 'optimizer.lr'"),
        ({"optimizer.lr": {"low": 1e-3}}, "a list of choices, or a range"),
        ({"optimizer.lr": {"low": 1e-3, "high": 1e-3}}, "low should be less than high"),
        ({"optimizer.lr": {"low": 0, "high": 1}}, "optimizer.lr should be greater than 0"),
        ({"optimizer.lr": {"low": "a", "high": 1}}, "should be numbers"),
        ({"optimizer.lr": {"low": 1e-3, "high": float("inf")}}, "low should be less than high"),
        ({"optimizer.weight_decay": {"low": 0, "high": 1, "log": True}}, "above 0"),
        ({"optimizer.weight_decay": {"low": 0, "high": 1, "step": 1}}, "a list of choices, or a range"),
        ({"optimizer.momentum": [0.9, 1.5]}, "optimizer.momentum should be less than 1"),
        ({"optimizer.name": ["sgd", "adam"]}, "optimizer.name should be"),
        ({"optimizer.name": {"low": 1, "high": 2}}, "takes no numbers"),
        ({"batch_size": {"low": 8.5, "high": 16}}, "whole numbers"),
        ({"batch_size": {"low": 0, "high": 16}}, "batch_size should be greater than or equal to 1"),
        ({"batch_size": []}, "0 choices"),
        ({"batch_size": [8, 8]}, "the same choice twice"),
        ({"batch_size": [[8]]}, "a list of numbers, words"),
        ({"batch_size": 8}, "a list of choices, or a range"),
        ({"size": ["small", "huge"]}, "mlp has no size 'huge'"),
        ({"split.seed": [0, 1]}, "changes the examples"),
        ({"table.ignore": ["a"]}, "is a list"),
        ({"image.flip": [True]}, "no recipe has the key 'image.flip'"),
        ({"network.width": [0.5, 0]}, "network.width should be greater than 0"),
        ({f"key{number}": [1] for number in range(60)}, "50 at most"),
    ],
)
def test_what_no_recipe_takes_is_refused(plain: dict[str, Any], said: str) -> None:
    with pytest.raises(ZooError, match=said) as error:
        checked(plain, MLP, None, USUAL, ())
    assert "\n" not in str(error.value)


def test_what_is_decided_already_is_refused() -> None:
    with pytest.raises(ZooError, match="size is set for all trials already"):
        checked({"size": ["small"]}, MLP, "base", USUAL, ())
    with pytest.raises(ZooError, match="batch_size is set for all trials already"):
        checked({"batch_size": [8]}, MLP, None, USUAL, ["batch_size=16"])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.yaml", "a: 1", "name a .toml or .json file"),
        ("none.toml", None, "there is no space file at"),
        ("a.toml", "a = [", "cannot be read"),
        ("a.json", "[1]", "is not a space"),
        ("a.json", "[" * 60_000, "cannot be read"),
        ("a.toml", "#" * (keys_file.LARGEST + 1), "too large for a space: 64 KiB"),
    ],
)
def test_files_that_hold_no_space_are_refused(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ZooError, match=said) as error:
        keys_file.read(tmp_path / name, "space")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("family", sorted({family.name for family, _ in matching()}))
def test_the_default_space_holds_the_recipe_of_every_family(family: str) -> None:
    found, row = resolve(family)
    recipe = found.recipe_of(row)
    plain = default(found, None, recipe, (), examples=10_000, classes=True, scales=True, drops=True)
    space = checked(plain, found, None, recipe, ())
    assert {"size", "optimizer.lr", "optimizer.weight_decay", "batch_size", "network.width"} <= space.keys()
    usual = recipes.flat(recipe)
    for key, dimension in space.items():
        if key not in ("size", "network.dropout"):
            assert dimension.holds(usual[key]), key


def test_the_default_space_leaves_out_what_is_decided() -> None:
    settings = ["optimizer.lr=0.1"]
    recipe = recipes.override(MLP.recipe_of(MLP.size("base")), settings)
    plain = default(MLP, "base", recipe, settings, examples=20, classes=False, scales=False, drops=False)
    assert not {"size", "optimizer.lr", "label_smoothing", "network.width"} & plain.keys()
    assert max(plain["batch_size"]) <= 20


def test_corners_are_the_combinations_of_bounds() -> None:
    space = checked({"batch_size": [8, 16], "optimizer.lr": {"low": 0.1, "high": 0.2}}, MLP, None, USUAL, ())
    assert [*corners(space, ["accumulate"])] == [{}]
    assert len([*corners(space, ["batch_size", "optimizer.lr"])]) == 6  # both ends of the range, and just above the low


def test_keys_that_depend_on_each_other_are_searched_together() -> None:
    family, row = resolve("cnn")
    plain = {"image.smallest_crop": [0.25, 0.5], "image.crop_ratio": [1.0, 1.33]}
    assert checked(plain, family, None, family.recipe_of(row), ()).keys() == plain.keys()
    with pytest.raises(ZooError, match=r"image.crop_ratio=1.33"):
        checked({"image.crop_ratio": [1.0, 1.33]}, family, None, family.recipe_of(row), ())


def test_a_key_and_the_size_are_tried_with_the_keys_that_this_one_depends_on() -> None:
    family, row = resolve("cnn")
    recipe = family.recipe_of(row)
    plain = {"size": ["small", "base"], "image.smallest_crop": [0.25, 0.5], "image.crop_ratio": [1.0, 1.33]}
    taken: list[tuple[Value, Value]] = []

    def attempt(values: Mapping[str, Value]) -> None:
        recipes.override(recipe, [f"{key}={value}" for key, value in values.items() if key != "size"])
        taken.append((values["size"], values["image.crop_ratio"]))

    try_bounds(checked(plain, family, None, recipe, ()), ["size", "image.crop_ratio"], attempt)
    assert taken == [("small", 1.0), ("small", 1.33), ("base", 1.0), ("base", 1.33)]


def test_a_special_value_is_no_end_of_a_range() -> None:
    with pytest.raises(ZooError, match="for the family's own"):
        checked({"network.dropout": {"low": -1, "high": 0.5}}, MLP, None, USUAL, ())
