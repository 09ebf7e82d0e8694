"""Sharing of the chief's state with all workers of a training; only the chief reads and writes files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zoo import run, schema
from zoo.training.checkpoint import State
from zoo.training.strategy import take_from_chief
from zoo.training.team import Team


def state_of_chief(team: Team, strategy: Any, variables: Mapping[str, Any], state: State) -> State:
    """Return the chief's state, and give the variables the values that they have on the chief."""
    if team.count == 1:
        return state
    weights_of_chief(team, strategy, variables)
    text = team.broadcast(json.dumps(schema.to_dict(state)) if team.chief else None)
    return schema.parse(State, json.loads(text), "the chief's state")


def weights_of_chief(team: Team, strategy: Any, variables: Mapping[str, Any]) -> None:
    """Give variables the values that they have on the chief."""
    if team.count > 1:
        with team.collective():
            take_from_chief(strategy, variables.values())


def described_by_chief(team: Team, this: run.Run | None = None) -> run.Run:
    """Return the chief's description of the run; on the chief, that is `this`."""
    text = team.broadcast(json.dumps(schema.to_dict(this)) if this else None)
    return this or schema.parse(run.Run, json.loads(text), "the chief's description of its run")
