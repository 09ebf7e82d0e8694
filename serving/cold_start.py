"""The cost of a fresh process that opens a format: loading, the first answer, memory.

Run as `python -m zoo.serving.cold_start` by the benchmark.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo import formats
from zoo.artifact import read
from zoo.input import kind_of
from zoo.serving.measuring_process import serve
from zoo.serving.runner import open_runner

STATUS = Path("/proc/self/status")
"""The file in which Linux reports the memory of this process."""


def probe(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Open `artifact` by `runtime` on `threads` threads and compute one batch of `batch` random examples.

    Yield the milliseconds of opening the file, without the import of the library, the milliseconds of drawing the
    examples, and the peak of the process's memory in MiB. The parent process measures the time to the first answer, and
    subtracts the time of drawing, which no client does.
    """
    artifact = Path(request["artifact"])
    preprocessing = read(artifact).model.preprocessing
    client = kind_of(preprocessing).client
    start = time.perf_counter()
    inputs = client.random(preprocessing, request["batch"], np.random.default_rng(request["seed"]))
    drawing = time.perf_counter() - start
    formats.import_library(formats.find(request["runtime"]))
    start = time.perf_counter()
    runner = open_runner(artifact, request["runtime"], threads=request["threads"])
    load = time.perf_counter() - start
    runner(inputs)
    yield {"load_ms": 1e3 * load, "drawing_ms": 1e3 * drawing, "peak_memory_mib": peak_memory() / 2**20}


def peak_memory(status: Path = STATUS) -> int:
    """Return the largest resident set of this process so far, in bytes."""
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    # On Linux, getrusage would start from the peak of the parent process, which survives exec.
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    import resource

    # macOS counts in bytes, and others in KiB. gVisor has a status file without that line.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    serve(probe)
