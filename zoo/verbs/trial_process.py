"""The process in which `zoo tune` trains, see `zoo.tuning.process`: it answers each line of JSON that it reads."""

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
from zoo.child_process import error_message, own_output
from zoo.description import Model
from zoo.errors import ZooError
from zoo.installation import missing
from zoo.tensorflow_setup import import_keras
from zoo.tuning import trial
from zoo.tuning.process import StudyEnds
from zoo.tuning.trial import Settled, StudyRequest


def main() -> None:
    """Answer the messages on standard input until it ends; it also ends with the process that writes it."""
    answers = own_output()
    # Runs record the command that the user typed.
    sys.argv = json.loads(sys.argv[1])
    messages: queue.Queue[dict[str, Any]] = queue.Queue()
    preflight = _PreflightOnce()
    threading.Thread(target=_listen, args=(messages,), daemon=True).start()

    def answer(**fields: Any) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    while True:
        message = messages.get()
        try:
            import_keras()
            answer(**_answer_to(message, messages, answer, preflight))
        except StudyEnds as error:
            answer(ends=str(error))
        except ZooError as error:
            answer(**error_message(error))
        except ModuleNotFoundError as error:
            answer(**error_message(ZooError(missing(error.name or str(error)))))


class _PreflightOnce:
    """The trial export of untrained networks, made once for all networks with the same description."""

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
    """Pass messages on, and end this process at the end of standard input, whatever the process is doing."""
    for line in sys.stdin:
        messages.put(json.loads(line))
    os._exit(0)


def _answer_to(
    message: dict[str, Any],
    messages: queue.Queue[dict[str, Any]],
    answer: Callable[..., None],
    preflight: Callable[[Model], None],
) -> dict[str, Any]:
    """Carry out the request in a message, and return the answer."""
    if "check" in message:
        request = schema.parse(StudyRequest, message["check"], "request")
        return {"settled": schema.to_dict(trial.check(request, preflight))}
    if "test" in message:
        data_dir = message["test"]["data_dir"]
        trial.test(Path(message["test"]["run"]), None if data_dir is None else Path(data_dir))
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
