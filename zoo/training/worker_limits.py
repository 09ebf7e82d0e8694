"""The times for which the workers of a training wait for each other, and the exit status when one of them is lost."""

from __future__ import annotations

JOIN_SECONDS = 600.0
"""The time that workers wait for each other at the start."""

BEAT_SECONDS = 1.0
"""The time between two lines of a worker."""

SILENT_SECONDS = 60.0
"""The time without a line after which a worker counts as hanging or cut off."""

STALL_SECONDS = 600.0
"""The time after which a worker counts as hanging if it has not reached the step in which the others wait."""

GRACE_SECONDS = 10.0
"""The time that a worker gets to end by itself after another one is lost, while it waits in a collective."""

HARD_SECONDS = 60.0
"""The time that it gets while it is busy with something else."""

LOST = 138
"""The exit status when another worker is lost: 128 and above tell Kubeflow to start the worker again."""
