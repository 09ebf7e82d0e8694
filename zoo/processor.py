"""The processor of this machine, on which latencies depend: name, model, instruction sets and caches.

Linux, macOS and Windows report different things; what a system does not report is left out.
"""

from __future__ import annotations

import functools
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")

RELEVANT = re.compile(
    r"sse4_2|avx2?|fma|f16c|avx512(f|bw|vl|dq|_?vnni|_?bf16|_?fp16)|avx_(vnni|vnni_int8|ne_convert)|amx_\w+"
    r"|neon|asimd|asimddp|asimdhp|fphp|sve2?|i8mm|svei8mm|bf16|svebf16|sme2?"
)
"""Instruction sets for which the runtimes have kernels of their own, by their names in Linux."""

VNNI = frozenset({"avx512_vnni", "avx512vnni", "avx_vnni"})
"""The instruction sets of x86 that sum products of int8 in 32 bits, by their names in Linux and macOS."""

NUMBERS = {
    "vendor": ("vendor_id", "CPU implementer"),
    "family": ("cpu family", "CPU architecture"),
    "model": ("model", "CPU part"),
    "variant": ("CPU variant",),
    "stepping": ("stepping", "CPU revision"),
}
"""The lines of /proc/cpuinfo that hold each number, on x86 and on ARM."""

WINDOWS = re.compile(r"Family (?P<family>\d+) Model (?P<model>\d+) Stepping (?P<stepping>\d+), (?P<vendor>\w+)")
"""The form of `platform.processor()` on Windows."""

MAC = {"vendor": "vendor", "family": "family", "model": "model", "stepping": "stepping"}
"""The machdep.cpu.* keys of macOS that hold each number. Apple's own processors have only a name."""


def name() -> str:
    """Return the name of the processor; its architecture where the system states no name, as Linux on ARM."""
    stated = _cpuinfo().get("model name") or _sysctl().get("machdep.cpu.brand_string") or platform.processor()
    return stated or platform.machine() or "unknown"


def numbers() -> dict[str, str]:
    """Return vendor, family, model and stepping, as far as the system reports them."""
    if lines := _cpuinfo():
        values_by_label = {
            label: [lines[line] for line in line_names if line in lines] for label, line_names in NUMBERS.items()
        }
        return {label: values[0] for label, values in values_by_label.items() if values}
    if match := WINDOWS.search(platform.processor()):
        return match.groupdict()
    mac = _sysctl()
    return {label: mac[f"machdep.cpu.{key}"] for label, key in MAC.items() if f"machdep.cpu.{key}" in mac}


def instruction_sets() -> list[str]:
    """List the instruction sets of `RELEVANT` that the processor has, in alphabetical order."""
    lines, mac = _cpuinfo(), _sysctl()
    flags = set(f"{lines.get('flags', '')} {lines.get('Features', '')}".split())
    flags |= {key.rpartition("FEAT_")[2].lower() for key, value in mac.items() if "FEAT_" in key and value == "1"}
    intel = f"{mac.get('machdep.cpu.features', '')} {mac.get('machdep.cpu.leaf7_features', '')}"
    flags |= set(intel.lower().replace("sse4.2", "sse4_2").replace("avx1.0", "avx").split())
    return sorted(flag for flag in flags if RELEVANT.fullmatch(flag))


@functools.cache
def has_vnni() -> bool:
    """Return whether the processor has one of the instruction sets of `VNNI`."""
    return not VNNI.isdisjoint(instruction_sets())


def caches() -> dict[str, str]:
    """Return the sizes of the first CPU's caches, such as {"L1 data": "48K"}."""
    sizes = {}
    for folder in sorted(CACHES.glob("index*")):
        level, cache_type, size = (_text(folder / part) for part in ("level", "type", "size"))
        if level and size:
            sizes[f"L{level} {cache_type.lower()}".strip()] = size
    mac = _sysctl()
    keys = {"L1 data": "hw.l1dcachesize", "L1 instruction": "hw.l1icachesize", "L2": "hw.l2cachesize"}
    kilobytes = {label: int(mac[key]) // 1024 for label, key in keys.items() if mac.get(key, "").isdecimal()}
    return sizes or {label: f"{size}K" for label, size in kilobytes.items()}


def describe() -> dict[str, Any]:
    """Describe the processor, for the provenance of a figure."""
    return {"processor": name(), "cpu": numbers(), "instruction_sets": instruction_sets(), "caches": caches()}


def _cpuinfo() -> dict[str, str]:
    """Return the lines of /proc/cpuinfo about the first CPU; empty where there is no such file."""
    first = _text(CPUINFO).partition("\n\n")[0]
    return dict(_pairs(first))


def _sysctl() -> dict[str, str]:
    """Return what macOS reports of its hardware; empty on other systems."""
    if platform.system() != "Darwin":
        return {}
    try:
        command = ["/usr/sbin/sysctl", "machdep.cpu", "hw"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(_pairs(done.stdout))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            yield key.strip(), value.strip()


def _text(path: Path) -> str:
    """Return the content of a file of the system; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
