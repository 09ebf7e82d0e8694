"""`zoo.benchmark`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import provenance, schema
from zoo.allocator import keeping_freed_memory
from zoo.description import Provenance
from zoo.errors import ZooError
from zoo.folder_kinds import check_new
from zoo.keras_settings import own_randomness
from zoo.measurement import BATCHES, SECONDS, check_seconds
from zoo.tensorflow_setup import import_keras
from zoo.text import Progress, Say, silent
from zoo.training.request import TrainingRequest
from zoo.verbs.arguments import (
    StrPath,
    artifact_or_newest,
    optional_path,
    options,
    several,
    several_paths,
)

if TYPE_CHECKING:
    from zoo.serving.benchmark import Row
    from zoo.training.input_speed import InputSpeed

SEED = 0
"""The seed of the random inputs, the order of the turns and the bootstrap."""


@dataclass(frozen=True)
class Benchmark:
    """The rows of a benchmark or the speeds of a training, the seconds that each was measured, and the provenance."""

    provenance: Provenance
    seconds: float
    rows: tuple[Row, ...] = ()
    training: InputSpeed | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the benchmark as dictionaries, lists, strings and numbers."""
        document = {"provenance": schema.to_dict(self.provenance), "seconds": self.seconds}
        if self.training:
            return {**document, "training": self.training.to_dict()}
        from zoo.serving.table import as_json

        return {**document, "rows": as_json(self.rows)}


def benchmark(
    artifacts: StrPath | Iterable[StrPath] = (),
    *,
    batch: int | Iterable[int] = BATCHES,
    threads: int | Iterable[int] | None = None,
    runtime: str | Iterable[str] | None = None,
    seconds: float = SECONDS,
    csv: StrPath | None = None,
    data: str | None = None,
    data_dir: StrPath | None = None,
    target_column: str | Iterable[str] | None = None,
    text_column: str | None = None,
    image_column: str | None = None,
    audio_column: str | None = None,
    family: str | None = None,
    size: str | None = None,
    set: Mapping[str, object] | Iterable[str] | str = (),
    say: Say = silent,
    progress: Progress = silent,
) -> Benchmark:
    """Measure latency, throughput and memory of artifacts, which take turns within one process.

    With `data`, measure instead whether a training on them would wait for its input: the speed of the batches alone, of
    the steps alone, and of both together.

    Args:
        artifacts: one artifact or several; by default the newest one below `artifacts`.
        batch: the number of examples in a request, or several.
        threads: the number of threads, or several; by default 1 and the usable CPUs.
        runtime: a format or several, such as `onnx`, `onnx_int8`, `onnx_fp16` and `saved_model`; by default those of
            each artifact.
        seconds: the time to measure each row.
        csv: also write the rows to this file.
        data: measure a training on these data; this and the next six arguments are those of `zoo.train`.
        data_dir: where the data are.
        target_column: the column to predict, or several, in a list or separated by commas.
        text_column: the column with the text.
        image_column: the column that names the image files.
        audio_column: the column that names the sound files.
        family: the family, or an alias, of the network to train.
        size: its size.
        set: changes of its recipe.
        say: called with a line about the chosen artifact and the written file.
        progress: called before every step with the number of steps done, the number of all steps, and the next step.

    Raises:
        ZooError: there is no such artifact, it lacks a runtime, a number is out of range, or `csv` exists.
        Refused: a file is not the one whose score is in the manifest, or does not load.
    """
    arguments = {**locals()}
    check_seconds(seconds)
    batches = several(batch)
    if data is not None:
        if artifacts or csv or threads is not None or runtime or batches != [*BATCHES]:
            raise ZooError("--data measures a training: leave artifacts, --batch, --threads, --runtime and --csv out")
        from zoo.verbs.train import request_of

        return _of_training(request_of(arguments | {"bad_examples": "skip"}), seconds, say, progress)
    training_only: dict[str, Any] = {
        "data_dir": data_dir, "target_column": target_column, "text_column": text_column,
        "image_column": image_column, "audio_column": audio_column, "family": family, "size": size, "set": set or None,
    }  # fmt: skip
    given = [name for name, value in training_only.items() if value is not None]
    if given:
        raise ZooError(f"leave {options(given)} out, or name the data of a training with --data")
    from zoo.serving.benchmark import benchmark as measure
    from zoo.serving.table import write_csv

    target = optional_path(csv)
    if target is not None:
        check_new(target)
    folders = several_paths(artifacts) or [artifact_or_newest(None, say)]
    started = provenance.here(SEED)
    rows = measure(
        folders,
        batches=batches,
        threads=None if threads is None else several(threads),
        runtimes=several(runtime or ()),
        seconds=seconds,
        seed=SEED,
        say=say,
        progress=progress,
    )
    finished = dataclasses.replace(started, finished=provenance.now())
    if target is not None:
        write_csv(target, rows, finished)
        say(f"wrote {target}")
    return Benchmark(finished, seconds, tuple(rows))


def _of_training(request: TrainingRequest, seconds: float, say: Say, progress: Progress) -> Benchmark:
    """Measure a training; the arguments are those of `zoo.training.input_speed.measure`."""
    from zoo.training.decision import decide

    decide(request)
    # A wrong request was refused above, before TensorFlow takes seconds to import.
    import_keras()
    from zoo.training.input_speed import measure

    started = provenance.here(SEED)
    with keeping_freed_memory(), own_randomness():
        speed = measure(request, seconds=seconds, say=say, progress=progress)
    return Benchmark(dataclasses.replace(started, finished=provenance.now()), seconds, training=speed)
