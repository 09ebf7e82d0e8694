"""Ask timm's networks about images of another size than the one that their weights were made at: its own logits.

Runs where PyTorch and timm are installed, on what `export_timm.py --weights` wrote. The weights are linked, not copied;
a ViT's position embeddings are resampled by timm.

usage: python benchmarks/peers_sizes.py MODELS_TSV PEER_FILES OUT SIDE
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from timm.models.vision_transformer import checkpoint_filter_fn

SMALLEST = {"inception": 75}
"""The side of the smallest image, in pixels, that timm's networks of a family take, where that is more than 64."""


def main() -> None:
    """Every network of a folder, at one size."""
    table, peer_files, out, side = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    rows = [line.split("\t") for line in table.read_text().splitlines() if line and not line.startswith("#")]
    names = {f"{family}-{size}": name for family, size, name, *_ in rows}
    out.mkdir(parents=True, exist_ok=True)
    for weights in sorted(peer_files.glob("*.safetensors")):
        key = weights.stem
        family = key.partition("-")[0]
        if side < SMALLEST.get(family, 0):
            continue
        state = load_file(weights)
        classes = len(state[timm.get_pretrained_cfg(names[key]).classifier + ".bias"])
        sized = {"img_size": side} if family == "vit" else {}
        model = timm.create_model(names[key], pretrained=False, num_classes=classes, **sized).eval()
        model.load_state_dict(checkpoint_filter_fn(state, model) if family == "vit" else state)
        image = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(side))
        with torch.no_grad():
            logits = model(image)
        np.savez(out / f"{key}.npz", image=image.permute(0, 2, 3, 1).numpy(), logits=logits.numpy())
        (out / f"{key}.safetensors").unlink(missing_ok=True)
        (out / f"{key}.safetensors").symlink_to(weights.resolve())


if __name__ == "__main__":
    main()
