"""Unknown keys of a recipe: which keys they may mean."""

from __future__ import annotations

import pytest

from zoo import recipe as recipes
from zoo.errors import ZooError
from zoo.input import find
from zoo.key_hints import OTHER_NAMES
from zoo.recipe import Recipe

RECIPE = Recipe(input=find("image").settings())


def refusal(key: str) -> str:
    """The message about a setting whose key no recipe has."""
    with pytest.raises(ZooError) as refused:
        recipes.override(RECIPE, [f"{key}=1"])
    return str(refused.value)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("optimizer.learning_rate", "'optimizer.lr'"),
        ("optimizer.schedule", "'schedule.shape'"),
        ("lr_schedule", "'schedule.shape'"),
        ("lr", "'optimizer.lr'"),
        ("optimzer.lr", "'optimizer.lr'"),
        ("weight_decay", "'optimizer.weight_decay'"),
        ("image_size", "'image.size'"),
        ("epoch", "'epochs'"),
        ("label_smothing", "'label_smoothing'"),
        ("audio.shift", "'image.shift'"),
        ("temperature", "'distill.temperature' or 'simclr.temperature'"),
    ],
)
def test_a_key_that_is_meant_is_named(key: str, hint: str) -> None:
    assert refusal(key) == f"--set {key}=1: no recipe has the key '{key}': did you mean {hint}?"


def test_without_a_near_key_the_section_is_listed() -> None:
    listed = refusal("optimizer.rate").partition("known: ")[2].split(", ")
    assert listed == [f"optimizer.{one}" for one in sorted(vars(RECIPE.optimizer))]


def test_without_a_section_the_sections_are_listed() -> None:
    listed = refusal("nothing").partition("known: ")[2].split(", ")
    assert {"optimizer.…", "image.…", "epochs"} <= {*listed}
    assert len(listed) == len({*listed}) < 40


def test_the_names_of_other_libraries_stand_for_keys() -> None:
    known = recipes.known_keys(RECIPE)
    assert {*OTHER_NAMES.values()} <= {*known}
    assert not {*OTHER_NAMES} & {*known}
