"""Unused initializers, removed."""

from __future__ import annotations

from typing import Any


def remove_unused_initializers(model: Any) -> None:
    """Remove initializers that no node reads: onnxruntime warns about each of them."""
    used = {name for node in model.graph.node for name in node.input}
    for tensor in [tensor for tensor in model.graph.initializer if tensor.name not in used]:
        model.graph.initializer.remove(tensor)
