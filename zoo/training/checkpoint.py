"""Where training stands, in one file: an interrupted run continues from it as if nothing had happened."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from zoo import schema, weights_file
from zoo.schema import record


@record
class State:
    """What the loop knows at the end of an epoch.

    How many are done, a row of metrics for each, and the best of them.
    """

    epochs_done: int = 0
    history: tuple[dict[str, float], ...] = ()
    best_accuracy: float = -1.0
    best_epoch: int = 0

    def after(self, row: dict[str, float]) -> State:
        """The state one epoch later; an epoch is better when its validation accuracy is higher."""
        state = dataclasses.replace(self, epochs_done=self.epochs_done + 1, history=(*self.history, row))
        if row["val_accuracy"] > self.best_accuracy:
            state = dataclasses.replace(state, best_accuracy=row["val_accuracy"], best_epoch=state.epochs_done)
        return state


def save(path: Path, model: Any, optimizer: Any, state: State) -> None:
    """Write the whole state of training."""
    weights_file.save(path, _named(model, optimizer), {"state": json.dumps(schema.to_dict(state))})


def restore(path: Path, model: Any, optimizer: Any) -> State:
    """Bring model and optimizer back to the state at `path`.

    Raises:
        ZooError: the checkpoint is damaged or of another network.
    """
    arrays, text = weights_file.read(path)
    weights_file.assign(_named(model, optimizer), arrays, str(path))
    return schema.parse(State, json.loads(text.get("state", "{}")), str(path))


def _named(model: Any, optimizer: Any) -> dict[str, Any]:
    model_part = {f"model/{name}": variable for name, variable in weights_file.variables(model).items()}
    # Keras numbers an optimizer's paths by process too; their order is that of the model's variables.
    optimizer_part = {f"optimizer/{number}": variable for number, variable in enumerate(optimizer.variables)}
    return model_part | optimizer_part
