"""Quantize timm's ONNX files with onnxruntime's own quantizer, as its documentation recommends for x86.

The files have QDQ nodes, per-channel int8 weights, and uint8 activations with min-max calibration, after the
quantizer's own preprocessing.

usage: .venv/bin/python -m benchmarks.peers.quantize_stock FOLDER [--only NAME...]

FOLDER is a folder that `export_timm` wrote. Writes FOLDER/FAMILY-SIZE.stock.onnx, calibrated on crops of photographs.
`compare_latency` counts these files among the peers, so use another folder to compare float32 with float32.
`benchmarks.int8_stock` makes such files itself.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.int8 import photographs
from benchmarks.peers.normalize import normalize
from benchmarks.peers.table import add_only, peers


def main() -> None:
    """Quantize the files of a folder."""
    parser = argparse.ArgumentParser(description="Quantize timm's ONNX files with onnxruntime's own quantizer.")
    parser.add_argument("folder", type=Path, help="the folder that export_timm wrote")
    add_only(parser)
    asked = parser.parse_args()
    images = normalize(photographs(), nchw=True)
    for peer in peers(asked.only):
        source = asked.folder / f"{peer.name}.onnx"
        if source.exists():
            quantize(source, source.with_suffix(".stock.onnx"), images)
            print(peer.name, flush=True)


def quantize(source: Path, target: Path, images: np.ndarray) -> None:
    """Quantize a float32 file to 8 bits, calibrated on float32 images [n, channels, height, width]."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Examples(CalibrationDataReader):
        def __init__(self) -> None:
            self._left: Iterator[np.ndarray] = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._left, None)
            return None if image is None else {"image": image[None]}

    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            Examples(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )


if __name__ == "__main__":
    main()
