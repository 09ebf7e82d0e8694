"""Memory that `zoo.export.quantize.write_int8` takes at 224 pixels, calibration and measuring included.

usage: python benchmarks/int8_memory.py ONNX [NAME...]      writes results/int8_memory.json

ONNX has FAMILY-SIZE.onnx files of the contract; networks that are not named keep their figures. Calibrated and measured
on crops of scikit-learn's photographs, of which 64 are enough: how many there are changes no peak.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from measured import record, recorded, watched

SIDE = 224
PICTURES = 64


def main() -> None:
    """Each file in a process of its own."""
    folder, *names = sys.argv[1:]
    figures = recorded("int8_memory")
    for name in names or sorted(path.stem for path in Path(folder).glob("*.onnx")):
        float32 = Path(folder) / f"{name}.onnx"
        spent = watched([sys.executable, __file__, "--of", str(float32)])
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


def quantise(float32: Path) -> None:
    """Write the int8 file of a float32 one to a scratch folder."""
    from zoo.export import quantize
    from zoo.preprocess import Preprocessing

    imagenet = Preprocessing(SIDE, SIDE, 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with tempfile.TemporaryDirectory() as scratch:
        quantize.write_int8(
            float32,
            Path(scratch) / "int8.onnx",
            quantize.Request(quantize.this_machine(), force=True),
            preprocessing=imagenet,
            dataset=photographs(Path(scratch) / "pictures"),
            cache=Path(scratch),
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )


def photographs(folder: Path) -> object:
    """Crops of two photographs as a data set of two classes."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    from zoo.data.load import load
    from zoo.recipe import Recipe

    generator = np.random.default_rng(0)
    for label, image in enumerate(load_sample_images().images):
        for number in range(PICTURES):
            top, left = (int(generator.integers(0, length - SIDE)) for length in image.shape[:2])
            split = ("train", "train", "validation", "test")[number % 4]
            place = folder / split / str(label)
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[top : top + SIDE, left : left + SIDE]).save(place / f"{number}.png")
    return load(f"folder:{folder}", split=Recipe().split)


if __name__ == "__main__":
    quantise(Path(sys.argv[2])) if sys.argv[1] == "--of" else main()
