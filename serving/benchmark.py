"""How fast an artifact answers, what it costs to have it running, and how good those very files are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.artifact import ONNX_FILES, SAVED_MODEL, File, Format, Manifest, hashes, read
from zoo.errors import Refused, ZooError, did_you_mean
from zoo.intervals import ratio_of_medians
from zoo.provenance import usable_cpus
from zoo.serving.runner import LIBRARIES
from zoo.serving.statistics import latency
from zoo.serving.worker import answers

BATCHES = (1, 8, 32)
LARGEST_BATCH = 1024
SECONDS = 3.0
MOST_SECONDS = 3600.0

FILES: dict[Format, str] = {**ONNX_FILES, "saved_model": f"{SAVED_MODEL}/"}
"""How the paths of each format's files begin within an artifact; data beside an ONNX file carry its name."""


@dataclass(frozen=True)
class Row:
    """One artifact, runtime, batch and number of threads.

    Latencies are those of a whole batch: percentiles over `runs`, and the 95 % interval of the median. `ratio` is the
    median as a multiple of that of the first row with this batch and threads, paired round by round, with its 95 %
    interval. `images_per_second` is the rate over all runs. Loading (the library imported before), the first answer
    (from the start of the process on) and the peak of the resident set are those of a fresh process that answered one
    such batch. `harness_us` is what the measuring adds to each latency. `file_bytes` are those of the files that the
    runtime reads. `multiply_adds` are for one image. Accuracy is that of these very files on the test split, with its
    95 % interval; None where the export did not measure it.
    """

    artifact: str
    family: str
    size: str
    runtime: Format
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
    images_per_second: float
    harness_us: float
    load_ms: float
    first_answer_ms: float
    peak_memory_mib: float
    file_bytes: int
    parameters: int
    multiply_adds: int
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    accuracy_images: int | None
    data_fingerprint: str | None


@dataclass(frozen=True)
class _Contender:
    artifact: Path
    runtime: Format
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
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[Row]:
    """Measure every artifact in every runtime at every batch and number of threads, in turns within one process.

    Args:
        artifacts: their folders.
        batches: images in a request, up to `LARGEST_BATCH`.
        threads: numbers of threads; 1 and the usable CPUs when not given.
        runtimes: `onnx`, `onnx_int8`, `onnx_fp16`, `saved_model`; when not given, each artifact's own formats.
        seconds: how long each row is measured; never fewer runs than an interval needs.
        seed: of the random pixels, the order of the turns and the bootstrap.
        progress: told before each step how many are done, of how many, and what comes.

    Raises:
        ZooError: there is no such artifact, it lacks a runtime, or a number is out of range.
        Refused: a file is not the one that the manifest's accuracy was measured on, or does not load.
    """
    batches = _checked("batches", batches, LARGEST_BATCH, "smaller batches")
    threads = _checked("threads", threads or (1, usable_cpus()), usable_cpus(), "no more than the usable CPUs")
    if not (math.isfinite(seconds) and 0 < seconds <= MOST_SECONDS):
        raise ZooError(f"--seconds {seconds} cannot be measured: take more than 0 and at most {MOST_SECONDS:.0f}")
    contenders = _contenders(artifacts, runtimes)
    total = len(threads) * len(batches) * (len(contenders) + 1)
    done = 0
    rows = []
    for count in threads:
        costs: dict[tuple[int, int], _Cost] = {}
        for batch in batches:
            for index, contender in enumerate(contenders):
                progress(
                    done, total, f"{contender.artifact} {contender.runtime}: loading, batch {batch}, threads {count}"
                )
                costs[batch, index] = _cost(contender, batch, count, seed)
                done += 1
        request = {
            "contenders": [(str(contender.artifact), contender.runtime) for contender in contenders],
            "batches": batches,
            "threads": count,
            "seconds": seconds,
            "seed": seed,
        }
        progress(done, total, f"latency, batch {batches[0]}, threads {count}")
        for block, answer in enumerate(answers("zoo.serving.latency", request), start=1):
            latencies = np.array(answer["latencies"])
            for index, contender in enumerate(contenders):
                ratio = ratio_of_medians(latencies[index], latencies[0], seed)
                cost = costs[answer["batch"], index]
                rows.append(_row(contender, answer["batch"], count, latencies[index], ratio, answer["harness"], cost))
            done += 1
            if block < len(batches):
                progress(done, total, f"latency, batch {batches[block]}, threads {count}")
    progress(done, total, "done")
    return rows


def _checked(what: str, numbers: Sequence[int], most: int, mend: str) -> list[int]:
    """The numbers, each once, in the order given."""
    if not numbers:
        raise ZooError(f"no {what} are named: give numbers from 1 to {most}, such as 1")
    for number in numbers:
        if not 1 <= number <= most:
            raise ZooError(f"{what} {number} is not within 1 and {most}: take {mend}")
    return list(dict.fromkeys(numbers))


def _contenders(artifacts: Sequence[Path], runtimes: Sequence[str] | None) -> list[_Contender]:
    if not artifacts:
        raise ZooError("there is nothing to measure: name artifacts that 'zoo export' wrote")
    for runtime in runtimes or ():
        if runtime not in LIBRARIES:
            raise ZooError(f"there is no runtime '{runtime}': {did_you_mean(runtime, LIBRARIES)}")
    found = []
    for artifact in dict.fromkeys(artifacts):
        manifest = read(artifact)
        for runtime in runtimes or ():
            if runtime not in manifest.formats:
                raise ZooError(
                    f"{artifact} has no {runtime}: measure it with --runtime {','.join(manifest.formats)}, "
                    "or export it with that format"
                )
        wanted = [runtime for runtime in manifest.formats if runtimes is None or runtime in runtimes]
        _refuse_other_files(artifact, manifest, wanted)
        found += [_Contender(artifact, runtime, manifest) for runtime in wanted]
    return found


def _files(manifest: Manifest, runtime: Format) -> dict[str, File]:
    return {name: file for name, file in manifest.files.items() if name.startswith(FILES[runtime])}


def _refuse_other_files(artifact: Path, manifest: Manifest, runtimes: Sequence[Format]) -> None:
    """Raise Refused unless the runtimes' files are those that the accuracy in the manifest was measured on."""
    stored = hashes(artifact)
    for runtime in runtimes:
        wanted = _files(manifest, runtime)
        found = {name: file for name, file in stored.items() if name.startswith(FILES[runtime])}
        other = sorted(name for name in found.keys() | wanted if found.get(name) != wanted.get(name))
        if other or not wanted:
            raise Refused(
                f"{artifact}: {other[0] if other else runtime} is not the manifest's, so its accuracy is unknown: "
                f"see 'zoo verify {artifact}', and export again"
            )


def _cost(contender: _Contender, batch: int, threads: int, seed: int) -> _Cost:
    """What a fresh process takes to load and to answer once."""
    request = {
        "artifact": str(contender.artifact),
        "runtime": contender.runtime,
        "batch": batch,
        "threads": threads,
        "seed": seed,
    }
    start = time.perf_counter()
    process = answers("zoo.serving.cold_start", request)
    answer = next(process)
    first_answer = time.perf_counter() - start
    process.close()
    return _Cost(answer["load_ms"], 1e3 * first_answer, answer["peak_memory_mib"])


def _row(
    contender: _Contender,
    batch: int,
    threads: int,
    seconds: np.ndarray,
    ratio: tuple[float, float, float],
    harness: float,
    cost: _Cost,
) -> Row:
    model, accuracy = contender.manifest.model, contender.manifest.accuracy.get(contender.runtime)
    taken = latency(1e3 * seconds)
    return Row(
        artifact=str(contender.artifact),
        family=model.family,
        size=model.size,
        runtime=contender.runtime,
        batch=batch,
        threads=threads,
        runs=taken.runs,
        p50_ms=taken.p50,
        p90_ms=taken.p90,
        p99_ms=taken.p99,
        median_low_ms=taken.low,
        median_high_ms=taken.high,
        ratio=ratio[0],
        ratio_low=ratio[1],
        ratio_high=ratio[2],
        images_per_second=float(batch * len(seconds) / seconds.sum()),
        harness_us=1e6 * harness,
        load_ms=cost.load_ms,
        first_answer_ms=cost.first_answer_ms,
        peak_memory_mib=cost.peak_memory_mib,
        file_bytes=sum(file.bytes for file in _files(contender.manifest, contender.runtime).values()),
        parameters=model.parameters,
        multiply_adds=model.multiply_adds,
        accuracy=accuracy.accuracy if accuracy else None,
        accuracy_low=accuracy.low if accuracy else None,
        accuracy_high=accuracy.high if accuracy else None,
        accuracy_images=accuracy.images if accuracy else None,
        data_fingerprint=contender.manifest.data.fingerprint if contender.manifest.data else None,
    )
