"""Exports of a run as an artifact, which is written to a temporary folder and renamed once it passes every gate."""

from __future__ import annotations

import dataclasses
import functools
import gc
import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from zoo import artifact, factory, files, folder_kinds, migration, provenance, run
from zoo import formats as known_formats
from zoo.artifact import Gate, Manifest
from zoo.data import digests
from zoo.data.dataset import Dataset, Examples
from zoo.data.fitting import fitting
from zoo.data.reload import load_again
from zoo.description import Model
from zoo.errors import Refused, ZooError, class_and_message, out_of_memory
from zoo.export import accuracy, gates, graph, model_card
from zoo.export.graph import TracedModel
from zoo.export.int8.options import Int8Options, this_machine
from zoo.export.onnx.conversion import OPSET
from zoo.export.reference import Reference, of_examples, of_noise, of_stand_ins
from zoo.export.writers import Job, Say, Settings, Writer, writer_of
from zoo.finite import finite, refuse_not_finite
from zoo.formats import Format, Session
from zoo.input import kind_of
from zoo.keras_settings import own_settings
from zoo.task import Score, task_of

BOTH = ("onnx", "saved_model")
"""The formats that an export writes when nobody names one."""

CALIBRATION = "calibration"
"""The folder inside a run that caches the calibrations of its int8 files."""


def export(
    run_folder: Path,
    formats: Sequence[str] = BOTH,
    *,
    out: Path | None = None,
    data_dir: Path | None = None,
    say: Say = lambda line: None,
    opset: int = OPSET,
    int8: Int8Options | None = None,
) -> Path:
    """Write the artifact of a finished run and return its folder.

    The gates compare on examples of the run's test split, and each format is scored on all of them. A run that was
    pulled has no data: its gates compare on stand-in examples, and no format is scored.

    Args:
        run_folder: the run.
        formats: names of formats. If one of them is made from another format, that one is written, too.
        out: the artifact's folder, which must not exist; `artifacts/NAME` with the run's name when None.
        data_dir: the folder of the run's data, if they were moved since the training.
        say: called with a line about each step.
        opset: the version of ONNX's operator set.
        int8: the target and the budget of the int8 file, if `onnx_int8` is among the formats; when None, this
            machine's processor and the default budget.

    Raises:
        ZooError: the run or its data cannot be read, a format or operator set is unknown, `out` exists, or a format
            cannot be made of this run: its weights are larger than an ONNX file may be, or int8 is not worth it.
        Refused: a gate failed, or the int8 file loses more accuracy than its budget allows or is no faster. The message
            has the names and figures, and no artifact is left behind.
    """
    started = provenance.here(seed=0)
    this = run.read_with_head(run_folder)
    folder_kinds.check_new(_new_folder(run_folder, out))
    formats = _with_sources(formats)
    rows = _in_order(formats)
    settings = Settings(opset, int8 or Int8Options(this_machine()), run_folder / CALIBRATION, say)
    for row in rows:
        writer_of(row).refuse(this, settings)
    if data_dir is not None and this.data is None:
        raise ZooError(f"{run_folder} was pulled and has no data: leave --data-dir out")
    kind = kind_of(this.model.preprocessing)
    with own_settings():
        keras_model = factory.load_described(run_folder, this.model)
        dataset = None
        if this.data and this.recipe:
            loaded = load_again(this.data, kind.kind, this.recipe.split, data_dir)
            dataset = fitting(loaded, this.model.preprocessing)
        target = _new_folder(run_folder, out)
        with files.staged_folder(target) as staging:
            files.write_text(staging / artifact.LABELS, "".join(f"{label}\n" for label in this.model.labels))
            for name, content in kind.client.files(this.model.preprocessing).items():
                files.write_text(staging / name, content)
            model = graph.trace(keras_model, this.model)
            reference_of = functools.partial(of_examples, test=dataset.test) if dataset else of_stand_ins
            written = _write_all(staging, rows, model, reference_of, dataset, settings, gates.client_gate)
            results = (gates.network_gate(keras_model, this.model), *written.gates)
            _refuse_failed(results, f"{run_folder} makes no artifact")
            np.savez(staging / artifact.GOLDEN, allow_pickle=False, **written.reference.golden())
            run_digests = digests.found(run_folder)
            if run_digests.exists():
                digests.write(staging / digests.FILE, digests.read(run_digests))
            elif dataset:
                origins = (None,) if this.initial or this.teacher else ()
                digests.write(staging / digests.FILE, digests.digests_of(dataset, origins=origins))
            manifest = Manifest(
                schema=migration.SCHEMA,
                model=this.model,
                data=this.data,
                recipe=this.recipe,
                training=this.provenance,
                export=dataclasses.replace(started, seed=this.provenance.seed, finished=provenance.now()),
                formats=tuple(formats),
                files={},
                gates=results,
                score={name: written.score[name] for name in formats if name in written.score},
                license={
                    "weights": run.license_of_weights(this) or "whoever trained them decides",
                    "data": this.data.license if this.data else kind.data.stand_ins()[1],
                },
                weights=this.weights,
                initial=this.initial,
                teacher=this.teacher,
                unlabeled=this.unlabeled,
                **written.fields,
            )
            files.write_text(staging / artifact.CARD, model_card.text(target.name, manifest))
            artifact.write(staging, manifest)
    return target


def _new_folder(run_folder: Path, out: Path | None) -> Path:
    """Return the folder to write: `out`, or else a new folder that is named after the run."""
    return out or files.unused(Path("artifacts"), run_folder.resolve().name)


@own_settings()
def try_export(description: Model) -> None:
    """Export a freshly initialized model as ONNX and SavedModel, run the gates of both, and delete the files.

    A format that cannot hold the model is left out, as long as another one can.

    Raises:
        ZooError: no format can hold the model.
        Refused: the model cannot be exported; the message names the gate and, where there is one, the operation.
    """
    model = graph.trace(_without_zeros(factory.build(description)), description)
    candidates = _in_order(BOTH)
    rows = [row for row in candidates if _holds(row, model)] or candidates
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        options = Int8Options(this_machine())
        settings = Settings(OPSET, options, folder / CALIBRATION, lambda line: None)
        written = _write_all(folder, rows, model, of_noise, None, settings)
    _refuse_failed(written.gates, f"{description.family} {description.size} cannot be exported")


def _holds(row: Format, model: TracedModel) -> bool:
    """Return whether a network can be written in a format."""
    try:
        writer_of(row).check(model)
    except ZooError:
        return False
    return True


def _without_zeros(model: Any) -> Any:
    """Fill kernels that are initialized to zeros with random values: a network that answers only 0 proves nothing."""
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if len(variable.shape) > 1 and not np.any(variable.numpy()):
            variable.assign(generator.normal(size=variable.shape))
    return model


@dataclasses.dataclass(frozen=True)
class _Written:
    """The results of writing all formats; `fields` holds the manifest's fields that single formats fill."""

    gates: tuple[Gate, ...]
    score: dict[str, Score]
    fields: dict[str, Any]
    reference: Reference


def _with_sources(formats: Sequence[str]) -> tuple[str, ...]:
    """Return the formats, each after the one that it is made from."""
    return tuple(dict.fromkeys(needed for name in formats for needed in reversed(_chain(name))))


def _chain(name: str | None) -> list[str]:
    """Return a format, the one that it is made from, and so on."""
    return [name, *_chain(known_formats.find(name).source)] if name else []


def _in_order(formats: Sequence[str]) -> list[Format]:
    """Sort formats into the order of writing.

    Formats that are made from no other come first. Among them, heavy ones come first, because their gates take longest.

    Raises:
        ZooError: a format is unknown.
    """
    rows = [known_formats.find(name) for name in formats]
    return sorted(rows, key=lambda row: (len(_chain(row.name)), not row.heavy))


def _write(writer: Writer, description: Model) -> None:
    """Write a format.

    Raises:
        Refused: its writer cannot convert the network.
    """
    try:
        writer.write()
    except (ZooError, OSError):
        raise
    # tf2onnx and TensorFlow raise many classes of errors for operations that they cannot convert.
    except Exception as error:
        if out_of_memory(error):
            raise
        advice = "export without this format" if writer.row.source else "it has a layer that cannot be converted"
        raise Refused(
            f"{description.family} {description.size} cannot be written as {writer.row.name} "
            f"({class_and_message(error)}): {advice}"
        ) from error


def _write_all(
    folder: Path,
    rows: Sequence[Format],
    model: TracedModel,
    reference_of: Callable[[TracedModel], Reference],
    dataset: Dataset | None,
    settings: Settings,
    reference_gate: Callable[[Reference], Gate] | None = None,
) -> _Written:
    """Write each format, run its gates, and score it on the test examples.

    `reference_gate` runs while the first format is written.

    Raises:
        Refused: a format cannot be written, int8 is not worth it, or a gate failed before a format that is made from
            another one.
    """
    for row in rows:
        writer_of(row).check(model)
    results: list[Gate] = []
    scores: dict[str, Score] = {}
    right: dict[str, np.ndarray] = {}
    with ThreadPoolExecutor(1) as executor:
        # TensorFlow computes the reference while Python writes the first format.
        reference = executor.submit(reference_of, model)
        job = Job(folder, model, model.description, dataset, settings, reference, executor)
        writers = [writer_of(row)(job, row) for row in rows]
        unfinished: list[Callable[[], list[Gate]]] = []
        if reference_gate is not None:
            unfinished.append(executor.submit(lambda: [reference_gate(reference.result())]).result)
        for writer in writers:
            if writer.row.source is not None:
                # Latencies are compared from here on: nothing else may run.
                results += _late_gates(unfinished)
                _refuse_failed(results, f"{writer.row.name} cannot be made")
            settings.say(f"writing {writer.row.name}")
            _write(writer, model.description)
            opened = functools.cache(functools.partial(writer.row.open, writer.path, None))
            results += writer.gates(opened)
            results += gates.output_gates(writer.row, opened, reference.result())
            unfinished.append(writer.late_gates)
            if all(gate.passed for gate in results):
                if writer.row.golden != artifact.GOLDEN:
                    golden = reference.result().golden(opened().run)
                    np.savez(folder / writer.row.golden, allow_pickle=False, **golden)
                if dataset is not None:
                    settings.say(f"measuring {writer.row.name} on {len(dataset.test)} test examples")
                    outputs = _primary_outputs(writer.row, opened(), dataset.test, reference.result())
                    task = task_of(model.description)
                    measured = task.measured(outputs, model.description)
                    scores[writer.row.name] = task.score(measured, dataset.test.targets)
                    right[writer.row.name] = accuracy.right(outputs, dataset.test, model.description)
            del opened
            # TensorFlow's graphs are reference cycles that own a second copy of the weights. The next format needs that
            # memory.
            gc.collect()
            if writer.row.name in right:
                writer.refuse_over_budget(right)
        results += _late_gates(unfinished)
    return _Written(
        tuple(results),
        scores,
        {name: value for writer in writers for name, value in writer.fields().items()},
        reference.result(),
    )


def _late_gates(unfinished: list[Callable[[], list[Gate]]]) -> list[Gate]:
    """Wait for the gates that run while formats are written, and empty the list of functions that return them."""
    results = [gate for gates_of in unfinished for gate in gates_of()]
    unfinished.clear()
    return results


def _primary_outputs(row: Format, session: Session, test: Examples, reference: Reference) -> np.ndarray:
    """Return the primary output of a format for all test examples.

    Raises:
        Refused: some are not finite.
    """
    outputs = accuracy.primary_outputs(session.run, test, reference.description, reference.at_once)
    refuse_not_finite(finite(outputs), test.names, f"the {row.name} file")
    return outputs


def _refuse_failed(results: Sequence[Gate], beginning: str) -> None:
    """Raise Refused with the figures of all gates that failed."""
    failed = [f"{gate.name} {json.dumps(gate.figures)}" for gate in results if not gate.passed]
    if failed:
        raise Refused(f"{beginning}: {len(failed)} of {len(results)} gates failed: {'; '.join(failed)}")
