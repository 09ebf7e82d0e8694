"""Commands that answer with an artifact compute on the CPU."""

from __future__ import annotations

import os


def leave_gpus_alone() -> None:
    """Hide the GPUs from this process: TensorFlow would reserve their memory, although the CPU computes."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
