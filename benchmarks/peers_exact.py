"""What timm's network says in float64: where float32 answers differ, this tells rounding from another network.

Runs where PyTorch and timm are installed, on FAMILY-SIZE.safetensors and FAMILY-SIZE.npz as `peers.py` reads them.

usage: python benchmarks/peers_exact.py MODELS_TSV FAMILY-SIZE.safetensors      writes FAMILY-SIZE.exact.npz beside it
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from timm.models.vision_transformer import checkpoint_filter_fn


def main() -> None:
    """One network, built for the images and classes of its answers."""
    table, weights = map(Path, sys.argv[1:])
    rows = [line.split("\t") for line in table.read_text().splitlines() if line and not line.startswith("#")]
    names = {f"{family}-{size}": name for family, size, name, *_ in rows}
    answers = np.load(weights.with_suffix(".npz"))
    side, channels = answers["image"].shape[2:]
    is_vit = weights.stem.startswith("vit")
    sized = {"img_size": side} if is_vit else {}
    model = timm.create_model(
        names[weights.stem], pretrained=False, in_chans=channels, num_classes=answers["logits"].shape[1], **sized
    ).eval()
    state = load_file(weights)
    stem = model.pretrained_cfg["first_conv"] + ".weight"
    state[stem] = adapt_input_conv(channels, state[stem])
    model.load_state_dict(checkpoint_filter_fn(state, model) if is_vit else state)
    with torch.no_grad():
        logits = model.double()(torch.from_numpy(answers["image"]).permute(0, 3, 1, 2).double())
    np.savez(weights.with_suffix(".exact.npz"), logits=logits.numpy())


if __name__ == "__main__":
    main()
