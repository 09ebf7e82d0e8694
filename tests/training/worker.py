"""`zoo train` in a process of its own, as one of several workers: `python worker.py MOMENT LIMITS [ARGUMENT ...]`.

There is no trial export. MOMENT says when and how this worker ends or stops; `never` does nothing. Epochs and steps
count from 0.

    kill:EPOCH:STEP      SIGKILL before a step
    stop:EPOCH:STEP      SIGSTOP before a step
    term:EPOCH:STEP      SIGTERM before a step
    hang:EPOCH:STEP      the main thread waits forever before a step
    evaluation:EPOCH     SIGKILL in the evaluation after an epoch

LIMITS is a JSON document with constants of `zoo.training.worker_limits` to change.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
from typing import Any
from unittest import mock

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "term": signal.SIGTERM}


def at(moment: str) -> Any:
    """A Keras callback for the moment."""
    import keras

    class At(keras.callbacks.Callback):
        epoch = -1

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            what, _, place = moment.partition(":")
            if place != f"{self.epoch}:{batch}":
                return
            if what == "hang":
                threading.Event().wait()
            os.kill(os.getpid(), SIGNALS[what])

        def on_test_begin(self, logs: Any = None) -> None:
            if moment == f"evaluation:{self.epoch}":
                os.kill(os.getpid(), signal.SIGKILL)

    return At()


def main() -> None:
    moment, limits, *arguments = sys.argv[1:]
    sys.argv = ["zoo", "train", *arguments]
    import zoo
    from zoo.cli import main as command_line
    from zoo.tensorflow_setup import import_keras
    from zoo.training import worker_limits

    import_keras()
    from zoo.export import preflight

    watched = functools.partial(zoo.train, callbacks=[at(moment)])
    with (
        mock.patch.multiple(worker_limits, **json.loads(limits)),
        mock.patch.object(preflight, "preflight", return_value=None),
        mock.patch.object(zoo, "train", watched),
    ):
        command_line()


if __name__ == "__main__":
    main()
