"""Write random Wav2Vec 2.0 networks of transformers: weights, a waveform, their answers, and PyTorch's ONNX files.

usage: .peers/bin/python -m benchmarks.peers.export_transformers_wav2vec2 FOLDER [--only base-classes,...]
       [--onnx 16000,80000]

Writes FOLDER/SIZE-HEAD.safetensors and .npz (`waveform` float32 [batch, samples], `logits`), and with --onnx
FOLDER/torch/SIZE-HEAD.SAMPLES.torchscript.onnx and .dynamo.onnx, whose batch is open.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np


def main() -> None:
    """Write every network."""
    parser = argparse.ArgumentParser(description="Write random Wav2Vec 2.0 networks of transformers.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", help="networks as SIZE-HEAD, with commas between them; all when not given")
    parser.add_argument("--onnx", default="", help="also write PyTorch's ONNX files, for these numbers of samples")
    asked = parser.parse_args()

    import torch
    from safetensors.torch import save_file

    from benchmarks.peers.wav2vec2_networks import HEADS, SAMPLES, SIZES, random_network, write_onnx

    asked.folder.mkdir(parents=True, exist_ok=True)
    waveform = torch.from_numpy(np.random.default_rng(0).standard_normal((2, SAMPLES)).astype(np.float32))
    every = [f"{size}-{head}" for size in SIZES for head in HEADS]
    for name in asked.only.split(",") if asked.only else every:
        size, _, head = name.partition("-")
        model, stem = random_network(size, head), asked.folder / name
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, f"{stem}.safetensors")
        with torch.no_grad():
            logits = model(waveform).logits.numpy()
        np.savez(stem.with_suffix(".npz"), waveform=waveform.numpy(), logits=logits)
        for samples in map(int, filter(None, asked.onnx.split(","))):
            (asked.folder / "torch").mkdir(exist_ok=True)
            write_onnx(model, asked.folder / "torch" / f"{name}.{samples}", samples)
        print(name, logits.shape, flush=True)


if __name__ == "__main__":
    main()
