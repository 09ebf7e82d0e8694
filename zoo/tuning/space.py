"""The space that a search draws from: recipe keys, and the values that each may have.

A space is written as TOML or JSON. A list gives choices; `{low = 1e-4, high = 0.1, log = true}` is a range. In addition
to the recipe's keys, there is `size`, a size of the family.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo import recipe as recipes
from zoo.errors import ZooError
from zoo.family import SIZES, Family
from zoo.input import find
from zoo.key_hints import meant
from zoo.recipe import WIDTH, Recipe

SIZE = "size"
"""The key that stands for the size of the family."""

DROPOUT = "network.dropout"
"""The recipe key of the rate of all dropout."""

MOST_KEYS, MOST_CHOICES = 50, 100

WIDTHS = (0.5, 1.0, 1.5)
"""The widths in the default space."""

Plain = Mapping[str, Any]
"""A space as plain data for JSON: by key, a list of choices or a dictionary with `low`, `high` and perhaps `log`."""

Value = str | int | float | bool

_RANGE = "KEY = {low = 1e-4, high = 0.1, log = true}"

MOST_COMPANIONS = 64
"""The most combinations of other keys with which the check of a value is tried."""


@dataclass(frozen=True)
class Choices:
    """A list of values to choose from."""

    values: tuple[Value, ...]

    def bounds(self) -> tuple[Value, ...]:
        """Return the values whose check covers all: every value."""
        return self.values

    def holds(self, value: Any) -> bool:
        """Return whether a value is one of these."""
        return any(type(choice) is type(value) and choice == value for choice in self.values)


@dataclass(frozen=True)
class Range:
    """All values from `low` to `high`: integers if `whole`; drawn uniformly in their logarithm if `log`."""

    low: float
    high: float
    log: bool
    whole: bool

    def bounds(self) -> tuple[Value, ...]:
        """Return the values whose check covers all: both ends, and a number just above the low one.

        The low end itself may be a special value, such as -1 for the family's own rate of dropout.
        """
        above = self.low + 1 if self.whole else self.low + (self.high - self.low) / 1000
        return (self.low, above, self.high) if above < self.high else (self.low, self.high)

    def holds(self, value: Any) -> bool:
        """Return whether a value lies in the range."""
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high


Space = dict[str, Choices | Range]


def from_plain(plain: Plain, recipe: Recipe) -> Space:
    """Make a space from its plain form; `recipe` tells which of its keys take whole numbers.

    Raises:
        ZooError: a value is neither a list of choices nor a range, or does not suit its key.
    """
    usual = recipes.flat(recipe)
    return {key: _dimension(key, given, usual.get(key)) for key, given in plain.items()}


def checked(plain: Plain, family: Family, size: str | None, recipe: Recipe, settings: Sequence[str]) -> Space:
    """Make a space from its plain form, and check that the family and the recipe take all of its values.

    Args:
        plain: the space.
        family: the family of the networks.
        size: the requested size, which excludes the key `size`; None if none was requested.
        recipe: the recipe that the trials change.
        settings: the changes of the recipe for all trials, which exclude their keys.

    Raises:
        ZooError: a key is unknown or decided already, a value does not fit it, or there are too many.
    """
    if not plain:
        raise ZooError(f"the space has no keys: write KEY = [CHOICES] or {_RANGE}")
    if len(plain) > MOST_KEYS:
        raise ZooError(f"the space has {len(plain)} keys: {MOST_KEYS} at most")
    set_already, usual = recipes.set_keys(settings), recipes.flat(recipe)
    for key in plain:
        if key != SIZE and key not in usual:
            raise ZooError(f"the space: no recipe has the key '{key:.60}': {meant(key, [SIZE, *usual])}")
        if key in set_already or (key == SIZE and size is not None):
            raise ZooError(f"the space: {key} is set for all trials already: leave one out")
        if key.startswith("split."):
            raise ZooError(f"the space: {key} changes the examples that trials are compared on: leave it out")
    space = from_plain(plain, recipe)

    def attempt(values: Mapping[str, Value]) -> None:
        if SIZE in values:
            family.size(str(values[SIZE]))
        recipes.override(recipe, [f"{key}={value}" for key, value in values.items() if key != SIZE])

    for key in space:
        try_bounds(space, [key], attempt)
    return space


def _dimension(key: str, given: Any, usual: Any) -> Choices | Range:
    """Make choices or a range from a plain value; `usual` is the recipe's own value."""
    if isinstance(usual, list):
        raise ZooError(f"the space: {key} is a list, which is not searched: leave it out")
    if isinstance(given, list | tuple):
        if not 1 <= len(given) <= MOST_CHOICES:
            raise ZooError(f"the space: {key} has {len(given)} choices: 1 to {MOST_CHOICES} are needed")
        if not all(isinstance(value, Value) and value == value for value in given):
            raise ZooError(f"the space: {key} should be a list of numbers, words, true or false")
        # For a key of floats, 1 and 1.0 are the same value, which the study would take for two.
        values = tuple(float(value) if _is_number(value) and isinstance(usual, float) else value for value in given)
        if len(set(map(str, values))) < len(values):
            raise ZooError(f"the space: {key} has the same choice twice")
        return Choices(values)
    if not isinstance(given, Mapping) or not {"low", "high"} <= given.keys() <= {"low", "high", "log"}:
        raise ZooError(f"the space: {key} should be a list of choices, or a range such as {_RANGE}")
    low, high, log = given["low"], given["high"], given.get("log", False)
    if not (_is_number(low) and _is_number(high) and isinstance(log, bool)):
        raise ZooError(f"the space: {key}: low and high should be numbers, and log true or false")
    if not _is_number(usual):
        raise ZooError(f"the space: {key} takes no numbers: write a list of choices")
    whole = isinstance(usual, int)
    if whole and not (isinstance(low, int) and isinstance(high, int)):
        raise ZooError(f"the space: {key} takes whole numbers: write its low and high without a point")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ZooError(f"the space: {key}: low should be less than high, not {low} and {high}")
    if log and low <= 0:
        raise ZooError(f"the space: {key}: the low end of a log range should be above 0, not {low}")
    return Range(low, high, log, whole)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def default(
    family: Family,
    size: str | None,
    recipe: Recipe,
    settings: Sequence[str],
    *,
    sizes: Sequence[str] = SIZES,
    examples: int,
    classes: bool,
    scales: bool,
    drops: bool,
) -> dict[str, Any]:
    """Return the default space around a recipe, in its plain form.

    Args:
        family: the family.
        size: the requested size; None adds the sizes small and base to the space, if the recipe is for both.
        recipe: the recipe of the first trial.
        settings: the changes of the recipe for all trials; their keys are not searched.
        sizes: the sizes that the recipe is for.
        examples: the number of training examples, which no batch exceeds.
        classes: whether the task is classification, so that labels can be smoothed.
        scales: whether the network can be made wider and narrower.
        drops: whether the network has a place for dropout.
    """
    decay, batch = recipe.optimizer.weight_decay, recipe.batch_size
    # Mixing takes pairs, of each part of an accumulated batch.
    multiple = recipe.accumulate * (2 if recipe.mixup or recipe.cutmix else 1)
    batches = sorted({max(1, batch // 2), batch, min(2 * batch, examples // multiple * multiple)})
    searched = [name for name in SIZES[:2] if name in sizes]
    space: dict[str, Any] = {
        SIZE: searched,
        "optimizer.lr": _around(recipe.optimizer.lr),
        "optimizer.weight_decay": _around(decay) if decay else [0.0, 1e-4, 1e-3, 1e-2],
        "batch_size": [size for size in batches if size > 0 and size % multiple == 0],
        **find(family.input).space,
    }
    if classes:
        space["label_smoothing"] = {"low": 0.0, "high": 0.2}
    if drops:
        space[DROPOUT] = {"low": 0.0, "high": 0.5}
    if scales:
        space[WIDTH] = list(WIDTHS)
    decided = recipes.set_keys(settings) | ({SIZE} if size is not None or len(searched) < 2 else set())
    return {key: value for key, value in space.items() if key not in decided}


def _around(value: float) -> dict[str, Any]:
    return {"low": value / 10, "high": value * 10, "log": True}


def to_plain(space: Space) -> dict[str, Any]:
    """Return a space in its plain form, as `checked` takes it."""
    return {
        key: list(dimension.values)
        if isinstance(dimension, Choices)
        else {"low": dimension.low, "high": dimension.high, "log": dimension.log}
        for key, dimension in space.items()
    }


def try_bounds(space: Space, keys_of: Sequence[str], attempt: Callable[[Mapping[str, Value]], None]) -> None:
    """Try every combination of the bounds of the given keys.

    Keys of one section may depend on each other, so values that are refused are tried with bounds of the other keys of
    their sections.

    Raises:
        ZooError: `attempt` refused a combination; the message begins with the value.
    """
    for values in corners(space, keys_of):
        refused: ZooError | None = None
        for others in _companions(space, values):
            try:
                attempt({**others, **values})
                break
            except ZooError as error:
                refused = refused or error
        else:
            named = ", ".join(f"{key}={value}" for key, value in values.items())
            raise ZooError(f"the space: {named}: {str(refused).removeprefix(f'--set {named}: ')}") from None


def _companions(space: Space, values: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
    """Yield values of other keys to try values with: none, then the bounds of the other keys of their sections."""
    yield {}
    sections = {key.rpartition(".")[0] for key in values} - {""}
    others = [key for key in space if key.rpartition(".")[0] in sections and key not in values]
    yield from itertools.islice(corners(space, others), MOST_COMPANIONS if others else 0)


def corners(space: Space, keys_of: Sequence[str]) -> Iterator[dict[str, Value]]:
    """Yield every combination of the bounds of the given keys, without the keys that the space does not have."""
    searched = [key for key in keys_of if key in space]
    for values in itertools.product(*(space[key].bounds() for key in searched)):
        yield dict(zip(searched, values, strict=True))
