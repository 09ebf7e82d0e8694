"""Golden files: images with their logits and probabilities, stored at the export and compared later."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from zoo import contract
from zoo.agreement import softmax
from zoo.artifact import Gate
from zoo.contract import IMAGE, LOGITS, OUTPUTS, PROBABILITIES, PROBABILITY_TOLERANCE, SERVE, SIGNATURES
from zoo.description import Model
from zoo.errors import Refused
from zoo.formats import Format
from zoo.serving.runner import Runner
from zoo.signature import Tensor

LARGEST = 2**29
"""The most bytes that a golden file may unpack to: a small archive may claim any size."""


def read_golden(path: Path, model: Model) -> dict[str, np.ndarray]:
    """The arrays of a golden file by name, with the dtypes and shapes of the contract; `batch` is its number of images.

    Raises:
        Refused: the file cannot be read, or holds other arrays, dtypes or shapes, or numbers that are not finite.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"{size} bytes unpacked are more than {LARGEST}")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except Exception as error:  # zipfile, zlib and numpy each raise their own, ten kinds and more
        raise Refused(f"{path} cannot be read ({' '.join(str(error).split())[:120]})") from None
    names = {**SIGNATURES[SERVE].inputs, **SIGNATURES[SERVE].outputs}
    if set(arrays) != set(names):
        raise Refused(f"{path} holds {', '.join(sorted(arrays)) or 'nothing'}, not {', '.join(names)}")
    images = len(arrays[LOGITS]) if arrays[LOGITS].ndim else 0
    wanted = contract.of_every_format(model)
    for name, tensor in {**wanted.inputs, **wanted.outputs}.items():
        array, shape = arrays[name], (images, *tensor.shape[1:])
        if array.dtype != tensor.dtype or array.shape != shape or not images:
            form = Tensor(tensor.dtype, ("images", *tensor.shape[1:]))
            raise Refused(f"{path}: {name} is {Tensor(array.dtype.name, array.shape)}, not {form}")
        if not np.isfinite(array).all():
            raise Refused(f"{path}: {name} has numbers that are not finite")
    return arrays


def replay(row: Format, runner: Runner, golden: dict[str, np.ndarray]) -> Gate:
    """The gate NAME_golden: the golden images one at a time and all at once give the golden logits and probabilities.

    Differences may be as large as the format's `golden_tolerance`.
    """
    images = len(golden[IMAGE])
    largest = float(np.abs(golden[LOGITS]).max())
    tolerance = row.golden_tolerance * largest
    figures: dict[str, Any] = {"images": images, "largest_logit": largest, "tolerance": tolerance}
    problems = []
    for batch in sorted({1, images}):
        try:
            outputs = _in_batches(runner, golden[IMAGE], batch)
        except Refused as error:
            problems.append(f"batch {batch}: {error}")
            continue
        if not all(np.isfinite(outputs[name]).all() for name in OUTPUTS):
            problems.append(f"batch {batch}: logits or probabilities that are not finite")
            continue
        for name in OUTPUTS:
            differences = np.abs(outputs[name] - golden[name]).max(1)
            difference = float(differences.max())
            figures[f"{name}_difference"] = max(difference, figures.get(f"{name}_difference", 0.0))
            if difference > tolerance:
                image = int(differences.argmax())
                problems.append(f"batch {batch}: {name} of image {image} differ by {difference:.2g}")
        mismatch = float(np.abs(softmax(outputs[LOGITS]) - outputs[PROBABILITIES]).max())
        if mismatch > PROBABILITY_TOLERANCE:
            problems.append(f"batch {batch}: probabilities are not the softmax of the logits, by {mismatch:.2g}")
    if problems:
        figures["problems"] = problems
    return Gate(f"{row.name}_golden", not problems, figures)


def _in_batches(runner: Runner, images: np.ndarray, batch: int) -> dict[str, np.ndarray]:
    """The outputs for all images, from batches of this size."""
    parts = [runner(images[start : start + batch]) for start in range(0, len(images), batch)]
    return {name: np.concatenate([part[name] for part in parts]) for name in OUTPUTS}
