"""transformers' networks with random weights, as `export_transformers` writes them: one row each.

To add a family, add its rows to `NETWORKS`, with a function that builds its networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers

CLASSES = 3

TOKENS = 30_522
"""The vocabulary size of uncased BERT."""


class Logits(torch.nn.Module):
    """A network of transformers that returns its logits alone."""

    def __init__(self, saved: Any) -> None:
        super().__init__()
        self.saved = saved

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return logits [batch, classes]."""
        return self.saved(*inputs).logits


class MeanVector(torch.nn.Module):
    """A network of transformers with mean pooling, as in sentence-transformers, and optionally a dense layer."""

    def __init__(self, saved: Any, classes: int | None = None) -> None:
        super().__init__()
        self.saved = saved
        self.head = torch.nn.Linear(saved.config.hidden_size, classes) if classes else torch.nn.Identity()

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return a vector for each text, or its logits, of ids and masks."""
        ids, mask = inputs
        x, shares = self.saved(ids, mask).last_hidden_state, mask.unsqueeze(-1).float()
        return self.head((x * shares).sum(1) / torch.clamp(shares.sum(1), min=1e-9))


@dataclass(frozen=True)
class Network:
    """A network: its constructor, with a head or with the vector that a head would read; examples; open dimensions.

    `create(logits)` returns the module, whose attribute `saved` is the model that transformers saves. `examples`
    returns the inputs of the module by the contract's names. `dimensions` are the names of their open axes.
    """

    create: Callable[[bool], Any]
    examples: Callable[[], dict[str, torch.Tensor]]
    dimensions: dict[int, str]


def _bert(width: int, depth: int, heads: int, *, mean: bool = False) -> Network:
    def create(logits: bool) -> Any:
        config = transformers.BertConfig(
            vocab_size=TOKENS,
            hidden_size=width,
            num_hidden_layers=depth,
            num_attention_heads=heads,
            intermediate_size=4 * width,
            num_labels=CLASSES,
        )
        if mean:
            return MeanVector(transformers.BertModel(config, add_pooling_layer=False), CLASSES if logits else None)
        return Logits(transformers.BertForSequenceClassification(config))

    return Network(create, _texts, {0: "batch", 1: "length"})


def _texts() -> dict[str, torch.Tensor]:
    """Two texts of 19 and 7 random tokens, the second one with padding."""
    ids = torch.randint(1000, TOKENS, (2, 19))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    return {"input_ids": ids, "attention_mask": mask}


NETWORKS = {
    "bert-small": _bert(384, 6, 12, mean=True),
    "bert-mini": _bert(512, 4, 8),
    "bert-base": _bert(768, 12, 12),
    "bert-large": _bert(1024, 24, 16),
}
