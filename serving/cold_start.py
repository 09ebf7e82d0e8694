"""What a fresh process costs: loading, the first answer, memory.

Run as `python -m zoo.serving.cold_start` by the benchmark.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.artifact import read
from zoo.serving.latency import random_pixels
from zoo.serving.runner import library, open_runner
from zoo.serving.worker import serve


def probe(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Open `artifact` with `runtime` on `threads` threads and answer `batch` random images, once.

    The answer has the milliseconds that opening took, the runtime's library imported before, and the most MiB that the
    process ever held. Who asked knows when the answer came.
    """
    artifact = Path(request["artifact"])
    pixels = random_pixels(read(artifact).model.preprocessing.shape, request["batch"], request["seed"])
    library(request["runtime"])
    start = time.perf_counter()
    runner = open_runner(artifact, request["runtime"], threads=request["threads"])
    load = time.perf_counter() - start
    runner(pixels)
    yield {"load_ms": 1e3 * load, "peak_memory_mib": peak_memory() / 2**20}


def peak_memory() -> int:
    """The largest resident set of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux getrusage would begin with the peak of the process that started this one: it outlives exec.
        peak = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    serve(probe)
