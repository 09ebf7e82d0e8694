"""The fp16 file: an ONNX file with float16 weights and arithmetic, for GPUs."""

from __future__ import annotations

from pathlib import Path

from zoo.export.onnx import passes
from zoo.export.onnx.conversion import save


def write_fp16(float32: Path, fp16: Path) -> None:
    """Write the float16 version of a float32 ONNX file; its inputs and outputs keep their types.

    Raises:
        Refused: a weight is too large for float16.
    """
    import onnx

    model = onnx.load(float32)
    passes.apply(model, "fp16")
    save(model, fp16)
