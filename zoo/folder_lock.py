"""A lock that keeps other processes out of a folder; it ends with the process that holds it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import ZooError

LOCK = "lock"
"""The file in the folder that is locked. It is empty, and stays."""

PATIENCE_SECONDS = 10.0
"""The longest wait for a lock: a killed command's child processes take time to notice and to end."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Keep other processes out of a folder until the block ends; yield the descriptor that holds the lock.

    A process that inherits the descriptor holds the lock, too.

    Raises:
        ZooError: another process is using the folder, or its file system has no locks.
    """
    import fcntl  # not on Windows

    end = time.monotonic() + PATIENCE_SECONDS
    with (folder / LOCK).open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise ZooError(f"another process is using {folder}: wait until it ends") from None
            except OSError as error:  # such as ENOLCK of NFS, and ENOSYS of Lustre
                raise ZooError(
                    f"{folder} cannot be locked ({error.strerror or error}): choose a file system that has locks"
                ) from None
            time.sleep(0.1)
        yield file.fileno()
