"""The declarations of a model: inferred shapes, and the operator sets that it imports."""

from __future__ import annotations

from typing import Any


def remove_inferred_shapes(model: Any) -> None:
    """Remove the shapes that onnxruntime inferred: they name the open dimensions differently each time.

    None are declared instead. Where onnxruntime 1.32 knows that two summands of open length have the same shape, it
    fuses their sum with the LayerNormalization that reads it into SkipLayerNormalization, which is slower on CPUs:
    BERT small then takes 1.06 to 1.12 times as long.
    """
    del model.graph.value_info[:]


def remove_unused_domains(model: Any) -> None:
    """Import no operator set that no node uses: onnxruntime 1.31 writes every domain that it knows into a file."""
    used = {node.domain for node in model.graph.node} | {""}
    imports = [imported for imported in model.opset_import if imported.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(imports)
