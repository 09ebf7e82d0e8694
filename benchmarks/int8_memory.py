"""Peak memory of `zoo.export.int8.quantize.write_int8` at 224 pixels, including calibration and latency measurement.

usage: python -m benchmarks.int8_memory ONNX [NAME...]      writes results/int8_memory.json

ONNX is a folder of exported files FAMILY-SIZE.onnx; networks that are not named keep their figures. The script
calibrates and measures on 64 crops of scikit-learn's photographs; the default number, 512, would take 67 MB more.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measured import record, recorded, watched

SIDE = 224
IMAGES = 64


def main() -> None:
    """Each file in a process of its own."""
    folder, *names = sys.argv[1:]
    figures = recorded("int8_memory")
    for name in names or sorted(path.stem for path in Path(folder).glob("*.onnx")):
        float32 = Path(folder) / f"{name}.onnx"
        spent = watched([sys.executable, "-m", "benchmarks.int8_memory", "--of", str(float32)])
        if spent.status:
            raise SystemExit(f"{name} failed")
        weights = float32.stat().st_size
        figures[name] = {
            "gigabytes": round(spent.peak_memory / 1e9, 2),
            "gigabytes_allowed": round((2e9 + 6 * weights) / 1e9, 2),
            "weights_gigabytes": round(weights / 1e9, 3),
            "seconds": round(spent.seconds, 1),
            "holds": spent.peak_memory <= 2e9 + 6 * weights,
        }
        print(name, figures[name], file=sys.stderr, flush=True)
        record("int8_memory", figures)


def quantize(float32: Path) -> None:
    """Write the int8 file of a float32 one to a scratch folder."""
    import numpy as np

    from zoo.data.dataset import Dataset
    from zoo.description import Model
    from zoo.export import accuracy
    from zoo.export.int8 import options, quantize, search, verdict
    from zoo.formats.onnx import open_onnx
    from zoo.inputs.image.photographs import LICENSE, photographs
    from zoo.inputs.image.preprocessing import Preprocessing
    from zoo.weights.pretrained import IMAGENET_MEAN, IMAGENET_STD

    crops = photographs(IMAGES)
    preprocessing = Preprocessing(SIDE, SIDE, 3, IMAGENET_MEAN, IMAGENET_STD)
    description = Model("photographs", "small", ("crop",), preprocessing, parameters=0, multiply_adds=0)
    request = options.Int8Options(options.this_machine(), force=True)
    with tempfile.TemporaryDirectory() as scratch:
        int8 = Path(scratch) / "int8.onnx"
        decision = quantize.write_int8(
            float32,
            int8,
            request,
            description=description,
            dataset=Dataset(
                "image", "classes", "photographs", None, {}, ("crop",), crops, crops, crops, None, "", (), LICENSE
            ),
            cache=Path(scratch),
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        right = [
            accuracy.right(
                accuracy.primary_outputs(open_onnx(path).run, crops, description, search.BATCH), crops, description
            )
            for path in (float32, int8)
        ]
        example = {"image": np.zeros((1, SIDE, SIDE, 3), np.uint8)}
        verdict.verdict(decision, request, *right, files=(float32, int8), example=example)


if __name__ == "__main__":
    quantize(Path(sys.argv[2])) if sys.argv[1] == "--of" else main()
