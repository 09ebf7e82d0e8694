"""The golden inputs and outputs of an artifact: what it answered when it was made, to be answered again."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact import GOLDEN_INT8, Format, Gate
from zoo.contract import IMAGE, LOGITS, OUTPUTS, PROBABILITIES
from zoo.description import Model
from zoo.errors import Refused
from zoo.serving.runner import Runner
from zoo.serving.signature import tensor

TOLERANCES: dict[Format, float] = {"onnx": 1e-4, "onnx_int8": 5e-2, "onnx_fp16": 1e-2, "saved_model": 1e-4}
"""How far an answer may be from the golden one, as a share of the largest |logit| there.

int8 is held to its own golden answers: another processor rounds the floats between its integers otherwise.
"""

GOLDENS: dict[Format, str] = {"onnx_int8": GOLDEN_INT8}
"""Where the golden answers of a format are, if not in `GOLDEN`."""

SOFTMAX_TOLERANCE = 1e-5
"""How far a probability may be from the softmax of the logits beside it."""

LARGEST = 2**29
"""Bytes, unpacked: a small archive may claim any size."""


def read_golden(path: Path, model: Model) -> dict[str, np.ndarray]:
    """`image`, uint8 [images, height, width, channels]; `logits` and `probabilities`, float32 [images, classes].

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
    if set(arrays) != {IMAGE, *OUTPUTS}:
        raise Refused(f"{path} holds {', '.join(sorted(arrays)) or 'nothing'}, not {', '.join((IMAGE, *OUTPUTS))}")
    images = len(arrays[LOGITS]) if arrays[LOGITS].ndim else 0
    answer = ("float32", (images, len(model.labels)))
    for name, (dtype, shape) in {
        IMAGE: ("uint8", (images, *model.preprocessing.shape)),
        LOGITS: answer,
        PROBABILITIES: answer,
    }.items():
        array = arrays[name]
        if array.dtype != dtype or array.shape != shape or not images:
            found, wanted = tensor(array.dtype.name, array.shape), tensor(dtype, ["images", *shape[1:]])
            raise Refused(f"{path}: {name} is {found}, not {wanted}")
        if not np.isfinite(array).all():
            raise Refused(f"{path}: {name} has numbers that are not finite")
    return arrays


def replay(kind: Format, runner: Runner, golden: dict[str, np.ndarray]) -> Gate:
    """Answer the golden images one at a time and all at once, and compare, within what the format is allowed."""
    tolerance = TOLERANCES[kind]
    images = len(golden[IMAGE])
    largest = float(np.abs(golden[LOGITS]).max())
    figures: dict[str, Any] = {"images": images, "largest_logit": largest, "tolerance": tolerance * largest}
    problems = []
    for batch in sorted({1, images}):
        try:
            answers = _answers(runner, golden[IMAGE], batch)
        except Refused as error:
            problems.append(f"batch {batch}: {error}")
            continue
        if not all(np.isfinite(answers[output]).all() for output in OUTPUTS):
            problems.append(f"batch {batch}: answers that are not finite")
            continue
        for output in OUTPUTS:
            difference = float(np.abs(answers[output] - golden[output]).max())
            figures[f"{output}_difference"] = max(difference, figures.get(f"{output}_difference", 0.0))
            if difference > tolerance * largest:
                where = int(np.abs(answers[output] - golden[output]).max(1).argmax())
                problems.append(f"batch {batch}: {output} of image {where} differ by {difference:.2g}")
        mismatch = float(np.abs(_softmax(answers[LOGITS]) - answers[PROBABILITIES]).max())
        if mismatch > SOFTMAX_TOLERANCE:
            problems.append(f"batch {batch}: probabilities are not the softmax of the logits, by {mismatch:.2g}")
    if problems:
        figures["problems"] = problems
    return Gate(f"{kind}_golden", not problems, figures)


def _answers(runner: Runner, pixels: np.ndarray, batch: int) -> dict[str, np.ndarray]:
    parts = [runner(pixels[start : start + batch]) for start in range(0, len(pixels), batch)]
    return {output: np.concatenate([part[output] for part in parts]) for output in OUTPUTS}


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
