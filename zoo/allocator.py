"""The C library's memory allocator, set for training."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator

from zoo.provenance import usable_cpus

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
"""The parameters of glibc's `mallopt` (malloc.h)."""

MOST_OF_ONE_ARENA = 8
"""The most CPUs that share one arena; with more of them, threads would wait for each other to allocate memory."""


@contextlib.contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Let this process keep memory that it frees, while the block lasts.

    With few CPUs, all threads share one arena from then on, because glibc cannot make more arenas again.

    By default, glibc (2.36) returns every freed tensor above 32 MiB to the kernel, which then fills the pages of the
    next one with zeros: a convolutional network at 128 pixels trains a third slower. glibc also returns the 64 MiB
    heaps of all threads but the first, unless all threads share one arena.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    if usable_cpus() <= MOST_OF_ONE_ARENA:
        library.mallopt(ARENA_MAX, 1)
    library.mallopt(MMAP_THRESHOLD, 2**30)
    library.mallopt(TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        library.mallopt(MMAP_THRESHOLD, 2**25)
        library.mallopt(TRIM_THRESHOLD, 2**26)
        library.malloc_trim(0)
