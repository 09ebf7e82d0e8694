"""Predictions: the answers of an artifact for files that people name, with the name of each example."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo import formats
from zoo.artifact import read
from zoo.data.example import BadExamples, check_bad_examples
from zoo.errors import ZooError, listed
from zoo.files import staged_file
from zoo.finite import finite, refuse_not_finite
from zoo.input import Arrays, Input, NamedExample, kind_of
from zoo.serving.runner import open_runner
from zoo.task import Answer, task_of
from zoo.text import Say, silent, with_article
from zoo.whole_numbers import check_whole

LeaveOut = Callable[[Path, str], None]

BATCH = 32
"""Examples in a batch: enough to be fast, few enough that memory suffices for any number of examples.

Examples are answered one at a time if others in the batch would change an answer, see `zoo.input.Input.alone`.
"""


@dataclass(frozen=True)
class Prediction:
    """The name of an example and the answer for it."""

    name: str
    answer: Answer


def predict(
    artifact: Path,
    paths: Sequence[Path],
    *,
    top: int = 5,
    runtime: str | None = None,
    bad_examples: BadExamples = "error",
    leave_out: LeaveOut = lambda name, reason: None,
    say: Say = silent,
) -> list[Prediction]:
    """Answer every example that files and folders hold.

    Args:
        artifact: its folder.
        paths: files, and folders of them, as the artifact's kind of input reads them.
        top: the most labels that an answer has, where answers are labels.
        runtime: the format or other runtime that computes the answers; when None, ONNX if the artifact has it.
        bad_examples: whether examples that cannot be read are an error or are left out.
        leave_out: called with each visible entry of a folder that is not an example, and each example that is left out
            because it cannot be read; and the reason.
        say: called with one line about all examples that are answered and unusual.

    Raises:
        ZooError: there is no artifact or no example, an example cannot be read, none can, `top` is below 1, or the
            artifact lacks the runtime.
        Refused: the artifact is damaged, or it answers an example with numbers that are not finite.
    """
    check_whole("top", top, 5)
    check_bad_examples(bad_examples)
    if top < 1:
        raise ZooError(f"--top {top} would show nothing: ask for at least 1")
    manifest = read(artifact)
    model = manifest.model
    kind, task = kind_of(model.preprocessing), task_of(model)
    at_once = 1 if kind.alone(model.preprocessing) else BATCH
    unreadable = 0

    def on_unreadable(name: str, reason: str) -> None:
        nonlocal unreadable
        unreadable += 1
        if bad_examples == "error":
            raise ZooError(
                f"{name} cannot be read as {with_article(kind.noun)}: {reason} (--bad-examples skip leaves it out)"
            )
        leave_out(Path(name), reason)

    examples = _readable(kind.client.named_examples(paths, model.preprocessing, leave_out), on_unreadable)
    batches = _batches(examples, at_once)
    # Wrong paths are refused before a library takes seconds to load.
    first = next(batches, [])
    if not first and not unreadable:
        raise ZooError(f"there is nothing to predict: name {kind.plural}, or a folder of them")
    runner = open_runner(artifact, formats.preferred(manifest.formats).name if runtime is None else runtime)
    predictions, remarks = [], []
    for requests in itertools.chain([first], batches):
        batch, inputs = _encoded(requests, kind, model.preprocessing, on_unreadable)
        if not batch:
            continue
        outputs = runner(inputs)
        for array in outputs.values():
            refuse_not_finite(finite(array), [request.name for request in batch].__getitem__, str(artifact))
        for number, request in enumerate(batch):
            answer = task.answer({name: array[number] for name, array in outputs.items()}, model, top)
            predictions.append(Prediction(request.name, answer))
            if request.remark:
                remarks.append(f"{request.name} {request.remark}")
    if not predictions:
        raise ZooError(f"no {kind.noun} can be read ({unreadable} were left out): name others")
    if remarks:
        say(f"{len(remarks)} of {len(predictions)} {kind.plural} are unusual: {listed(remarks, most=3, longest=300)}")
    return predictions


def _readable(requests: Iterable[NamedExample], on_unreadable: Callable[[str, str], None]) -> Iterator[NamedExample]:
    """Yield the examples that can be read; `on_unreadable` gets the name of each other example, and the reason."""
    for request in requests:
        if request.problem is None:
            yield request
        else:
            on_unreadable(request.name, request.problem)


def _batches(requests: Iterator[NamedExample], at_once: int) -> Iterator[list[NamedExample]]:
    while batch := list(itertools.islice(requests, at_once)):
        yield batch


def _encoded(
    batch: Sequence[NamedExample], kind: Input, preprocessing: object, on_unreadable: Callable[[str, str], None]
) -> tuple[Sequence[NamedExample], Arrays]:
    """Return the examples of a batch that can be encoded, and their arrays; `on_unreadable` gets the others."""

    def encoded(requests: Sequence[NamedExample]) -> Arrays:
        return kind.client.encode([request.raw for request in requests], preprocessing) if requests else {}

    try:
        return batch, encoded(batch)
    except ZooError:
        sound = []
        for request in batch:
            try:
                encoded([request])
            except ZooError as error:
                on_unreadable(request.name, str(error))
            else:
                sound.append(request)
        return sound, encoded(sound)


def write_csv(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write the predictions as CSV, whole or not at all: a header, then a row for each with its name and its answer.

    Names and labels are written as they are, even if they begin with `=` or `@`, which spreadsheets take for formulas.
    """
    rows = [(prediction.name, prediction.answer.cells()) for prediction in predictions]
    # Python decodes file names that are not UTF-8 to surrogates, which UTF-8 does not encode.
    with (
        staged_file(path) as staging,
        staging.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["name", *rows[0][1]])
        writer.writerows([name, *cells.values()] for name, cells in rows)
