"""Predictions: the answers of an artifact for files that people name, with the name of each example."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo import formats
from zoo.artifact import read
from zoo.errors import ZooError
from zoo.files import staged_file
from zoo.finite import finite, refuse_not_finite
from zoo.input import Arrays, Input, NamedExample, kind_of
from zoo.serving.runner import open_runner
from zoo.task import Answer, task_of
from zoo.text import with_article
from zoo.whole_numbers import check_whole

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
    leave_out: Callable[[Path, str], None] = lambda path, reason: None,
) -> list[Prediction]:
    """Answer every example that files and folders hold.

    Args:
        artifact: its folder.
        paths: files, and folders of them, as the artifact's kind of input reads them.
        top: the most labels that an answer has, where answers are labels.
        runtime: the format or other runtime that computes the answers; when None, ONNX if the artifact has it.
        leave_out: called with each visible entry of a folder that is no example, and the reason.

    Raises:
        ZooError: there is no artifact or no example, an example cannot be read, `top` is below 1, or the artifact
            lacks the runtime.
        Refused: the artifact is damaged, or it answers an example with numbers that are not finite.
    """
    check_whole("top", top, 5)
    if top < 1:
        raise ZooError(f"--top {top} would show nothing: ask for at least 1")
    manifest = read(artifact)
    model = manifest.model
    kind, task = kind_of(model.preprocessing), task_of(model)
    at_once = 1 if kind.alone(model.preprocessing) else BATCH
    batches = _batches(iter(kind.client.named_examples(paths, model.preprocessing, leave_out)), at_once)
    # Wrong paths are refused before a library takes seconds to load.
    first = next(batches, None)
    if first is None:
        raise ZooError(f"there is nothing to predict: name {kind.plural}, or a folder of them")
    runner = open_runner(artifact, formats.preferred(manifest.formats).name if runtime is None else runtime)
    predictions = []
    for batch in itertools.chain([first], batches):
        outputs = runner(_encoded(batch, kind, model.preprocessing))
        for array in outputs.values():
            refuse_not_finite(finite(array), [request.name for request in batch].__getitem__, str(artifact))
        for number, request in enumerate(batch):
            answer = task.answer({name: array[number] for name, array in outputs.items()}, model, top)
            predictions.append(Prediction(request.name, answer))
    return predictions


def _batches(requests: Iterator[NamedExample], at_once: int) -> Iterator[list[NamedExample]]:
    while batch := list(itertools.islice(requests, at_once)):
        yield batch


def _encoded(batch: Sequence[NamedExample], kind: Input, preprocessing: object) -> Arrays:
    """Encode a batch; where that fails, name the example that is to blame."""
    try:
        return kind.client.encode([request.raw for request in batch], preprocessing)
    except ZooError:
        for request in batch:
            try:
                kind.client.encode([request.raw], preprocessing)
            except ZooError as error:
                what = with_article(kind.noun)
                raise ZooError(f"{request.name} cannot be read as {what}: {error}") from None
        raise


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
