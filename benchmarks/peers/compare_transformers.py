"""Compare the answers of zoo's networks with transformers' for the same weights.

OUT holds a folder FAMILY-SIZE or FAMILY-SIZE.real for each network, as `export_transformers` writes them. The script
compares the logits if the weights have a head, and otherwise the vector that a head would read.

usage: .venv/bin/python -m benchmarks.peers.compare_transformers OUT [--require FAMILY-SIZE.real…]

Writes results/transformers.json, where networks that OUT lacks keep their figures, unless they are required. The exit
status is 1 if a difference is above the bound or OUT lacks a required network.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record, recorded
from zoo.family import Family, Size
from zoo.inputs.text.preprocessing import TextPreprocessing
from zoo.keras_settings import own_settings
from zoo.registry import resolve
from zoo.tensorflow_setup import import_keras
from zoo.weights.pretrained import TransformersModel
from zoo.weights.transformers_reader import open_checkpoint, read_transformers

BOUND = 2e-5
"""The largest difference that is accepted, relative to the largest answer."""


def compare(folder: Path) -> dict[str, Any]:
    """The largest difference of the answers, relative to the largest answer, and the kind of answer compared."""
    name, _, size = folder.name.removesuffix(".real").partition("-")
    family, row = resolve(name, size)
    answers = dict(np.load(folder / "answers.npz", allow_pickle=False))
    expected = answers.pop("expected")
    model = network(family, row, folder, expected.shape[1], list(answers))
    published = row.weights["transformers"]
    assert isinstance(published, TransformersModel)
    reading = read_transformers(folder, model, published)
    vector = any("logits" in remark for remark in reading.remarks)
    if vector:
        model.get_layer("logits").set_weights([np.eye(expected.shape[1]), np.zeros(expected.shape[1])])
    found = model(list(answers.values()), training=False).numpy()
    shape = list(next(iter(answers.values())).shape)
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    return {"compared": "vector" if vector else "logits", "input": shape, "difference": difference}


def network(family: Family, row: Size, folder: Path, count: int, names: list[str]) -> Any:
    """Zoo's network of a size, for a folder's vocabulary."""
    import keras

    rows = int(open_checkpoint(folder).config["vocab_size"])
    vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *(str(number) for number in range(rows - 4)))
    builder = importlib.import_module(family.builder)
    with own_settings("float32"):
        inputs = [keras.Input((None,), dtype="int64", name=name) for name in names]
        outputs = builder.build(*inputs, count, TextPreprocessing(vocabulary, 512), **row.options)
        return keras.Model(inputs, outputs.logits, name=f"{family.name}_{row.name}")


def main() -> int:
    """Every network of the folder."""
    parser = argparse.ArgumentParser(description="Compare the answers of zoo's networks with transformers'.")
    parser.add_argument("out", type=Path, help="the folder that export_transformers wrote")
    parser.add_argument("--require", nargs="*", default=[], metavar="NAME", help="networks that the folder must hold")
    asked = parser.parse_args()
    found = [path.parent for path in asked.out.glob("*/answers.npz")]
    lacking = set(asked.require) - {folder.name for folder in found}
    if lacking:
        raise SystemExit(f"{asked.out} lacks {', '.join(sorted(lacking))}: write them with export_transformers")
    import_keras()
    networks = recorded("transformers").get("networks", {})
    for folder in sorted(found, key=lambda folder: (folder / "model.safetensors").stat().st_size):
        networks[folder.name] = compare(folder)
        print(folder.name, networks[folder.name], file=sys.stderr, flush=True)
    above = [name for name, compared in networks.items() if compared["difference"] > BOUND]
    record("transformers", {"bound": BOUND, "networks": networks, "above": above})
    return 1 if above or not found else 0


if __name__ == "__main__":
    sys.exit(main())
