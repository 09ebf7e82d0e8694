"""The provenance that is stored with every figure: command, seed, versions, machine and environment."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo import container, processor
from zoo.description import Provenance
from zoo.errors import listed
from zoo.tensorflow_setup import KERNELS
from zoo.text import Say, printable

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

NUMERIC = (
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "DNNL_DEFAULT_FPMATH_MODE",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "NVIDIA_TF32_OVERRIDE",
    "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC",
)
"""Environment variables that choose how TensorFlow computes. The same network then gives slightly other figures."""


UNSET = "unset"
"""The value of a variable in `environment` that zoo sets, but that was not set when TensorFlow was imported."""


def here(seed: int) -> Provenance:
    """Return the provenance of what this process is about to do."""
    return Provenance(
        command=command(), seed=seed, versions=versions(), machine=machine(), started=now(), environment=environment()
    )


def now() -> str:
    """Return the time in UTC as ISO 8601 to the microsecond: text that sorts as time does."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def command() -> str:
    """Return the command line of this process, as it would be typed in a shell."""
    program = Path(sys.argv[0]).name
    return typed(["zoo" if program == "__main__.py" else program, *sys.argv[1:]])


def typed(words: Iterable[str]) -> str:
    """Return the words of a command as they would be typed in a shell."""
    # Python decodes file names that are not UTF-8 to surrogates, which pydantic 2.12 refuses in a string.
    return shlex.join(words).encode(errors="backslashreplace").decode()


def environment() -> dict[str, str]:
    """Return the variables of `NUMERIC` whose values are not those that zoo sets.

    A variable of `KERNELS` is `UNSET` if TensorFlow was imported before zoo could set it, and therefore computes
    differently.
    """
    variables = {name: os.environ[name] for name in NUMERIC if os.environ.get(name) not in (None, KERNELS.get(name))}
    if "tensorflow" in sys.modules and not processor.has_vnni():
        variables |= {name: UNSET for name in KERNELS if name not in os.environ}
    return variables


def say_environment(say: Say) -> None:
    """Name the variables of `environment` in one line."""
    variables = ", ".join(f"{name}={printable(value)}" for name, value in environment().items())
    if variables:
        say(f"environment variables that change figures slightly: {variables}")


def say_changes(began: Provenance, say: Say) -> None:
    """Name in one line the packages and the processor that changed since work began, if any did."""
    current, started = versions(), began.versions
    changed = [
        f"{name} {current.get(name, 'none')} (before: {started.get(name, 'none')})"
        for name in {**started, **current}
        if started.get(name) != current.get(name)
    ]
    if began.machine.get("instruction_sets") not in (None, processor.instruction_sets()):
        changed.append("a processor with other instructions")
    if changed:
        say(f"changed since the start, so that figures may differ slightly: {listed(changed)}")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that shape a result. None of them is imported."""
    version_by_name = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            version_by_name[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return version_by_name


def machine() -> dict[str, Any]:
    """Describe the processor (`zoo.processor`), the number of usable CPUs, memory in GiB, and NVIDIA's GPUs."""
    import psutil

    gpus = nvidia_gpus()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        **processor.describe(),
        "cpus": usable_cpus(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        **({"gpus": gpus} if gpus else {}),
    }


def nvidia_gpus(driver: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """Return the names of the GPUs that NVIDIA's Linux driver knows, in the order of their addresses."""
    texts = (file.read_text(encoding="utf-8") for file in sorted(driver.glob("*/information")))
    lines = (line for text in texts for line in text.splitlines())
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def usable_cpus() -> int:
    """Count the CPUs that this process may keep busy, by its affinity and the container's quota.

    onnxruntime sizes its thread pool by the whole machine instead (onnxruntime issue 29510).
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = container.cpu_limit()
    return count if limit is None else min(count, max(1, round(limit)))
