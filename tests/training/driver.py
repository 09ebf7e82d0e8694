"""A training process of its own: `python driver.py FOLDER DEVICES MOMENT MINUTES NAME DATA [KEY=VALUE ...]`.

It trains, or continues, the run at FOLDER, with a checkpoint every so many MINUTES; NAME is family-size, or
family-size-method for a pretraining, or a run to take weights from, and may end with @TEACHER; DATA may end with
@UNLABELED. The key `target`, which no recipe has, names the columns to predict. At MOMENT, unless that is `never`, it
kills itself as `kill -9` does: no handler runs, nothing is flushed. Epochs and batches count from 0, files from 1.

    step:EPOCH:BATCH     before a step
    saved:EPOCH:BATCH    the same, as soon as a checkpoint of this epoch is written
    term:EPOCH:BATCH     the same, with SIGTERM
    evaluation:EPOCH     in the evaluation after an epoch
    epoch:EPOCH          between this epoch and the next
    write:NAME:COUNT     when half of the COUNTth file of this name is written
    rename:NAME:COUNT    when it is written, but does not have its name yet
    after:SECONDS        so long after the training began
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import keras

from zoo import weights_file
from zoo.errors import ZooError
from zoo.training import start
from zoo.training.request import DataRequest, Execution, TrainingRequest


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def within(folder: Path, epoch: int) -> bool:
    """Return whether a checkpoint that was written within an epoch, which counts from 0, is on the disk."""
    try:
        _, text = weights_file.read(folder / "checkpoints/last.safetensors")
    except (OSError, ZooError):  # a thread moves it
        return False
    state = json.loads(text["state"])
    return bool(state["epochs_done"] == epoch and state["steps_done"])


class KillAt(keras.callbacks.Callback):
    """Kills this very process at a moment of the training. It asks for the figures of no batch."""

    def __init__(self, moment: str, folder: Path) -> None:
        super().__init__()
        self.moment, self.folder, self.epoch = moment, folder, -1

    def on_train_begin(self, logs: Any = None) -> None:
        what, _, seconds = self.moment.partition(":")
        if what == "after":
            timer = threading.Timer(float(seconds), kill)
            timer.daemon = True
            timer.start()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.moment == f"step:{self.epoch}:{batch}":
            kill()
        if self.moment == f"saved:{self.epoch}:{batch}":
            end = time.monotonic() + 60
            while time.monotonic() < end and not within(self.folder, self.epoch):
                time.sleep(0.01)
            kill()
        if self.moment == f"term:{self.epoch}:{batch}":
            signal.raise_signal(signal.SIGTERM)

    def on_test_begin(self, logs: Any = None) -> None:
        if self.moment == f"evaluation:{self.epoch}":
            kill()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.moment == f"epoch:{epoch}":
            kill()


def kill_at_files(moment: str) -> None:
    """Let `Path` kill this process at a file that the moment names."""
    seen: Counter[tuple[str, str]] = Counter()
    write, rename = Path.write_bytes, Path.replace

    def write_bytes(path: Path, data: bytes) -> int:
        name = path.stem.rpartition("-")[2]
        seen["write", name] += 1
        if moment == f"write:{name}:{seen['write', name]}":
            write(path, data[: len(data) // 2])
            kill()
        return write(path, data)

    def replace(path: Path, target: Path) -> Path:
        seen["rename", path.stem] += 1
        if moment == f"rename:{path.stem}:{seen['rename', path.stem]}":
            kill()
        return rename(path, target)

    mock.patch.multiple(Path, write_bytes=write_bytes, replace=replace).start()


def main() -> None:
    folder, devices, moment, minutes, name, source, *settings = sys.argv[1:]
    kill_at_files(moment)
    execution = Execution(
        devices=int(devices),
        checkpoint_minutes=float(minutes),
        callbacks=[KillAt(moment, Path(folder))],
        say=functools.partial(print, flush=True),  # before a signal ends it
    )
    if Path(folder).exists():
        start.resume(Path(folder), None, execution)
        return
    name, _, teacher = name.partition("@")
    source, _, unlabeled = source.partition("@")
    options = dict(one.split("=", 1) for one in settings if one.startswith("target="))
    weights = Path(name) if Path(name).is_dir() else None
    family, size, method = (None, None, None) if weights else (*name.split("-"), None)[:3]
    request = TrainingRequest(
        family=family,
        size=size,
        weights=weights,
        teacher=Path(teacher) if teacher else None,
        unlabeled=unlabeled or None,
        data=DataRequest(source, options=options),
        settings=[one for one in settings if not one.startswith("target=")],
        method=method,
        out=Path(folder),
    )
    start.start(request, execution, lambda model: None)


if __name__ == "__main__":
    main()
