"""Benchmarks of artifacts: latency, throughput, loading time and memory, beside the score of the same files."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import formats
from zoo.artifact import File, Manifest, own_hashes, read
from zoo.errors import Refused, ZooError
from zoo.formats import Format
from zoo.intervals import ratio_of_medians_over_sessions
from zoo.measurement import BATCHES, SECONDS, check_seconds
from zoo.provenance import usable_cpus
from zoo.serving.measuring_process import measurements
from zoo.serving.runner import refuse_unavailable
from zoo.serving.statistics import latency
from zoo.text import Say, silent
from zoo.turns import SESSIONS

LARGEST_BATCH = 1024


@dataclass(frozen=True)
class Row:
    """The figures of one artifact, runtime, batch and number of threads.

    Latencies are those of a whole batch: percentiles over `runs` of several sessions, and the 95 % interval of the
    median. `ratio` is the median as a multiple of that of the first row with this batch and threads, paired round by
    round, with its 95 % interval. Both intervals count the differences between sessions. `examples_per_second` is the
    rate over all runs. `load_ms` (without the import of the library), `first_answer_ms` (from the start of the process
    on, without the drawing of the inputs) and the peak of the resident set are those of a fresh process that computed
    one such batch. `harness_us` is the time that the measuring itself adds to each latency. `file_bytes` are those of
    the files that the runtime reads. `multiply_adds` are for one example. `score` is the `metric` of these very files
    on the test split, with its 95 % interval; None where the export did not measure it.
    """

    artifact: str
    family: str
    size: str
    runtime: str
    batch: int
    threads: int
    runs: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    median_low_ms: float
    median_high_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    examples_per_second: float
    harness_us: float
    load_ms: float
    first_answer_ms: float
    peak_memory_mib: float
    file_bytes: int
    parameters: int
    multiply_adds: int
    metric: str | None
    score: float | None
    score_low: float | None
    score_high: float | None
    test_examples: int | None
    data_fingerprint: str | None


@dataclass(frozen=True)
class _Contender:
    artifact: Path
    row: Format
    manifest: Manifest


@dataclass(frozen=True)
class _Cost:
    load_ms: float
    first_answer_ms: float
    peak_memory_mib: float


def benchmark(
    artifacts: Sequence[Path],
    *,
    batches: Sequence[int] = BATCHES,
    threads: Sequence[int] | None = None,
    runtimes: Sequence[str] | None = None,
    seconds: float = SECONDS,
    seed: int = 0,
    say: Say = silent,
    progress: Callable[[int, int, str], None] = lambda done, total, next_step: None,
) -> list[Row]:
    """Measure every artifact in every runtime at every batch and number of threads, in turns within one process.

    Each file is opened several times, because one session of it may be steadily faster than the next.

    Args:
        artifacts: their folders.
        batches: examples in a request, up to `LARGEST_BATCH`.
        threads: numbers of threads; 1 and the usable CPUs when not given.
        runtimes: names of formats, or of other runtimes for their files; each artifact's own formats when None.
        seconds: how long each row is measured, in all sessions together; at least one run in each.
        seed: of the random inputs, the order of the turns and the bootstrap.
        say: called with a line about each format that is left out because its library is not installed.
        progress: called before each step with the steps done, the steps in all, and a text on the next one.

    Raises:
        ZooError: there is no such artifact, it lacks a runtime, or a number is out of range.
        Refused: a file is not the one that the manifest's score was measured on, or does not load.
    """
    batches = _checked("batches", batches, LARGEST_BATCH)
    threads = _checked("threads", (1, usable_cpus()) if threads is None else threads, usable_cpus())
    check_seconds(seconds)
    contenders = _contenders(artifacts, runtimes, say)
    libraries: dict[str, _Contender] = {}
    for contender in contenders:
        libraries.setdefault(contender.row.library, contender)
    total = len(libraries) + len(threads) * len(batches) * (len(contenders) + SESSIONS)
    done = 0
    for library, contender in libraries.items():
        progress(done, total, f"reading {library} from the disk")
        # Not a figure of any row: the first process that loads a library waits for the disk.
        _cost(contender, 1, threads[0], seed)
        done += 1
    rows = []
    for count in threads:
        costs: dict[tuple[int, int], _Cost] = {}
        for batch in batches:
            for index, contender in enumerate(contenders):
                step = f"{contender.artifact} {contender.row.name}: loading, batch {batch}, threads {count}"
                progress(done, total, step)
                costs[batch, index] = _cost(contender, batch, count, seed)
                done += 1
        request = {
            "contenders": [(str(contender.artifact), contender.row.name) for contender in contenders],
            "batches": batches,
            "threads": count,
            "seconds": seconds,
            "seed": seed,
        }
        measuring = measurements("zoo.serving.latency", request)
        measured: dict[int, list[dict[str, Any]]] = {batch: [] for batch in batches}
        for session in range(SESSIONS):
            for batch in batches:
                step = f"latency, batch {batch}, threads {count}, session {session + 1} of {SESSIONS}"
                progress(done, total, step)
                measured[batch].append(next(measuring))
                done += 1
        measuring.close()
        for batch in batches:
            rows += _rows(contenders, batch, count, measured[batch], costs, seed)
    progress(done, total, "done")
    return rows


def _checked(name: str, numbers: Sequence[int], most: int) -> list[int]:
    """Return the numbers, each once, in the given order; raise ZooError for one that is out of range."""
    if not numbers:
        raise ZooError(f"no {name} are named: give numbers from 1 to {most}, such as 1")
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise ZooError(f"{name} {number!r:.40} is not a whole number: give numbers from 1 to {most}")
        if not 1 <= number <= most:
            raise ZooError(f"{name} {number}: a number from 1 to {most} is needed")
    return list(dict.fromkeys(map(int, numbers)))


def _contenders(artifacts: Sequence[Path], runtimes: Sequence[str] | None, say: Say) -> list[_Contender]:
    if not artifacts:
        raise ZooError("there is nothing to measure: name artifacts that 'zoo export' wrote")
    requested = [formats.find(runtime) for runtime in dict.fromkeys(runtimes or ())]
    for row in requested:
        formats.import_library(row)
    contenders = []
    for artifact in dict.fromkeys(artifacts):
        manifest = read(artifact)
        for row in requested:
            mend = f"measure it with --runtime {','.join(manifest.formats)}, or export it with that format"
            refuse_unavailable(artifact, manifest, row, mend)
        # In the manifest's order; other runtimes for its files come last.
        own_formats = [
            formats.find(name) for name in manifest.formats if not requested or name in (row.name for row in requested)
        ]
        missing = [row for row in own_formats if not formats.is_installed(row)]
        if len(missing) == len(own_formats) and missing:
            formats.import_library(missing[0])
        for row in missing:
            say(f"{artifact}: {row.name} is left out, because {row.library} is not installed")
        own_formats = [row for row in own_formats if row not in missing]
        rows = [*own_formats, *(row for row in requested if row not in own_formats)]
        _refuse_other_files(artifact, manifest, rows)
        contenders += [_Contender(artifact, row, manifest) for row in rows]
    return contenders


def _files(files: dict[str, File], row: Format) -> dict[str, File]:
    """Return those of an artifact's files that a format's runtime reads."""
    return {name: file for name, file in files.items() if row.owns(name)}


def _refuse_other_files(artifact: Path, manifest: Manifest, rows: Sequence[Format]) -> None:
    """Raise Refused unless the formats' files are those that the score in the manifest was measured on."""
    stored = own_hashes(artifact, manifest)
    for row in rows:
        wanted, actual = _files(manifest.files, row), _files(stored, row)
        other = sorted(name for name in actual.keys() | wanted if actual.get(name) != wanted.get(name))
        if other or not wanted:
            raise Refused(
                f"{artifact}: {other[0] if other else row.name} is not the manifest's, so its score is unknown: "
                f"see 'zoo verify {artifact}', and export again"
            )


def _cost(contender: _Contender, batch: int, threads: int, seed: int) -> _Cost:
    """Return the time and memory that a fresh process takes to load a format and to compute one batch."""
    request = {
        "artifact": str(contender.artifact),
        "runtime": contender.row.name,
        "batch": batch,
        "threads": threads,
        "seed": seed,
    }
    start = time.perf_counter()
    process = measurements("zoo.serving.cold_start", request)
    measured = next(process)
    first_answer = 1e3 * (time.perf_counter() - start) - measured["drawing_ms"]
    process.close()
    return _Cost(measured["load_ms"], first_answer, measured["peak_memory_mib"])


def _rows(
    contenders: Sequence[_Contender],
    batch: int,
    threads: int,
    measured: Sequence[dict[str, Any]],
    costs: dict[tuple[int, int], _Cost],
    seed: int,
) -> list[Row]:
    """Return the rows of all contenders with one batch and number of threads, from the measurements of each session."""
    harness = float(np.median([session["harness"] for session in measured]))
    latencies = [[np.array(session["latencies"][index]) for session in measured] for index in range(len(contenders))]
    rows = []
    for index, contender in enumerate(contenders):
        ratio = ratio_of_medians_over_sessions([*zip(latencies[index], latencies[0], strict=True)], seed)
        rows.append(_row(contender, batch, threads, latencies[index], ratio, harness, costs[batch, index], seed))
    return rows


def _row(
    contender: _Contender,
    batch: int,
    threads: int,
    sessions: Sequence[np.ndarray],
    ratio: tuple[float, float, float],
    harness: float,
    cost: _Cost,
    seed: int,
) -> Row:
    model, score = contender.manifest.model, contender.manifest.score.get(contender.row.name)
    summary = latency([1e3 * seconds for seconds in sessions], seed)
    return Row(
        artifact=str(contender.artifact),
        family=model.family,
        size=model.size,
        runtime=contender.row.name,
        batch=batch,
        threads=threads,
        runs=summary.runs,
        p50_ms=summary.p50,
        p90_ms=summary.p90,
        p99_ms=summary.p99,
        median_low_ms=summary.low,
        median_high_ms=summary.high,
        ratio=ratio[0],
        ratio_low=ratio[1],
        ratio_high=ratio[2],
        examples_per_second=float(batch * summary.runs / sum(seconds.sum() for seconds in sessions)),
        harness_us=1e6 * harness,
        load_ms=cost.load_ms,
        first_answer_ms=cost.first_answer_ms,
        peak_memory_mib=cost.peak_memory_mib,
        file_bytes=sum(file.bytes for file in _files(contender.manifest.files, contender.row).values()),
        parameters=model.parameters,
        multiply_adds=model.multiply_adds,
        metric=score.metric if score else None,
        score=score.value if score else None,
        score_low=score.low if score else None,
        score_high=score.high if score else None,
        test_examples=score.examples if score else None,
        data_fingerprint=contender.manifest.data.fingerprint if contender.manifest.data else None,
    )
