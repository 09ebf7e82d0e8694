"""Timing several calls in turns."""

from __future__ import annotations

import itertools

import numpy as np

from zoo.turns import in_turns


def test_untimed_calls_come_before_each_timed_one() -> None:
    made: list[str] = []
    ticks = itertools.count()
    calls = [lambda: made.append("a"), lambda: made.append("b")]
    taken = in_turns(
        calls,
        0.0,
        fewest=4,
        most=9,
        warm_up=2,
        settle=2,
        order=np.random.default_rng(0),
        clock=lambda: float(next(ticks)),
    )
    assert taken.shape == (2, 4)
    assert (taken == 1).all()
    assert len(made) == 2 * 6 * 3
    assert {"".join(made[start : start + 3]) for start in range(0, len(made), 3)} == {"aaa", "bbb"}
