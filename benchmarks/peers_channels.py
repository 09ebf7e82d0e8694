"""What timm says of images with other than three channels: its own adaption of the stem, its own logits.

Runs where PyTorch and timm are installed, on what `export_timm.py --weights` wrote. The weights are linked, not copied.

usage: python benchmarks/peers_channels.py MODELS_TSV PEER_FILES OUT CHANNELS FAMILY-SIZE...
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from timm.models import adapt_input_conv

SIDE = 224


def main() -> None:
    """One number of channels."""
    table, peer_files, out, channels = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    rows = [line.split("\t") for line in table.read_text().splitlines() if line and not line.startswith("#")]
    names = {f"{family}-{size}": name for family, size, name, *_ in rows}
    out.mkdir(parents=True, exist_ok=True)
    for key in sys.argv[5:]:
        state = load_file(peer_files / f"{key}.safetensors")
        classes = len(state[timm.get_pretrained_cfg(names[key]).classifier + ".bias"])
        model = timm.create_model(names[key], pretrained=False, in_chans=channels, num_classes=classes).eval()
        stem = model.pretrained_cfg["first_conv"] + ".weight"
        state[stem] = adapt_input_conv(channels, state[stem])
        model.load_state_dict(state)
        image = torch.randn(2, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(channels))
        with torch.no_grad():
            logits = model(image)
        np.savez(out / f"{key}.npz", image=image.permute(0, 2, 3, 1).numpy(), logits=logits.numpy())
        (out / f"{key}.safetensors").unlink(missing_ok=True)
        (out / f"{key}.safetensors").symlink_to((peer_files / f"{key}.safetensors").resolve())


if __name__ == "__main__":
    main()
