"""The memory allocator of a training, glibc's."""

from __future__ import annotations

import subprocess
import sys

PAGE_FAULTS = """
import resource
import numpy as np
from zoo.allocator import keeping_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(2**24, np.float32)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with keeping_freed_memory():
    faults()
    kept = faults()
print(kept, faults())
"""


def test_freed_memory_is_kept_while_a_training_lasts() -> None:
    made = subprocess.run([sys.executable, "-c", PAGE_FAULTS], capture_output=True, text=True, check=True)
    within, after = map(int, made.stdout.split())
    assert within < 100 < after
