"""Write transformers' networks: folders of weights, with answers to compare zoo with, and ONNX files.

usage: .peers/bin/python -m benchmarks.peers.export_transformers OUT [--only NAME...] [--folder NAME=FOLDER...] [--onnx]
       [--seed 0]

OUT/FAMILY-SIZE has random weights as transformers saves them, and `answers.npz`: the inputs by the contract's names,
and `expected`, the logits, or the text's vector if the network has no head. For a --folder of real weights, the script
copies the folder and writes the vectors. With --onnx, it also writes OUT/FAMILY-SIZE/script.onnx and dynamo.onnx with
both of PyTorch's exporters and open dimensions.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path


def main() -> None:
    """Write every network that is asked for."""
    parser = argparse.ArgumentParser(description="Write transformers' networks, their answers, and ONNX files.")
    parser.add_argument("out", type=Path, help="the folder to write to")
    parser.add_argument("--only", nargs="*", help="networks as FAMILY-SIZE; all when not given")
    parser.add_argument("--folder", nargs="*", default=[], help="real weights of a network, as FAMILY-SIZE=FOLDER")
    parser.add_argument("--onnx", action="store_true", help="write ONNX files, too")
    parser.add_argument("--seed", type=int, default=0, help="[0]")
    asked = parser.parse_args()

    import torch
    import transformers

    from benchmarks.peers.transformers_files import randomize, write_answers, write_onnx, write_vocabulary
    from benchmarks.peers.transformers_networks import NETWORKS, MeanVector

    torch.manual_seed(asked.seed)
    for name in asked.only or NETWORKS:
        network = NETWORKS[name]
        module = network.create(False).eval()
        randomize(module, asked.seed)
        folder = asked.out / name
        module.saved.save_pretrained(folder)
        write_vocabulary(folder)
        write_answers(module, network.examples(), folder)
        if asked.onnx:
            write_onnx(network.create(True).eval(), network, folder)
        print(f"{name}: {sum(one.numel() for one in module.parameters()):,} parameters", flush=True)
    for given in asked.folder:
        name, _, source = given.partition("=")
        folder = asked.out / f"{name}.real"
        shutil.copytree(source, folder, dirs_exist_ok=True)
        module = MeanVector(transformers.AutoModel.from_pretrained(folder)).eval()
        write_answers(module, NETWORKS[name].examples(), folder)


if __name__ == "__main__":
    main()
