"""Files like those that timm publishes, with timm's own names and shapes, and weights that give reasonable logits.

`timm_names.json` was generated with timm 1.0.31. A row `….*` stands for the four tensors of a norm.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

NORM = ("weight", "bias", "running_mean", "running_var")
TABLE = json.loads((Path(__file__).parent / "timm_names.json").read_text())
PEERS = {(row["family"], row["size"]): peer for peer, row in TABLE.items()}
"""timm's model by the family and size of zoo's."""


def shapes(peer: str) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a model of timm, by name."""
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in TABLE[peer]["tensors"].items():
        module, star, _ = name.partition("*")
        found.update({f"{module}{last}": tuple(shape) for last in NORM} if star else {name: tuple(shape)})
    return found


def zeros_file(path: Path, named: dict[str, tuple[int, ...]]) -> None:
    """A file of zeros that takes no disk space: a header, and a sparse hole."""
    header, end = {}, 0
    for name, shape in named.items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def published(path: Path, peer: str = "mobilenetv3_small_100", *, classes: int = 1000) -> Path:
    """A safetensors file of the peer, for so many classes."""
    random = np.random.default_rng(0)
    arrays = {}
    for name, shape in shapes(peer).items():
        if name.startswith("classifier."):
            shape = (classes, *shape[1:])
        if len(shape) > 1:
            array = random.normal(size=shape) * math.sqrt(2 / math.prod(shape[1:]))
        elif name.endswith("running_var") or (name.endswith("weight") and "bn" in name):
            array = random.uniform(0.8, 1.2, shape)
        else:
            array = random.normal(size=shape) * 0.1
        arrays[name] = np.asarray(array, np.float32)
    save_file(arrays, path)
    return path
