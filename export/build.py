"""From a run to an artifact: written beside its place, put through the gates, renamed only when all of them pass."""

from __future__ import annotations

import dataclasses
import functools
import gc
import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from zoo import artifact, factory, files, migration, provenance, run, schema
from zoo.artifact import Accuracy, Format, Gate, Manifest
from zoo.contract import LOGITS, VERSION
from zoo.data import seen
from zoo.data.dataset import Images
from zoo.data.fitting import fitted
from zoo.data.photographs import LICENSE
from zoo.data.pipeline import pixel_batches
from zoo.data.reload import load_again
from zoo.description import Model
from zoo.errors import Refused, ZooError
from zoo.export import gates, graph, model_card
from zoo.export.graph import Network
from zoo.export.int8.quantize import Request, write_int8
from zoo.export.onnx.conversion import OPSET, check_opset, check_size, ir_version, write_onnx
from zoo.export.onnx.fp16 import write_fp16
from zoo.export.reference import Reference, of_images, of_noise, of_photographs
from zoo.export.tf_serving.rules import static_gates
from zoo.export.tf_serving.saved_model import write_saved_model
from zoo.export.tf_serving.server_check import server_gate
from zoo.export.tf_serving.warmup import write_warmup
from zoo.finite import finite, refuse_unanswered
from zoo.intervals import wilson
from zoo.keras_settings import own_settings

BOTH: tuple[Format, ...] = ("onnx", "saved_model")
"""The formats that an export writes when nobody names one."""

WARMUP_IMAGES = 4
CALIBRATION = "calibration"
"""The folder of a run where the calibrations of its int8 files are kept."""

Say = Callable[[str], None]


@own_settings()
def export(
    run_folder: Path,
    formats: Sequence[Format],
    *,
    out: Path | None,
    data_dir: Path | None,
    say: Say,
    opset: int = OPSET,
    int8: Request | None = None,
) -> Path:
    """Write the artifact of a finished run and return its folder.

    The gates compare on images of the run's test split, and its accuracy is measured on all of them. A run that was
    pulled has no data: its gates compare on photographs, and no accuracy is measured. `opset` is the version of ONNX'
    operator set that the ONNX file is written in. `int8` asks for an int8 file of that one, and `onnx_fp16` is made of
    it too: they need `onnx` before them.

    Raises:
        ZooError: the run or its data cannot be had, `out` exists, the operator set is not known, or the weights are
            more than an ONNX file holds.
        Refused: a gate failed, or int8 is above its budget or no faster; name and figures are in the message, and no
            artifact is left.
    """
    started = provenance.here(seed=0)
    this = run.read_finished(run_folder)
    target = out or files.unused(Path("artifacts"), run_folder.resolve().name)
    files.refuse_existing(target)
    if "onnx" in formats:
        check_opset(opset)
    if int8 is not None and this.data is None:
        raise ZooError(f"int8 is calibrated on the run's images, and {run_folder} has none: leave --int8 out")
    if data_dir is not None and this.data is None:
        raise ZooError(f"{run_folder} has no data that could be elsewhere: leave --data-dir out")
    model = factory.load(run_folder)
    dataset = None
    if this.data and this.recipe:
        dataset = fitted(load_again(this.data, this.recipe.split, data_dir), this.model.preprocessing)
    test = dataset.test if dataset else None
    network = graph.network(model, this.model.preprocessing)
    with files.staged_folder(target) as staging:
        say("writing " + ", ".join(formats))
        files.write_text(staging / artifact.LABELS, "".join(f"{label}\n" for label in this.model.labels))
        make_reference = (
            functools.partial(of_images, network, test) if test else functools.partial(of_photographs, network)
        )
        written, reference = _write(staging, formats, network, this.model, make_reference, opset)
        passed = [gates.network_gate(model, this.model), gates.client_gate(reference), *written]
        _refuse_failed(passed, f"{run_folder} makes no artifact")
        np.savez(staging / artifact.GOLDEN, allow_pickle=False, **reference.golden())
        if (run_folder / run.IMAGES).exists():
            seen.write(staging / artifact.IMAGES, seen.read(run_folder / run.IMAGES))
        elif dataset:
            seen.write(staging / artifact.IMAGES, seen.images_of(dataset, complete=this.initial is None))
        eight_bits = None
        if int8 is not None and dataset is not None:
            formats = (*formats, "onnx_int8")
            eight_bits = write_int8(
                staging / artifact.ONNX,
                staging / artifact.ONNX_INT8,
                int8,
                preprocessing=this.model.preprocessing,
                dataset=dataset,
                cache=run_folder / CALIBRATION,
                say=say,
            )
            answers = gates.asked(_function(staging, "onnx_int8"), reference)
            own = dataclasses.replace(reference, logits=gates.logits_of(answers, reference))
            np.savez(staging / artifact.GOLDEN_INT8, allow_pickle=False, **own.golden())
            kept = {one.node for one in eight_bits.kept}
            passed += gates.onnx_gates(staging / artifact.ONNX_INT8, reference, "onnx_int8")
            passed.append(gates.int8_lint_gate(staging / artifact.ONNX_INT8, kept))
            _refuse_failed(passed, f"{run_folder} makes no artifact")
        say(f"{len(passed)} gates passed" + (f"; measuring accuracy on {len(test)} test images" if test else ""))
        accuracy = {kind: _accuracy(kind, _function(staging, kind), test, reference) for kind in formats if test}
        manifest = Manifest(
            schema=migration.SCHEMA,
            model=this.model,
            data=this.data,
            recipe=this.recipe,
            training=this.provenance,
            export=dataclasses.replace(started, seed=this.provenance.seed, finished=provenance.now()),
            formats=tuple(formats),
            files={},
            gates=tuple(passed),
            accuracy=accuracy,
            license={
                "weights": run.license_of_weights(this) or "whoever trained them decides",
                "data": this.data.license if this.data else LICENSE,
            },
            weights=this.weights,
            initial=this.initial,
            opset=opset if "onnx" in formats else None,
            ir_version=ir_version(opset) if "onnx" in formats else None,
            int8=eight_bits,
        )
        files.write_text(staging / artifact.CARD, model_card.text(target.name, manifest))
        artifact.write(staging, manifest)
    return target


@own_settings()
def preflight(description: Model) -> None:
    """Export a network with fresh weights in both formats, run what came out, and throw it away.

    Raises:
        Refused: a format cannot be had of this network; the message names the gate and, where there is one, the
        operation.
    """
    network = graph.network(factory.build(description), description.preprocessing)
    with tempfile.TemporaryDirectory() as scratch:
        make_reference = functools.partial(of_noise, network)
        results, _ = _write(Path(scratch), BOTH, network, description, make_reference, OPSET)
    _refuse_failed(results, f"{description.family} {description.size} cannot be exported")


def _write(
    folder: Path,
    formats: Sequence[Format],
    network: Network,
    description: Model,
    make_reference: Callable[[], Reference],
    opset: int,
) -> tuple[list[Gate], Reference]:
    """Write the formats that are made of the network, put each through its gates, and say what they compared with."""
    if "onnx" in formats:
        check_size(network.model)
    with ThreadPoolExecutor(1) as beside:
        server: Future[Gate] | None = None
        # TensorFlow computes while Python writes.
        made = beside.submit(make_reference)
        if "saved_model" in formats:
            write_saved_model(network, _version(folder), description.labels)
        reference = made.result()
        results: list[Gate] = []
        if "saved_model" in formats:
            pixels, uploads = reference.pixels[:WARMUP_IMAGES], list(reference.uploads)
            write_warmup(_version(folder), model_name=description.family, pixels=pixels, encoded=uploads)
            base, classes = folder / artifact.SAVED_MODEL, reference.logits.shape[1]
            results += static_gates(base, classes=classes, shape=reference.preprocessing.shape)
            loads, loaded = gates.saved_model_loads(_version(folder))
            results.append(loads)
            # A process of its own, which takes as long as the other gates and moves the files while it lasts: it goes
            # on while the other formats are written.
            server = beside.submit(server_gate, base, reference.golden())
            if loads.passed:
                results += gates.saved_model_gates(loaded, reference)
                results.append(gates.labels_gate(loaded, reference, description.labels))
            del loaded
            # TensorFlow's graphs refer to themselves and own a second copy of the weights: onnxruntime needs the room.
            gc.collect()
        if "onnx" in formats:
            path = folder / artifact.ONNX
            origin = write_onnx(network, path, _metadata(description), opset)
            results += [gates.lint_gate(path, origin), *gates.onnx_gates(path, reference)]
        if "onnx_fp16" in formats:
            write_fp16(folder / artifact.ONNX, folder / artifact.ONNX_FP16)
            results += gates.onnx_gates(folder / artifact.ONNX_FP16, reference, "onnx_fp16")
        return [*results, server.result()] if server else results, reference


def _version(folder: Path) -> Path:
    return folder / artifact.SAVED_MODEL / str(VERSION)


def _metadata(description: Model) -> dict[str, Any]:
    return {
        "family": description.family,
        "size": description.size,
        "labels": list(description.labels),
        "preprocessing": schema.plain(description.preprocessing),
    }


def _function(folder: Path, kind: Format) -> gates.Function:
    if kind == "saved_model":
        return gates.saved_model_function(_version(folder))
    return gates.onnx_function(folder / artifact.ONNX_FILES[kind])


def _accuracy(kind: Format, function: gates.Function, test: Images, reference: Reference) -> Accuracy:
    batches = pixel_batches(test, reference.preprocessing, batch_size=reference.at_once)
    right, answered = [], []
    for pixels, labels in batches:
        logits = function(pixels)[LOGITS]
        right.append(logits.argmax(-1) == labels)
        answered.append(finite(logits))
    refuse_unanswered(np.concatenate(answered), test.names, f"the {kind} file")
    correct = int(np.concatenate(right).sum())
    low, high = wilson(correct, len(test))
    return Accuracy(accuracy=correct / len(test), low=low, high=high, correct=correct, images=len(test))


def _refuse_failed(results: Sequence[Gate], what: str) -> None:
    failed = [f"{gate.name} {json.dumps(gate.figures)}" for gate in results if not gate.passed]
    if failed:
        raise Refused(f"{what}: {len(failed)} of {len(results)} gates failed: {'; '.join(failed)}")
