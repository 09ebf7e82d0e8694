"""Training steps of timm's networks in PyTorch, for `benchmarks.training_speed`, see `benchmarks.peers.turns`.

usage: .peers/bin/python -m benchmarks.peers.training_steps NAME PRECISION [--batch 32] [--gpu]
       [--settings eager compiled]

The network is channels-last and the optimizer fused. If several settings are given, a few steps of each are timed
before the first turn, and the fastest setting is used. `compiled` (torch.compile) needs a C++ compiler and minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable
from typing import Any

from benchmarks.peers.turns import BATCH, CLASSES, SIDE, random_batch, take_turns

TRIED = 4
"""The steps by which settings are compared."""

DROP_PATH_RATES = {"vit-small": 0.1, "convnext-small": 0.4}
"""The same values as in zoo's networks."""


def main() -> None:
    """Take turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="family and size, such as resnet-small")
    parser.add_argument("precision", choices=["float32", "bfloat16"])
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--settings", nargs="*", default=["eager"])
    asked = parser.parse_args()
    device = "cuda" if asked.gpu else "cpu"
    ready = {}
    for setting in asked.settings:
        steps = contender(asked.name, asked.precision, asked.batch, device, compiled=setting == "compiled")
        # RuntimeError: there is no compiler, or it fails.
        with contextlib.suppress(RuntimeError):
            steps(2)
            ready[setting] = steps
    timed = []
    for setting, steps in ready.items():
        start = time.perf_counter()
        steps(TRIED)
        timed.append((time.perf_counter() - start, setting, steps))
    _, setting, steps = min(timed, key=lambda one: one[0])
    seconds = ", ".join(f"{name} {taken / TRIED:.3f} s" for taken, name, _ in timed)
    take_turns((f"{setting} ({seconds} a step)", steps))


def contender(name: str, precision: str, batch: int, device: str, compiled: bool) -> Callable[[int], None]:
    """Return a function that runs a given number of training steps of a network."""
    import torch

    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")  # TensorFloat-32 on GPUs, as TensorFlow does; nothing on CPUs
    network = create(name).to(device=device, memory_format=torch.channels_last).train()
    # Weight decay in PyTorch's SGD goes through the momentum, which takes the same time.
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-3, fused=True
    )
    images, labels = (torch.from_numpy(one).to(device) for one in random_batch(batch))
    images = images.permute(0, 3, 1, 2)  # channels-last in memory, as it was
    assert images.is_contiguous(memory_format=torch.channels_last)

    def loss_of() -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = network(images)
        return torch.nn.functional.cross_entropy(logits.float(), labels)

    forward = torch.compile(loss_of) if compiled else loss_of

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad(set_to_none=True)
            loss = forward()
            loss.backward()
            optimizer.step()
        assert loss.isfinite()

    return steps


def create(name: str) -> Any:
    """Return timm's network by zoo's name, or a plain CNN, which timm does not have."""
    import timm
    import torch

    from benchmarks.peers.table import peers

    if name == "cnn-base":
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, 32, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(32, 64, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(64 * (SIDE // 4) ** 2, 128),
            torch.nn.ReLU(),
            torch.nn.Linear(128, CLASSES),
        )
    peer = next(one for one in peers() if one.name == name)
    sized: dict[str, Any] = {"img_size": SIDE} if peer.family == "vit" else {}
    sized |= {"drop_path_rate": DROP_PATH_RATES[name]} if name in DROP_PATH_RATES else {}
    return timm.create_model(peer.timm, pretrained=False, num_classes=CLASSES, **sized)


if __name__ == "__main__":
    main()
