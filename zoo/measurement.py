"""Defaults and limits of the measurements of speed."""

from __future__ import annotations

from zoo.errors import ZooError

BATCHES = (1, 8, 32)
"""The numbers of examples in a request, if nobody names others."""

SECONDS = 3.0
"""The time that each speed is measured, in seconds, if nobody names another."""

MOST_SECONDS = 3600.0
"""The longest time that a speed is measured, in seconds."""


def check_seconds(seconds: float) -> None:
    """Raise ZooError if a speed cannot be measured for this time, in seconds."""
    if not 0 < seconds <= MOST_SECONDS:
        raise ZooError(f"--seconds {seconds:g} is out of range: give a number above 0 and at most {MOST_SECONDS:.0f}")
