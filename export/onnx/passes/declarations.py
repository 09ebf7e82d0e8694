"""The declarations of a model: the name of its batch dimension, and the operator sets that it imports."""

from __future__ import annotations

from typing import Any

from zoo.contract import BATCH, IMAGE, OUTPUTS


def name_batch_dimension(model: Any) -> None:
    """Give the open dimension of inputs and outputs the contract's name: tf2onnx numbers it differently each time.

    Inferred shapes that use the old name are removed.
    """
    for value in (*model.graph.input, *model.graph.output):
        if value.name in (IMAGE, *OUTPUTS):
            value.type.tensor_type.shape.dim[0].dim_param = BATCH
    del model.graph.value_info[:]


def remove_unused_domains(model: Any) -> None:
    """Import no operator set that no node uses: onnxruntime 1.31 writes every domain that it knows into a file."""
    used = {node.domain for node in model.graph.node} | {""}
    imports = [imported for imported in model.opset_import if imported.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(imports)
