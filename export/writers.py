"""Writers of the formats, each with the gates that only its format has. `zoo.export.build` loops over them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np

from zoo import contract, schema
from zoo.artifact import Gate, Int8
from zoo.contract import VERSION
from zoo.data.dataset import Dataset
from zoo.description import Model
from zoo.errors import ZooError
from zoo.export import gates
from zoo.export.batches import part
from zoo.export.graph import TracedModel
from zoo.export.int8 import latency_ratio, options, quantize, verdict
from zoo.export.onnx.conversion import check_opset, check_size, ir_version, write_onnx
from zoo.export.onnx.fp16 import write_fp16
from zoo.export.reference import Reference
from zoo.export.tf_serving.raw_answers import server_gates
from zoo.export.tf_serving.rules import static_gates
from zoo.export.tf_serving.saved_model import write_saved_model
from zoo.export.tf_serving.warmup import write_warmup
from zoo.formats import Format, Session, find
from zoo.input import kind_of
from zoo.run import Run
from zoo.text import Say

WARM_UP_EXAMPLES = 4


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of an export that only some formats use.

    Attributes:
        opset: the version of ONNX's operator set.
        int8: the target and the budget of an int8 file.
        calibrations: the folder that keeps calibrations for the next export.
        say: called with a line about each step.
    """

    opset: int
    int8: options.Int8Options
    calibrations: Path
    say: Say


@dataclasses.dataclass(frozen=True)
class Job:
    """Everything that writers need of one export.

    Attributes:
        folder: the artifact, which is being written.
        model: the Keras model that is exported.
        description: its description in the run.
        dataset: the run's data, None where it has none.
        settings: those that only some formats use.
        reference: examples and what Keras computes for them; computed while the first format is written.
        executor: runs long work in another thread.
    """

    folder: Path
    model: TracedModel
    description: Model
    dataset: Dataset | None
    settings: Settings
    reference: Future[Reference]
    executor: Executor


class Writer:
    """Writes a format that an installed package brings; the subclasses write zoo's own."""

    def __init__(self, job: Job, row: Format) -> None:
        self.job, self.row, self.path = job, row, job.folder / row.place()

    @classmethod
    def refuse(cls, this: Run, settings: Settings) -> None:
        """Refuse a run or settings with which this format cannot be written, before the network is built.

        Raises:
            ZooError: with the reason.
        """

    @classmethod
    def check(cls, network: TracedModel) -> None:
        """Refuse a network that cannot be written in this format, before any format is written.

        Raises:
            ZooError: with the reason.
        """

    def write(self) -> None:
        """Write the format's file to the artifact. A runtime for another format's file has nothing to write."""
        if self.row.write is not None:
            self.row.write(self.job.folder, self.job.model.model, self.job.description)

    def gates(self, opened: Callable[[], Session]) -> list[Gate]:
        """Return all gates on this format but those on its outputs; `opened` opens the file on its first call."""
        return gates.format_gates(self.row, self.path, opened, self.job.description)

    def late_gates(self) -> list[Gate]:
        """Return the results of gates that run while other formats are written."""
        return []

    def refuse_over_budget(self, right: Mapping[str, np.ndarray]) -> None:
        """Refuse a file that costs more than its budget allows; only int8 has a budget.

        Args:
            right: for each format measured so far, bool [n]: whether it answers each test example right.

        Raises:
            Refused: with the figures in the message.
        """

    def fields(self) -> dict[str, Any]:
        """Return the fields of the manifest that only this format fills."""
        return {}


class OnnxWriter(Writer):
    """Converts the model to ONNX."""

    @classmethod
    def refuse(cls, this: Run, settings: Settings) -> None:
        """Refuse an operator set that cannot be written or loaded."""
        check_opset(settings.opset)

    @classmethod
    def check(cls, network: TracedModel) -> None:
        """Refuse more weights than a file holds."""
        check_size(network.model)

    def write(self) -> None:
        """Write the file, and keep the record of the conversion for the lint."""
        self._record = write_onnx(self.job.model, self.path, self.job.settings.opset)

    def gates(self, opened: Callable[[], Session]) -> list[Gate]:
        """The lint, and the gates of every ONNX file."""
        return [
            gates.lint_gate(self.path, self._record),
            *gates.onnx_file_gates(self.row, self.path),
            *super().gates(opened),
        ]

    def fields(self) -> dict[str, Any]:
        """The versions that the file states."""
        opset = self.job.settings.opset
        return {"opset": opset, "ir_version": ir_version(opset)}


class Fp16Writer(Writer):
    """Makes a float16 file of the ONNX file."""

    def write(self) -> None:
        """Write the file."""
        write_fp16(self.job.folder / find(self.row.source or "").path, self.path)

    def gates(self, opened: Callable[[], Session]) -> list[Gate]:
        """The gates of every ONNX file."""
        return [*gates.onnx_file_gates(self.row, self.path), *super().gates(opened)]


class Int8Writer(Writer):
    """Makes an int8 file of the ONNX file, within a budget of accuracy."""

    _result: Int8 | None = None

    @classmethod
    def refuse(cls, this: Run, settings: Settings) -> None:
        """Refuse a run without data to calibrate on, and a family that int8 makes no faster."""
        if this.data is None:
            raise ZooError("int8 is calibrated on a run's data, and this run has none: leave --int8 out")
        options.refuse_useless(this.model, settings.int8)

    def write(self) -> None:
        """Calibrate on training examples, decide on validation examples, and write the file."""
        dataset = self.job.dataset
        assert dataset is not None
        self._float32 = self.job.folder / find(self.row.source or "").path
        self._decision = quantize.write_int8(
            self._float32,
            self.path,
            self.job.settings.int8,
            description=self.job.description,
            dataset=dataset,
            cache=self.job.settings.calibrations,
            say=self.job.settings.say,
        )

    def gates(self, opened: Callable[[], Session]) -> list[Gate]:
        """The gates of every ONNX file, and the lint of int8."""
        return [
            *gates.onnx_file_gates(self.row, self.path),
            *super().gates(opened),
            gates.int8_lint_gate(self.path, self._decision.float32_nodes),
        ]

    def refuse_over_budget(self, right: Mapping[str, np.ndarray]) -> None:
        """Compare accuracy and latency with the float32 file."""
        float32, int8 = right[self.row.source or ""], right[self.row.name]
        dataset, preprocessing = self.job.dataset, self.job.description.preprocessing
        assert dataset is not None, "`refuse` refuses a run without data"
        client = kind_of(preprocessing).client
        example = latency_ratio.typical(dataset.test, lambda raw: client.encode(raw, preprocessing))
        self._result = verdict.verdict(
            self._decision, self.job.settings.int8, float32, int8, files=(self._float32, self.path), example=example
        )

    def fields(self) -> dict[str, Any]:
        """The decision, and the figures of both files."""
        return {"int8": self._result}


class SavedModelWriter(Writer):
    """Writes a SavedModel with its warm-up, and runs the server check on it."""

    _served: Future[list[Gate]] | None = None

    def write(self) -> None:
        """Write the SavedModel and its warm-up."""
        version = self.path / str(VERSION)
        write_saved_model(self.job.model, version)
        reference, preprocessing = self.job.reference.result(), self.job.description.preprocessing
        write_warmup(
            version,
            self.job.description,
            inputs=part(reference.inputs, slice(WARM_UP_EXAMPLES)),
            raw=kind_of(preprocessing).client.raw_arrays(reference.samples, preprocessing),
        )

    def gates(self, opened: Callable[[], Session]) -> list[Gate]:
        """Return the gates on TF Serving's rules, open the SavedModel, and start the server check."""
        description = self.job.description
        results = static_gates(self.path, contract.signatures(description), schema.texts(description))
        results.append(gates.loads_gate(opened))
        # The check runs in a process of its own and takes as long as the gates of ONNX. It moves the files meanwhile,
        # so the SavedModel must be open by now.
        self._served = self.job.executor.submit(server_gates, self.path, self.job.reference.result())
        return results

    def late_gates(self) -> list[Gate]:
        """The server check, and the gates on its answers to raw examples."""
        return self._served.result() if self._served else []


WRITERS: dict[str, type[Writer]] = {
    "onnx": OnnxWriter,
    "onnx_fp16": Fp16Writer,
    "onnx_int8": Int8Writer,
    "saved_model": SavedModelWriter,
}
"""The writers of zoo's own formats, by name; every other format is written by `Writer`."""


def writer_of(row: Format) -> type[Writer]:
    """Return the class that writes a format.

    Raises:
        ZooError: the format has a file of its own that nothing writes.
    """
    if row.path and row.write is None and row.name not in WRITERS:
        raise ZooError(f"{row.name} cannot be written: its package brings no writer")
    return WRITERS.get(row.name, Writer)
