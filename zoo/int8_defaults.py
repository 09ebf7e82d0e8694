"""The processors that an int8 file can be made for, and the defaults of the options of int8."""

from __future__ import annotations

from typing import Literal

Target = Literal["x86-vnni", "x86-avx2", "arm64", "portable"]
"""The processors that an int8 file can be made for."""

MAX_DROP = 0.5
"""The points of accuracy that an int8 file may lose by default."""

CALIBRATION_EXAMPLES = 512
"""The number of training examples that calibrate an int8 file by default."""
