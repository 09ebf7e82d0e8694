"""Golden files: batches of inputs with their outputs, stored at the export and compared later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zoo import array_file, contract
from zoo.agreement import of_largest
from zoo.artifact import Gate
from zoo.contract import PROBABILITY_TOLERANCE
from zoo.description import Model
from zoo.errors import Refused, one_line
from zoo.formats import Format
from zoo.input import Arrays
from zoo.serving.misfit import misfit
from zoo.serving.runner import Runner
from zoo.task import task_of
from zoo.text import printable

LARGEST = 2**29
"""The most bytes that a golden file may unpack to: a small archive may claim any size."""


def read_golden(path: Path, model: Model) -> Arrays:
    """Read the arrays of a golden file by name: the inputs and outputs that every format of a model has.

    Inputs may be NaN, which stands for a missing value.

    Raises:
        Refused: the file cannot be read, or holds other arrays, dtypes or shapes, or outputs that are not finite.
    """
    try:
        arrays = array_file.read(path, LARGEST)
    except Exception as error:  # zipfile, zlib and numpy each raise their own, ten kinds and more
        raise Refused(f"{path} cannot be read ({one_line(error, 120)})") from None
    wanted = contract.of_every_format(model)
    wrong = misfit(arrays, {**wanted.inputs, **wanted.outputs})
    if wrong:
        raise Refused(f"{path}: {wrong}")
    for name in wanted.outputs:
        if not np.isfinite(arrays[name]).all():
            raise Refused(f"{path}: {name} has numbers that are not finite")
    return arrays


def replay(row: Format, runner: Runner, model: Model, golden: Arrays) -> Gate:
    """The gate NAME_golden: the golden inputs one at a time and all at once give the golden outputs.

    By the task's yardstick, differences may be as large as the format's `golden_tolerance`.
    """
    task = task_of(model)
    expected = task.primary(golden, model)
    yardstick, examples, limit = task.yardstick(expected, model), len(expected), row.golden_tolerance
    figures: dict[str, Any] = {"examples": examples, "largest_difference": 0.0, "limit": limit}
    problems = []
    for batch in sorted({1, examples}):
        try:
            outputs = _in_batches(runner, golden, batch)
        except Refused as error:
            problems.append(f"batch {batch}: {error}")
            continue
        shapes = [name for name in task.outputs if outputs[name].shape != golden[name].shape]
        if shapes:
            shown = f"{outputs[shapes[0]].shape}, not {golden[shapes[0]].shape}"
            problems.append(f"batch {batch}: {shapes[0]} has the shape {shown}")
            continue
        if not all(np.isfinite(array).all() for array in outputs.values()):
            problems.append(f"batch {batch}: {' or '.join(task.outputs)} that are not finite")
            continue
        differences = yardstick.differences(task.primary(outputs, model), expected)
        figures["largest_difference"] = max(figures["largest_difference"], float(differences.max()))
        if differences.max() > limit:
            example, *_, label = np.unravel_index(differences.argmax(), differences.shape)
            problems.append(
                f"batch {batch}: the answer to example {example} differs by {differences.max():.2g} in "
                f"'{printable(model.labels[label])}', more than {limit:g}"
            )
        for name, logits in task.probabilities.items():
            # Probabilities may differ by as much as their logits.
            difference = of_largest(golden[logits], model).largest(outputs[name], golden[name])
            if difference > limit:
                problems.append(f"batch {batch}: {name} differ by {difference:.2g} of the largest of the {logits}")
        contradiction = task.consistency(outputs)
        if contradiction > PROBABILITY_TOLERANCE:
            problems.append(f"batch {batch}: {' and '.join(task.outputs)} contradict each other by {contradiction:.2g}")
    if problems:
        figures["problems"] = problems
    return Gate(f"{row.name}_golden", not problems, figures)


def _in_batches(runner: Runner, golden: Arrays, batch: int) -> Arrays:
    """Return the outputs of the contract for all golden inputs, from batches of this size."""
    inputs, outputs = runner.signature.inputs, runner.signature.outputs
    count = len(golden[next(iter(inputs))])
    parts = [runner({name: golden[name][start : start + batch] for name in inputs}) for start in range(0, count, batch)]
    return {name: np.concatenate([part[name] for part in parts]) for name in outputs}
