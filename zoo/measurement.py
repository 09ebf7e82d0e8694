"""Defaults and limits of the measurements of speed."""

from __future__ import annotations

from zoo.errors import ZooError

BATCHES = (1, 8, 32)
"""The numbers of examples in a request by default."""

SECONDS = 3.0
"""The time for which each speed is measured by default, in seconds."""

MOST_SECONDS = 3600.0
"""The longest time for which a speed is measured, in seconds."""


def check_seconds(seconds: float) -> None:
    """Raise ZooError if a speed cannot be measured for this time, in seconds."""
    if not 0 < seconds <= MOST_SECONDS:
        raise ZooError(f"--seconds {seconds:g} is out of range: give a number above 0 and at most {MOST_SECONDS:.0f}")
