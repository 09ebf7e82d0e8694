"""The whole state of a training in one file, from which an interrupted run continues bit for bit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from zoo import schema, weights_file
from zoo.schema import record


@record
class State:
    """The number of finished epochs, a row of metrics for each, and the best of them, counted from 1."""

    epochs_done: int = 0
    history: tuple[dict[str, float], ...] = ()
    best_score: float | None = None
    best_epoch: int = 0

    def after(self, row: dict[str, float], best: str, higher_is_better: bool) -> State:
        """Return the state after one more epoch; the best epoch has the best value of the metric `best`."""
        state = dataclasses.replace(self, epochs_done=self.epochs_done + 1, history=(*self.history, row))
        score = row[f"val_{best}"]
        if self.best_score is None or (score > self.best_score if higher_is_better else score < self.best_score):
            state = dataclasses.replace(state, best_score=score, best_epoch=state.epochs_done)
        return state


def save(path: Path, model: Any, optimizer: Any, state: State) -> None:
    """Write the variables of model and optimizer, and the state of the loop."""
    weights_file.save(path, _named(model, optimizer), {"state": json.dumps(schema.to_dict(state))})


def restore(path: Path, model: Any, optimizer: Any) -> State:
    """Set model and optimizer to the checkpoint at `path`, and return the state of the loop.

    Raises:
        ZooError: the checkpoint is damaged or of another network.
    """
    arrays, text = weights_file.read(path)
    weights_file.assign(_named(model, optimizer), arrays, str(path))
    return schema.parse(State, json.loads(text.get("state", "{}")), str(path))


def _named(model: Any, optimizer: Any) -> dict[str, Any]:
    model_part = {f"model/{name}": variable for name, variable in weights_file.variables(model).items()}
    # The paths of an optimizer's variables change from process to process; their order does not.
    optimizer_part = {f"optimizer/{number}": variable for number, variable in enumerate(optimizer.variables)}
    return model_part | optimizer_part
