"""From a run to an artifact: written beside its place, put through the gates, renamed only when all of them pass."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo import artifact, building, files, provenance, run, schema
from zoo.artifact import Accuracy, Format, Gate, Manifest
from zoo.contract import IMAGE, LOGITS, PROBABILITIES, VERSION
from zoo.data.again import load_again
from zoo.data.pictures import Pictures
from zoo.data.pipeline import pixel_batches
from zoo.description import Model
from zoo.errors import Refused
from zoo.export import card, gates
from zoo.export.gates import Evidence
from zoo.export.jpeg import as_jpeg
from zoo.export.onnx import OPSET, write_onnx
from zoo.export.saved_model import write_saved_model
from zoo.export.server_check import server_gate
from zoo.export.serving_rules import static_gates
from zoo.export.warmup import write_warmup
from zoo.intervals import wilson
from zoo.preprocess import Preprocessing, normalised, open_picture, pixels_from_bytes, pixels_tensor

EVIDENCE_PICTURES = 64
GOLDEN_PICTURES = 8
WARMUP_PICTURES = 4
KERAS_BATCH = 16
ACCURACY_BATCH = 64

Say = Callable[[str], None]


def export(run_folder: Path, formats: Sequence[Format], *, out: Path | None, data_dir: Path | None, say: Say) -> Path:
    """Write the artifact of a finished run and return its folder.

    Raises:
        ZooError: the run or its data cannot be had, or `out` exists.
        Refused: a gate failed; its name and figures are in the message, and no artifact is left.
    """
    started = provenance.here(seed=0)
    this = run.read_finished(run_folder)
    target = out or files.unused(Path("artifacts"), run_folder.resolve().name)
    files.refuse_existing(target)
    model = building.load(run_folder)
    dataset = load_again(this.data, this.recipe.split, data_dir)
    evidence, pipeline_pixels = _evidence(model, this.model.preprocessing, dataset.test)
    with files.staged_folder(target) as staging:
        say("writing " + ", ".join(formats))
        passed = [gates.client_gate(evidence, pipeline_pixels)]
        np.savez(staging / artifact.GOLDEN, allow_pickle=False, **_golden(evidence))
        files.write_text(staging / artifact.LABELS, "".join(f"{label}\n" for label in this.model.labels))
        for kind in formats:
            _WRITE[kind](staging, model, this.model)
        if "saved_model" in formats:
            _write_warmup(staging, this.model, evidence, dataset.test)
        for kind in formats:
            passed += _GATES[kind](staging, evidence)
        if "saved_model" in formats:
            passed.append(server_gate(staging / artifact.SAVED_MODEL, _golden(evidence)))
        _refuse_failed(passed, f"{run_folder} makes no artifact")
        say(f"{len(passed)} gates passed; measuring accuracy on {len(dataset.test)} test pictures")
        accuracy = {
            kind: _accuracy(_FUNCTION[kind](staging), dataset.test, this.model.preprocessing) for kind in formats
        }
        manifest = Manifest(
            schema=artifact.SCHEMA,
            model=this.model,
            data=this.data,
            recipe=this.recipe,
            training=this.provenance,
            export=dataclasses.replace(started, seed=this.recipe.seed, finished=provenance.now()),
            formats=tuple(formats),
            files={},
            gates=tuple(passed),
            accuracy=accuracy,
            licence={"weights": "whoever trained them decides", "data": this.data.licence},
            opset=OPSET if "onnx" in formats else None,
        )
        files.write_text(staging / artifact.CARD, card.text(target.name, manifest))
        artifact.write(staging, manifest)
    return target


def preflight(description: Model, formats: Sequence[Format]) -> None:
    """Export a network with fresh weights, run what came out, and throw it away.

    Raises:
        Refused: a format cannot be had of this network; the message names the gate and, where there is one, the
        operation.
    """
    model = building.build(description)
    preprocessing = description.preprocessing
    noise = np.random.default_rng(0).integers(0, 256, (2, *preprocessing.shape), np.uint8)
    jpeg = as_jpeg(Image.fromarray(noise[0, :, :, 0]))
    evidence, _ = _described(model, preprocessing, noise, jpeg)
    results: list[Gate] = []
    with tempfile.TemporaryDirectory() as scratch:
        for kind in formats:
            _WRITE[kind](Path(scratch), model, description)
        if "saved_model" in formats:
            write_warmup(_version(Path(scratch)), model_name=description.family, pixels=noise, encoded=[jpeg])
        for kind in formats:
            results += _GATES[kind](Path(scratch), evidence)
        if "saved_model" in formats:
            results.append(server_gate(Path(scratch) / artifact.SAVED_MODEL, _golden(evidence)))
    _refuse_failed(results, f"{description.family} {description.size} cannot be exported")


def _version(folder: Path) -> Path:
    return folder / artifact.SAVED_MODEL / str(VERSION)


def _write_onnx(folder: Path, model: Any, description: Model) -> None:
    metadata = {
        "family": description.family,
        "size": description.size,
        "labels": list(description.labels),
        "preprocessing": schema.plain(description.preprocessing),
    }
    write_onnx(model, description.preprocessing, folder / artifact.ONNX, metadata)


def _write_saved_model(folder: Path, model: Any, description: Model) -> None:
    write_saved_model(model, description.preprocessing, _version(folder))


def _write_warmup(folder: Path, description: Model, evidence: Evidence, test: Pictures) -> None:
    encoded = [evidence.jpeg, *(test.read(index) for index in range(min(WARMUP_PICTURES, len(test))))]
    write_warmup(
        _version(folder), model_name=description.family, pixels=evidence.pixels[:WARMUP_PICTURES], encoded=encoded
    )


def _onnx_gates(folder: Path, evidence: Evidence) -> list[Gate]:
    return gates.onnx_gates(folder / artifact.ONNX, evidence)


def _saved_model_gates(folder: Path, evidence: Evidence) -> list[Gate]:
    static = static_gates(
        folder / artifact.SAVED_MODEL, classes=evidence.logits.shape[1], shape=evidence.preprocessing.shape
    )
    return [*static, *gates.saved_model_gates(_version(folder), evidence)]


_WRITE: dict[Format, Callable[[Path, Any, Model], None]] = {"onnx": _write_onnx, "saved_model": _write_saved_model}
_GATES: dict[Format, Callable[[Path, Evidence], list[Gate]]] = {"onnx": _onnx_gates, "saved_model": _saved_model_gates}
_FUNCTION: dict[Format, Callable[[Path], gates.Function]] = {
    "onnx": lambda folder: gates.onnx_function(folder / artifact.ONNX),
    "saved_model": lambda folder: gates.saved_model_function(_version(folder)),
}


def _evidence(model: Any, preprocessing: Preprocessing, test: Pictures) -> tuple[Evidence, np.ndarray]:
    """What the Keras network says of pictures spread over the test split, and the pipeline's pixels of the JPEG."""
    chosen = np.linspace(0, len(test) - 1, min(EVIDENCE_PICTURES, len(test))).astype(int)
    pixels = np.stack([pixels_from_bytes(test.read(int(index)), preprocessing) for index in chosen])
    return _described(model, preprocessing, pixels, as_jpeg(open_picture(test.read(0))))


def _described(
    model: Any, preprocessing: Preprocessing, pixels: np.ndarray, jpeg: bytes
) -> tuple[Evidence, np.ndarray]:
    pipeline_pixels = pixels_tensor(jpeg, preprocessing).numpy()
    logits, jpeg_logits = (_keras_logits(model, preprocessing, images) for images in (pixels, pipeline_pixels[None]))
    return Evidence(preprocessing, pixels, logits, jpeg, jpeg_logits), pipeline_pixels


def _keras_logits(model: Any, preprocessing: Preprocessing, pixels: np.ndarray) -> np.ndarray:
    pieces = (pixels[start : start + KERAS_BATCH] for start in range(0, len(pixels), KERAS_BATCH))
    return np.concatenate([model(normalised(piece, preprocessing), training=False).numpy() for piece in pieces])


def _golden(evidence: Evidence) -> dict[str, np.ndarray]:
    """The inputs and outputs that an artifact carries, so that it can be verified anywhere."""
    logits = evidence.logits[:GOLDEN_PICTURES]
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return {
        IMAGE: evidence.pixels[:GOLDEN_PICTURES],
        LOGITS: logits,
        PROBABILITIES: powers / powers.sum(-1, keepdims=True),
    }


def _accuracy(function: gates.Function, test: Pictures, preprocessing: Preprocessing) -> Accuracy:
    batches = pixel_batches(test, preprocessing, batch_size=ACCURACY_BATCH)
    correct = sum(int((function(pixels)[LOGITS].argmax(-1) == labels).sum()) for pixels, labels in batches)
    low, high = wilson(correct, len(test))
    return Accuracy(accuracy=correct / len(test), low=low, high=high, correct=correct, pictures=len(test))


def _refuse_failed(results: Sequence[Gate], what: str) -> None:
    failed = [f"{gate.name} {json.dumps(gate.figures)}" for gate in results if not gate.passed]
    if failed:
        raise Refused(f"{what}: {len(failed)} of {len(results)} gates failed: {'; '.join(failed)}")
