"""Files such as timm publishes: its names and shapes (`timm_names.json`), and weights that give sane logits."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tests.weights.test_timm_reader import shapes


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
