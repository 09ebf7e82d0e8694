"""A training process of its own: `python driver.py FOLDER DEVICES KILL_EPOCH KILL_BATCH NAME DATA [KEY=VALUE ...]`.

It trains, or continues, the run at FOLDER; NAME is family-size, or a run to take weights from. At KILL_BATCH of
KILL_EPOCH (counted from 0; -1: never) it kills itself as `kill -9` does: no handler runs, nothing is flushed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import keras

from zoo.training import start


class KillAt(keras.callbacks.Callback):
    """SIGKILL to this very process, in mid-epoch."""

    def __init__(self, epoch: int, batch: int) -> None:
        super().__init__()
        self.moment, self.epoch = (epoch, batch), -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (self.epoch, batch) == self.moment:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    folder, devices, epoch, batch, name, source, *settings = sys.argv[1:]
    callbacks = [KillAt(int(epoch), int(batch))]
    if Path(folder).exists():
        start.resume(Path(folder), data_dir=None, strategy="auto", devices=int(devices), callbacks=callbacks)
        return
    weights = Path(name) if Path(name).is_dir() else None
    family, size = (None, None) if weights else name.split("-")
    start.start(
        family,
        size=size,
        weights=weights,
        source=source,
        data_dir=None,
        options={},
        bad_examples="error",
        settings=settings,
        out=Path(folder),
        strategy="auto",
        devices=int(devices),
        preflight=lambda model: None,
        callbacks=callbacks,
    )


if __name__ == "__main__":
    main()
