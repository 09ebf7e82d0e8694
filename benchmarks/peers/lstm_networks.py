"""LSTMs of texts in PyTorch, with the weights of zoo's networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


class Network(torch.nn.Module):
    """Embeddings, LSTM layers, and a dense layer over the last states.

    Weights have Keras' form, [inputs, 4 · units], with the gates in PyTorch's order: input, forget, cell, output.
    """

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        super().__init__()
        table = torch.from_numpy(weights["embedding/embeddings"])
        self.embedding = torch.nn.Embedding.from_pretrained(table)
        layers = {name.partition("/")[0] for name in weights if name.startswith("lstm")}
        directions = ["forward", "backward"] if "lstm1_backward" in layers else ["forward"]
        units = weights["lstm1_forward/recurrent_kernel"].shape[0]
        self.depth = len(layers) // len(directions)
        self.lstm = torch.nn.LSTM(
            table.shape[1], units, self.depth, batch_first=True, bidirectional=len(directions) == 2
        )
        state = {}
        for layer in range(self.depth):
            for direction, ending in zip(directions, ("", "_reverse"), strict=False):
                name, end = f"lstm{layer + 1}_{direction}", f"l{layer}{ending}"
                state[f"weight_ih_{end}"] = torch.from_numpy(weights[f"{name}/kernel"].T.copy())
                state[f"weight_hh_{end}"] = torch.from_numpy(weights[f"{name}/recurrent_kernel"].T.copy())
                state[f"bias_ih_{end}"] = torch.from_numpy(weights[f"{name}/bias"])
                state[f"bias_hh_{end}"] = torch.zeros(4 * units)
        self.lstm.load_state_dict(state)
        kernel = torch.from_numpy(weights["logits/kernel"])
        self.logits = torch.nn.Linear(*kernel.shape)
        self.logits.load_state_dict({"weight": kernel.T, "bias": torch.from_numpy(weights["logits/bias"])})

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        """Logits [batch, classes]."""
        x = self.embedding(input_ids)
        # PyTorch 2.14 fails to export packed sequences without initial states.
        start = torch.zeros(self.depth * (1 + self.lstm.bidirectional), input_ids.shape[0], self.lstm.hidden_size)
        x = torch.nn.utils.rnn.pack_padded_sequence(x, attention_mask.sum(1), batch_first=True)
        _, (states, _) = self.lstm(x, (start, start))
        last = states[-(2 if self.lstm.bidirectional else 1) :]
        return self.logits(torch.cat(list(last), 1) if self.lstm.bidirectional else last[0])
