"""timm's networks and their answers, for the scripts that run where PyTorch and timm are installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import timm
import torch

from benchmarks.peers.table import Peer


def create(peer: Peer, *, classes: int, image_size: int, channels: int = 3) -> torch.nn.Module:
    """Build timm's network with fresh weights, in evaluation mode."""
    # Only a ViT needs the size, because it has one position embedding for each patch.
    sized = {"img_size": image_size} if peer.family == "vit" else {}
    network = timm.create_model(peer.timm, pretrained=False, num_classes=classes, in_chans=channels, **sized)
    return network.eval()


def count_classes(peer: Peer, weights: dict[str, torch.Tensor]) -> int:
    """Count the classes of a network's weights."""
    return len(weights[f"{timm.get_pretrained_cfg(peer.timm).classifier}.bias"])


def random_images(channels: int, image_size: int, seed: int) -> torch.Tensor:
    """Two images of standard normal noise, float32 [2, channels, image_size, image_size]."""
    return torch.randn(2, channels, image_size, image_size, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def logits(network: torch.nn.Module, images: torch.Tensor) -> np.ndarray:
    """The logits [n, classes] of images [n, channels, height, width], in the images' dtype."""
    return network.to(images.dtype)(images).numpy()


def save_answers(path: Path, images: torch.Tensor, answers: np.ndarray) -> None:
    """Write `image` (NHWC, as zoo takes it) and `logits` to an NPZ file."""
    np.savez(path, image=images.permute(0, 2, 3, 1).numpy(), logits=answers)


def link_weights(peer: Peer, weights: Path, folder: Path) -> None:
    """Link the weights of a network into another folder, instead of copying a large file."""
    link = folder / f"{peer.name}.safetensors"
    link.unlink(missing_ok=True)
    link.symlink_to((weights / link.name).resolve())
