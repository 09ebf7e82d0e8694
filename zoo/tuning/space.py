"""The space that a search draws from: recipe keys, and the values that each may have.

A space is written as TOML or JSON. A list gives choices; `{low = 1e-4, high = 0.1, log = true}` is a range. In addition
to the recipe's keys, there is `size`, a size of the family.
"""

from __future__ import annotations

import itertools
import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import recipe as recipes
from zoo.errors import ZooError, did_you_mean
from zoo.family import SIZES, Family
from zoo.input import find
from zoo.recipe import Recipe
from zoo.schema import keys, to_dict

SIZE = "size"
"""The key that stands for the size of the family."""

WIDTH = "network.width"
"""The recipe key that makes every layer wider or narrower."""

DROPOUT = "network.dropout"
"""The recipe key of the rate of all dropout."""

LARGEST_FILE = 2**16
"""The largest file of a space, in bytes."""

MOST_KEYS, MOST_CHOICES = 50, 100

WIDTHS = (0.5, 1.0, 1.5)
"""The widths in the default space."""

Plain = Mapping[str, Any]
"""A space as plain data for JSON: by key, a list of choices or a dictionary with `low`, `high` and perhaps `log`."""

Value = str | int | float | bool


@dataclass(frozen=True)
class Choices:
    """A list of values to choose from."""

    values: tuple[Value, ...]

    def bounds(self) -> tuple[Value, ...]:
        """Return the values whose check covers all: every value."""
        return self.values

    def holds(self, value: Any) -> bool:
        """Return whether a value is one of these."""
        return any(type(one) is type(value) and one == value for one in self.values)


@dataclass(frozen=True)
class Range:
    """All values from `low` to `high`: integers if `whole`; drawn uniformly in their logarithm if `log`."""

    low: float
    high: float
    log: bool
    whole: bool

    def bounds(self) -> tuple[Value, ...]:
        """Return the values whose check covers all: both ends."""
        return (self.low, self.high)

    def holds(self, value: Any) -> bool:
        """Return whether a value lies in the range."""
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high


Space = dict[str, Choices | Range]


def read(path: Path) -> dict[str, Any]:
    """Read a space from a TOML or JSON file, with dotted keys.

    Raises:
        ZooError: there is no such file, it is too large, or it is neither TOML nor JSON.
    """
    parsers = {".toml": tomllib.loads, ".json": json.loads}
    if path.suffix not in parsers:
        raise ZooError(f"--space {path}: a space is a .toml or a .json file")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ZooError(f"--space {path} is larger than {LARGEST_FILE // 1024} KiB: name a file of a few keys")
        values = parsers[path.suffix](path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ZooError(f"--space {path}: there is no such file") from None
    except (ValueError, OSError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ZooError(f"--space {path} cannot be read ({reason}): write KEY = [CHOICES] or {_RANGE}") from None
    if not isinstance(values, dict):
        raise ZooError(f"--space {path} has no keys: write KEY = [CHOICES] or {_RANGE}")
    return flat(values)


_RANGE = "KEY = {low = 1e-4, high = 0.1, log = true}"


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested sections by dotted key."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and not {"low", "high"} & value.keys():
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


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
    set_already = {setting.partition("=")[0] for setting in settings}
    usual, found = values_of(recipe), Space()
    for key, given in plain.items():
        if key != SIZE and key not in usual:
            raise ZooError(f"the space: no recipe has the key '{key:.60}': {did_you_mean(key, [SIZE, *usual])}")
        if key in set_already or (key == SIZE and size is not None):
            raise ZooError(f"the space: {key} is set for all trials already: leave one out")
        if key.startswith("split."):
            raise ZooError(f"the space: {key} changes the examples that trials are compared on: leave it out")
        found[key] = _dimension(key, given, usual.get(key))
        for value in found[key].bounds():
            if key == SIZE:
                family.size(str(value))
                continue
            try:
                recipes.override(recipe, [f"{key}={value}"])
            except ZooError as error:
                raise ZooError(f"the space: {str(error).removeprefix(f'--set {key}={value}: ')}") from None
    return found


def values_of(recipe: Recipe) -> dict[str, Any]:
    """Return the values of a recipe by the keys that people set."""
    kind = recipe.input.kind
    values = flat({**to_dict(recipe), kind: to_dict(recipe.input)})
    known = {key for key in keys(Recipe) if key != "input"} | {f"{kind}.{key}" for key in keys(type(recipe.input))}
    return {key: value for key, value in values.items() if key in known and key != f"{kind}.kind"}


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
        values = tuple(float(one) if _is_number(one) and isinstance(usual, float) else one for one in given)
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
    examples: int,
    classes: bool,
    scales: bool,
    drops: bool,
) -> dict[str, Any]:
    """Return the default space around a recipe, in its plain form.

    Args:
        family: the family.
        size: the requested size; None adds the sizes small and base to the space.
        recipe: the recipe of the first trial.
        settings: the changes of the recipe for all trials; their keys are not searched.
        examples: the number of training examples, which no batch exceeds.
        classes: whether the task is classification, so that labels can be smoothed.
        scales: whether the network can be made wider and narrower.
        drops: whether the network has a place for dropout.
    """
    decay, batch = recipe.optimizer.weight_decay, recipe.batch_size
    batches = sorted({max(1, batch // 2), batch, min(2 * batch, examples)})
    found: dict[str, Any] = {
        SIZE: list(SIZES[:2]),
        "optimizer.lr": _around(recipe.optimizer.lr),
        "optimizer.weight_decay": _around(decay) if decay else [0.0, 1e-4, 1e-3, 1e-2],
        "batch_size": [one for one in batches if one % recipe.accumulate == 0],
        **find(family.input).space,
    }
    if classes:
        found["label_smoothing"] = {"low": 0.0, "high": 0.2}
    if drops:
        found[DROPOUT] = {"low": 0.0, "high": 0.5}
    if scales:
        found[WIDTH] = list(WIDTHS)
    decided = {setting.partition("=")[0] for setting in settings} | ({SIZE} if size is not None else set())
    return {key: value for key, value in found.items() if key not in decided}


def _around(value: float) -> dict[str, Any]:
    return {"low": value / 10, "high": value * 10, "log": True}


def to_plain(space: Space) -> dict[str, Any]:
    """Return a space in its plain form, as `checked` takes it."""
    return {
        key: list(one.values) if isinstance(one, Choices) else {"low": one.low, "high": one.high, "log": one.log}
        for key, one in space.items()
    }


def corners(space: Space, keys_of: Sequence[str]) -> Iterator[dict[str, Value]]:
    """Yield every combination of the bounds of the given keys, without the keys that the space does not have."""
    searched = [key for key in keys_of if key in space]
    for values in itertools.product(*(space[key].bounds() for key in searched)):
        yield dict(zip(searched, values, strict=True))
