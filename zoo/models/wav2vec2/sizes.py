"""The sizes of Wav2Vec 2.0 (Baevski et al. 2020)."""

from __future__ import annotations

from typing import Any

OPTIONS: dict[str, dict[str, Any]] = {
    # Base with all widths halved: both the convolutions and the transformer then cost a quarter of base's, as ViT's
    # small does. A network that halved the transformer alone would spend most of its time on the convolutions.
    "small": {"channels": 256, "width": 384, "depth": 12, "heads": 6, "norm": "group"},
    "base": {"channels": 512, "width": 768, "depth": 12, "heads": 12, "norm": "group"},
    "large": {"channels": 512, "width": 1024, "depth": 24, "heads": 16, "norm": "layer"},
}
"""The builder's options by size, of which base and large are the paper's, large as it was trained on LV-60k."""
