"""The limits that a container, systemd or Slurm sets to this process, from version 2 or 1 of Linux' control groups."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/sys/fs/cgroup")

MEMBERSHIP = Path("/proc/self/cgroup")
"""The file that names the groups of this process; the line of version 2 begins with `VERSION_2`."""

VERSION_2 = "0::/"

NO_LIMIT = 2**60
"""Version 1 writes a number near 2**63 for memory without a limit, in bytes."""

HELD = frozenset({"anon", "shmem", "total_rss"})
"""The lines of memory.stat, in version 2 or 1, whose bytes cannot be freed; the rest is mostly the cache of files."""


def cpu_limit(root: Path = ROOT, membership: Path = MEMBERSHIP) -> float | None:
    """Return the number of CPUs that this process and others of its groups may keep busy; None without a limit."""
    lines = [_read(folder / "cpu.max") for folder in _folders(root, membership)]
    if not any(lines):
        lines = [f"{_read(root / 'cpu/cpu.cfs_quota_us')} {_read(root / 'cpu/cpu.cfs_period_us')}"]
    pairs = [(limit, period) for limit, _, period in (text.partition(" ") for text in lines)]
    limits = [(int(limit), int(period)) for limit, period in pairs if limit.isdecimal() and period.isdecimal()]
    return min((limit / period for limit, period in limits if period), default=None)


def memory_limit(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Return the bytes of memory that this process and others of its groups may use; None without a limit."""
    return min((limit for limit, _ in _memory(root, membership)), default=None)


def available_memory(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int:
    """Return the bytes of memory that are left: on the machine, and below the limit of each group."""
    import psutil

    of_machine = int(psutil.virtual_memory().available)
    return min([of_machine, *(max(0, limit - usage) for limit, usage in _memory(root, membership))])


def _memory(root: Path, membership: Path) -> list[tuple[int, int]]:
    """Return the limit of each group that has one, and the bytes that its processes hold."""
    limits = [(_read(folder / "memory.max"), folder) for folder in _folders(root, membership)]
    if not any(limit for limit, _ in limits):
        limits = [(_read(root / "memory/memory.limit_in_bytes"), root / "memory")]
    return [(int(limit), _usage(folder)) for limit, folder in limits if limit.isdecimal() and int(limit) < NO_LIMIT]


def _usage(folder: Path) -> int:
    """Return the bytes that the processes of a group hold."""
    pairs = (line.partition(" ") for line in _read(folder / "memory.stat").splitlines())
    return sum(int(value) for key, _, value in pairs if key in HELD and value.isdecimal())


def _folders(root: Path, membership: Path) -> list[Path]:
    """Return the folder of this process's group of version 2 and those above it, up to `root`.

    The limits of all of them hold. `root` alone is returned where the group is not below it, as in a container that
    has the groups of the host.
    """
    groups = [line.removeprefix(VERSION_2) for line in _read(membership).splitlines() if line.startswith(VERSION_2)]
    group = Path(groups[0]) if groups else Path()
    if ".." in group.parts:
        group = Path()
    return [root / group, *(root / above for above in group.parents)]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
