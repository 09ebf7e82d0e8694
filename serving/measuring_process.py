"""Child processes that measure: each reads one JSON document from standard input and writes lines of JSON."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from typing import Any

from zoo.child_process import PYTHON_MODULE, error_message, own_output, raise_error
from zoo.errors import ZooError
from zoo.tensorflow_setup import server_environment


def measurements(module: str, request: dict[str, Any]) -> Generator[dict[str, Any], None, None]:
    """Start `python -m module` with a request and yield its measurements, line by line.

    The process is ended when the caller stops early.

    Raises:
        ZooError: the process raised it, or died; the message then has the last line that it wrote.
    """
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(
            [*PYTHON_MODULE, module],
            env=server_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            # A process that could not even start to read leaves its reason in `complaints`.
            with contextlib.suppress(BrokenPipeError), process.stdin as standard_input:
                json.dump(request, standard_input)
            for line in process.stdout:
                measured = json.loads(line)
                raise_error(measured)
                yield measured
            if process.wait() != 0:
                complaints.seek(0)
                last = (complaints.read().strip().splitlines() or ["it wrote nothing"])[-1]
                raise ZooError(
                    f"a measuring process ended with status {process.returncode} ({last[:200]}): "
                    "where memory is short, measure smaller batches or fewer artifacts"
                )
        finally:
            process.kill()


def serve(measure: Callable[[dict[str, Any]], Iterator[dict[str, Any]]]) -> None:
    """Run the child process: read the request, and write each measurement as it comes, or a ZooError as the last line.

    Whatever a library writes to standard output goes to standard error.
    """
    answers = own_output()
    try:
        for line in measure(json.load(sys.stdin)):
            print(json.dumps(line), file=answers, flush=True)
    except ZooError as error:
        print(json.dumps(error_message(error)), file=answers, flush=True)
