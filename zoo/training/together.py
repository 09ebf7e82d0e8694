"""State that all workers of a training have as the chief has it; only the chief reads and writes files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zoo import run, schema
from zoo.training.checkpoint import State
from zoo.training.strategy import take_from_chief
from zoo.training.team import Team


def state_of_chief(team: Team, strategy: Any, variables: Mapping[str, Any], state: State) -> State:
    """Return the chief's state, and give the variables the values that they have there."""
    if team.count == 1:
        return state
    weights_of_chief(team, strategy, variables)
    text = team.share(json.dumps(schema.to_dict(state)) if team.chief else None)
    return schema.parse(State, json.loads(text), "what the chief says of its state")


def weights_of_chief(team: Team, strategy: Any, variables: Mapping[str, Any]) -> None:
    """Give variables the values that they have on the chief."""
    if team.count > 1:
        with team.collective():
            take_from_chief(strategy, variables.values())


def described_by_chief(team: Team, this: run.Run | None = None) -> run.Run:
    """Return the run as the chief describes it; on the chief, that is `this`."""
    text = team.share(json.dumps(schema.to_dict(this)) if this else None)
    return this or schema.parse(run.Run, json.loads(text), "what the chief says of its run")
