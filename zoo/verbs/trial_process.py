"""The process in which `zoo tune` trains, see `zoo.tuning.worker`: it reads lines of JSON and answers each by one."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo import schema
from zoo.description import Model
from zoo.errors import Refused, ZooError
from zoo.tensorflow_setup import wake_keras
from zoo.tuning import trial
from zoo.tuning.trial import Settled, StudyRequest


def main() -> None:
    """Do what standard input says, until it ends or the process that writes it does."""
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Runs record the command that somebody typed.
    sys.argv = json.loads(sys.argv[1])
    messages: queue.Queue[dict[str, Any]] = queue.Queue()
    preflight = _Once()
    threading.Thread(target=_listen, args=(messages,), daemon=True).start()

    def answer(**said: Any) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    while True:
        message = messages.get()
        try:
            wake_keras()
            answer(**_done(message, messages, answer, preflight))
        except ZooError as error:
            answer(error=str(error), refused=isinstance(error, Refused))


class _Once:
    """The check of an untrained network's export, which networks that differ in their weights only pass once."""

    def __init__(self) -> None:
        self._passed: list[Model] = []

    def __call__(self, model: Model) -> None:
        """Check a network.

        Raises:
            Refused: it cannot be exported.
        """
        from zoo.export.preflight import preflight

        if model not in self._passed:
            preflight(model)
            self._passed.append(model)


def _listen(messages: queue.Queue[dict[str, Any]]) -> None:
    """Pass messages on, and end this process when no more can come, whatever it does."""
    for line in sys.stdin:
        messages.put(json.loads(line))
    os._exit(0)


def _done(
    message: dict[str, Any],
    messages: queue.Queue[dict[str, Any]],
    answer: Callable[..., None],
    preflight: Callable[[Model], None],
) -> dict[str, Any]:
    """Do what a message says, and return the answer."""
    if "check" in message:
        request = schema.parse(StudyRequest, message["check"], "request")
        return {"settled": schema.to_dict(trial.check(request, preflight))}
    if "test" in message:
        trial.test(Path(message["test"]))
        return {"tested": True}
    job = message["train"]
    settled = schema.parse(Settled, job["settled"], "settled")
    request = schema.parse(StudyRequest, job["request"], "request")

    def ends(epoch: int, value: float) -> bool:
        answer(epoch=epoch, value=value)
        return bool(messages.get()["end"])

    return {"figures": trial.train(request, settled, Path(job["run"]), job["size"], job["settings"], preflight, ends)}


if __name__ == "__main__":
    main()
