"""Wav2Vec 2.0 of transformers with random weights, and its ONNX files from both of PyTorch's exporters."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers

SIZES = {
    "small": {
        "conv_dim": [256] * 7,
        "hidden_size": 384,
        "num_attention_heads": 6,
        "num_hidden_layers": 12,
        "intermediate_size": 1536,
    },
    "base": {},
    "large": {
        "hidden_size": 1024,
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
        "intermediate_size": 4096,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "conv_bias": True,
    },
}
"""The changes that each size makes to transformers' default, which is the paper's base."""

HEADS = {
    "classes": (transformers.Wav2Vec2ForSequenceClassification, {"num_labels": 10}),
    "transcript": (transformers.Wav2Vec2ForCTC, {"vocab_size": 32}),
}

SAMPLES = 16_000


def random_network(size: str, head: str) -> torch.nn.Module:
    """A network whose weights, including norms and biases, are random."""
    torch.manual_seed(0)
    kind, options = HEADS[head]
    config = transformers.Wav2Vec2Config(**SIZES[size], **options, attn_implementation="eager")
    model = kind(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 and "spec" not in name:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


class Logits(torch.nn.Module):
    """A network that returns only its logits."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Return the logits of waveforms."""
        return self.model(waveform).logits


def write_onnx(model: torch.nn.Module, stem: Path, samples: int) -> None:
    """Write the files of both of PyTorch's exporters for waveforms with a given number of samples."""
    # After an export, TorchScript's exporter puts a network back into the mode in which the outermost module was.
    network = Logits(model).eval()
    names = {"input_names": ["waveform"], "output_names": ["logits"]}
    waveform = (torch.zeros(2, samples),)
    axes = {"waveform": {0: "batch"}, "logits": {0: "batch"}}
    torch.onnx.export(
        network, waveform, f"{stem}.torchscript.onnx", dynamo=False, dynamic_axes=axes, opset_version=18, **names
    )
    shapes = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(
        network, waveform, f"{stem}.dynamo.onnx", dynamo=True, dynamic_shapes=shapes, external_data=False, **names
    )
