"""Global average pooling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zoo.export.onnx.graph_index import GraphIndex, attributes_of
from zoo.export.onnx.passes.transposes import NCHW_TO_NHWC, NHWC_TO_NCHW


def use_global_average_pool(model: Any) -> None:
    """Replace a ReduceMean over height and width by GlobalAveragePool, which onnxruntime computes in its own layout.

    The pool of an NHWC map is put between two Transposes. Run this before constant folding: folding cancels the first
    Transpose against that of the convolution before the pool. Otherwise a batch normalization in front of the pool
    stays behind a Transpose and is not folded into its convolution.
    """
    import onnx

    index = GraphIndex(model)
    for mean, axes, keeps in list(reduce_means(index)):
        if axes not in ([1, 2], [2, 3]) or len(index.shapes.get(mean.input[0], ())) != 4:
            continue
        source, result, new = mean.input[0], mean.output[0], []
        if axes == [1, 2]:
            new.append(onnx.helper.make_node("Transpose", [source], [f"{result}_before"], perm=NHWC_TO_NCHW))
            source = f"{result}_before"
        pooled = result if keeps and axes == [2, 3] else f"{result}_pooled"
        new.append(onnx.helper.make_node("GlobalAveragePool", [source], [pooled]))
        if not keeps:
            new.append(onnx.helper.make_node("Flatten", [pooled], [result]))
        elif axes == [1, 2]:
            new.append(onnx.helper.make_node("Transpose", [pooled], [result], perm=NCHW_TO_NHWC))
        index.replace([mean], new)


def reduce_means(index: GraphIndex) -> Iterator[tuple[Any, list[int], bool]]:
    """Yield every ReduceMean with constant axes, its axes in ascending order, and whether it keeps them."""
    import onnx

    for node in index.graph.node:
        if node.op_type == "ReduceMean" and len(node.input) == 2 and node.input[1] in index.initializers:
            axes = onnx.numpy_helper.to_array(index.initializers[node.input[1]]).tolist()
            keeps = bool(attributes_of(node).get("keepdims", 1))
            yield node, sorted(axes), keeps
