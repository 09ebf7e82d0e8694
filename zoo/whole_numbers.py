"""Numbers that callers in Python pass, where the command line accepts whole ones only."""

from __future__ import annotations

from numbers import Integral

from zoo.errors import ZooError


def check_whole(name: str, value: object, example: int) -> None:
    """Raise ZooError unless a value is None or a whole number of Python or numpy; a bool is not a whole number.

    Args:
        name: the caller's name for the value.
        value: the value.
        example: a number that the message suggests.
    """
    if value is not None and (isinstance(value, bool) or not isinstance(value, Integral)):
        raise ZooError(f"{name}={value!r:.40} is not a whole number: take one such as {example}")
