"""The limits that a container sets to its processes, from version 2 or 1 of Linux' control groups."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/sys/fs/cgroup")

NO_LIMIT = 2**60
"""Version 1 writes a number near 2**63 for memory without a limit, in bytes."""


def cpu_limit(root: Path = ROOT) -> float | None:
    """Return the number of CPUs that the processes may keep busy together; None if there is no limit."""
    limit, _, period = _read(root / "cpu.max").partition(" ")
    if not limit:
        limit, period = _read(root / "cpu/cpu.cfs_quota_us"), _read(root / "cpu/cpu.cfs_period_us")
    numbers = limit.isdecimal() and period.isdecimal()
    return int(limit) / int(period) if numbers and int(period) else None


def memory_limit(root: Path = ROOT) -> int | None:
    """Return the bytes of memory that the processes may use together; None if there is no limit."""
    limit = _read(root / "memory.max") or _read(root / "memory/memory.limit_in_bytes")
    return int(limit) if limit.isdecimal() and int(limit) < NO_LIMIT else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
