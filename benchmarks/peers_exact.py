"""What timm's networks say in float64: where float32 answers differ, this tells rounding from another network.

Runs where PyTorch and timm are installed, on what `export_timm.py --weights` wrote.

usage: python benchmarks/peers_exact.py MODELS_TSV PEER_FILES      writes PEER_FILES/FAMILY-SIZE.exact.npz
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import load_file


def main() -> None:
    """Every network of a folder."""
    table, peer_files = Path(sys.argv[1]), Path(sys.argv[2])
    rows = [line.split("\t") for line in table.read_text().splitlines() if line and not line.startswith("#")]
    names = {f"{family}-{size}": name for family, size, name, *_ in rows}
    for weights in sorted(peer_files.glob("*.safetensors")):
        key, answers = weights.stem, np.load(weights.with_suffix(".npz"))
        side, classes = answers["image"].shape[1], answers["logits"].shape[1]
        sized = {"img_size": side} if key.startswith("vit") else {}
        model = timm.create_model(names[key], pretrained=False, num_classes=classes, **sized).eval()
        model.load_state_dict(load_file(weights))
        with torch.no_grad():
            logits = model.double()(torch.from_numpy(answers["image"]).permute(0, 3, 1, 2).double())
        np.savez(weights.with_suffix(".exact.npz"), logits=logits.numpy())


if __name__ == "__main__":
    main()
