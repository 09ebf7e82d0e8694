"""What a number that people will read is stored with: command, seed, versions, machine."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

from zoo import processor
from zoo.description import Provenance

PACKAGES = (
    "keras-zoo",
    "tensorflow",
    "keras",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "tensorflow-datasets",
    "numpy",
    "protobuf",
)


def here(seed: int) -> Provenance:
    """The provenance of what this process is about to do."""
    return Provenance(command=command(), seed=seed, versions=versions(), machine=machine(), started=now())


def now() -> str:
    """The time in UTC, ISO 8601, to the microsecond: text that sorts as time does."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def command() -> str:
    """The command line of this process, as it would be typed."""
    program = Path(sys.argv[0]).name
    return shlex.join(["zoo" if program == "__main__.py" else program, *sys.argv[1:]])


def versions() -> dict[str, str]:
    """The versions of Python and of the installed packages that shape a result; none of them is imported."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The processor, see `zoo.processor`, the CPUs that this process may use, and the memory in GiB."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.machine()}",
        **processor.describe(),
        "cpus": usable_cpus(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def usable_cpus() -> int:
    """How many CPUs this process may keep busy: its affinity, and the container's quota where there is one.

    onnxruntime sizes its pool by the machine instead (onnxruntime issue 29510).
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists():
        limit, _, period = quota.read_text(encoding="utf-8").strip().partition(" ")
        if limit != "max":
            count = min(count, max(1, round(int(limit) / int(period))))
    return count
