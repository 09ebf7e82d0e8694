"""Export keras.applications to ONNX as its users do, `model.export(format="onnx")`: the second peer.

usage: .venv/bin/python -m benchmarks.peers.export_keras OUT [--only NAME...] [--image-size 224]

OUT/FAMILY-SIZE.keras.onnx takes float32 NHWC. If Keras cannot export a network, or onnxruntime cannot run the file, the
script prints the error and leaves no file. VGG-16 takes more than 24 GB of memory, and VGG-19 even more: on a smaller
machine, name the other networks.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from benchmarks.peers.table import Peer, add_only, peers

OPSET = 18


def main() -> None:
    """Export every network that keras.applications has, too."""
    parser = argparse.ArgumentParser(description="Export keras.applications with random weights to ONNX.")
    parser.add_argument("out", type=Path, help="the folder to write to")
    add_only(parser)
    parser.add_argument("--image-size", type=int, default=224, help="the side of the images in pixels [224]")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for peer in peers(asked.only):
        if peer.keras_applications:
            path = asked.out / f"{peer.name}.keras.onnx"
            print(f"{peer.name}: {peer.keras_applications}, {export(peer, path, asked.image_size)}", flush=True)


def export(peer: Peer, path: Path, image_size: int) -> str:
    """Write one file and print the difference of its answer from Keras' own, or the reason why there is no file."""
    import keras
    import onnxruntime

    shape = (image_size, image_size, 3)
    image = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
    # A peer that fails is a result: print any error, and go on with the others.
    try:
        network = getattr(keras.applications, peer.keras_applications)(weights=None, input_shape=shape)
        expected = network(image, training=False).numpy()  # a network that never answered has no shapes to export
        network.export(path, format="onnx", opset_version=OPSET, verbose=False)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (answer,) = session.run(None, {session.get_inputs()[0].name: image})
        difference = np.abs(answer - expected).max()
    except Exception as error:
        path.unlink(missing_ok=True)
        return f"failed: {(str(error).splitlines() or [type(error).__name__])[0][:160]}"
    return f"largest difference {difference:.2e}"


if __name__ == "__main__":
    main()
