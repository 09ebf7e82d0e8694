"""`zoo.benchmark`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import files, provenance, schema
from zoo.description import Provenance
from zoo.text import Progress, Say, silent
from zoo.verbs.results import StrPath, artifact_or_newest, optional_path, several_paths

if TYPE_CHECKING:
    from zoo.serving.benchmark import Row

SEED = 0
"""The seed of the random inputs, the order of the turns and the bootstrap."""


@dataclass(frozen=True)
class Benchmark:
    """The rows of a benchmark, how long each was measured in seconds, and what they were measured by."""

    provenance: Provenance
    seconds: float
    rows: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the benchmark as dictionaries, lists, strings and numbers."""
        from zoo.serving.table import as_json

        return {
            "provenance": schema.to_dict(self.provenance),
            "seconds": self.seconds,
            "rows": as_json(self.rows),
        }


def benchmark(
    artifacts: StrPath | Iterable[StrPath] = (),
    *,
    batch: Sequence[int] = (1, 8, 32),
    threads: Sequence[int] | None = None,
    runtime: Sequence[str] | None = None,
    seconds: float = 3.0,
    csv: StrPath | None = None,
    say: Say = silent,
    progress: Progress = silent,
) -> Benchmark:
    """Measure latency, throughput and memory of artifacts, in turns within one process.

    Args:
        artifacts: one artifact or several; the newest one below `artifacts` when none is given.
        batch: the numbers of examples in a request.
        threads: the numbers of threads; 1 and the usable CPUs when not given.
        runtime: formats out of `onnx`, `onnx_int8`, `onnx_fp16` and `saved_model`; those of each artifact when not
            given.
        seconds: how long each row is measured.
        csv: also write the rows to this file.
        say: told which artifact was chosen and what was written.
        progress: told before every step how many are done, how many there are, and what comes.

    Raises:
        ZooError: there is no such artifact, it lacks a runtime, a number is out of range, or `csv` exists.
        Refused: a file is not the one that the manifest's score was measured on, or does not load.
    """
    from zoo.serving.benchmark import benchmark as measure
    from zoo.serving.table import write_csv

    target = optional_path(csv)
    if target is not None:
        files.refuse_existing(target)
    folders = several_paths(artifacts) or [artifact_or_newest(None, say)]
    started = provenance.here(SEED)
    rows = measure(
        folders, batches=batch, threads=threads, runtimes=runtime, seconds=seconds, seed=SEED, progress=progress
    )
    made = dataclasses.replace(started, finished=provenance.now())
    if target is not None:
        write_csv(target, rows, made)
        say(f"written: {target}")
    return Benchmark(made, seconds, tuple(rows))
