"""The lint of an ONNX file: rules on its graph, and the number of nodes of each type before and after fusion."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.export.onnx import skeleton
from zoo.export.onnx.graph_index import GraphIndex
from zoo.export.onnx.passes.padding import PADDING_OPERATORS
from zoo.export.onnx.passes.pooling import reduce_means
from zoo.formats.onnx import write_optimized

STANDARD_DOMAINS = ("", "ai.onnx")
"""The names of the standard ONNX domain. All others are onnxruntime's; `com.microsoft.nchwc` is for one processor."""

MOST_NAMED = 5
"""The most nodes that a message names; it counts the rest."""

IDLE = ("Identity", "Dropout", "Constant", "Shape", "Size", "ConstantOfShape")
"""Operators that inference does not need; `Shape` only where nothing but the batch is open."""

RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")

ALONG_LAST_AXIS = ("LayerNormalization", "Softmax", "MatMul", "Gelu", "Relu", "Erf", "Cast", "Sigmoid", "Tanh")
"""Operators that compute the same on a feature map in NHWC and on the same map as a sequence."""


@dataclass(frozen=True)
class ConversionRecord:
    """The facts about a conversion that the lint compares the file with.

    Attributes:
        nodes: the number of nodes of each type, as tf2onnx wrote them.
        expected_transposes: the Transposes that the network needs.
    """

    nodes: dict[str, int]
    expected_transposes: int


Rule = Callable[[GraphIndex], Iterator[Any]]
"""A function that yields the nodes of a graph that should not be there."""


def report(path: Path, record: ConversionRecord) -> tuple[bool, dict[str, Any]]:
    """Check a float32 file by all rules; return whether it passes, and its figures.

    The figures are the problems if there are any. Otherwise they count nodes by type: `converted` as tf2onnx wrote
    them, `file` in the file, and `fused` after onnxruntime's fusions that do not depend on the processor.
    """
    model = skeleton.load(path)
    fused = fuse(model)
    problems = [*complaints(model, FILE_RULES), *complaints(fused, FUSED_RULES)]
    problems += [*_surplus_transposes(model, record.expected_transposes), *_version_problems(model)]
    if problems:
        return False, {"problems": problems}
    nodes = node_counts(model)
    return True, {
        "converted": record.nodes,
        "file": nodes,
        "fused": node_counts(fused),
        "transposes": nodes.get("Transpose", 0),
        "transposes_asked_for": record.expected_transposes,
        "ir_version": model.ir_version,
    }


def node_counts(model: Any) -> dict[str, int]:
    """Count the nodes of each type, the most frequent first; types of other domains carry the domain's name."""
    names = (
        node.op_type if node.domain in STANDARD_DOMAINS else f"{node.domain}:{node.op_type}"
        for node in model.graph.node
    )
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def fuse(skeleton_model: Any) -> Any:
    """Return a skeleton after onnxruntime's extended optimizations, which are the same on every processor."""
    import onnx

    with tempfile.TemporaryDirectory() as scratch:
        fused = Path(scratch) / "fused.onnx"
        # Prepacking would copy the weights into a layout for this processor.
        write_optimized(skeleton.save(skeleton_model, Path(scratch)), fused, "extended", prepacking=False)
        return onnx.load(fused, load_external_data=False)


def complaints(model: Any, rules: dict[str, Rule]) -> list[str]:
    """Apply rules to a graph and return a line for each rule that finds nodes."""
    index = GraphIndex(model)
    names_by_problem = {problem: [described(node) for node in rule(index)] for problem, rule in rules.items()}
    return [f"{problem}: {enumerated(names)}" for problem, names in names_by_problem.items() if names]


def other_domains(index: GraphIndex) -> Iterator[Any]:
    """Yield nodes of onnxruntime's own domains."""
    return (node for node in index.graph.node if node.domain not in STANDARD_DOMAINS)


def batch_normalization(index: GraphIndex) -> Iterator[Any]:
    """Yield batch normalizations that were not folded into a convolution."""
    return (node for node in index.graph.node if node.op_type == "BatchNormalization")


def idle(index: GraphIndex) -> Iterator[Any]:
    """Yield nodes that compute nothing, or only from constants."""
    for node in index.graph.node:
        constant = node.input and all(name in index.initializers for name in node.input if name)
        open_length = node.op_type == "Shape" and None in index.shapes.get(node.input[0], ())[1:]
        if constant or (node.op_type in IDLE and not open_length):
            yield node


def transpose_pairs(index: GraphIndex) -> Iterator[Any]:
    """Yield Transposes of the output of a Transpose."""
    return (node for node in _of_type(index, "Transpose") if _type(index.producers.get(node.input[0])) == "Transpose")


def reshape_pairs(index: GraphIndex) -> Iterator[Any]:
    """Yield Reshapes of the output of a Reshape, with nothing between them that needs the first one."""
    for node in _of_type(index, *RESHAPES):
        producer = index.producers.get(node.input[0])
        while _type(producer) in ALONG_LAST_AXIS:
            producer = index.producers.get(producer.input[0])  # type: ignore[union-attr]
        if _type(producer) not in RESHAPES:
            continue
        source, result = (index.shapes.get(name) for name in (producer.input[0], node.output[0]))  # type: ignore[union-attr]
        if producer.output[0] == node.input[0] or (source is not None and source == result):  # type: ignore[union-attr]
            yield node


def unfused_layer_normalization(index: GraphIndex) -> Iterator[Any]:
    """Yield means that are subtracted from the values that they average, as in a LayerNormalization.

    Before opset 18 tf2onnx 1.17 writes such a mean as GlobalAveragePool.
    """
    for mean in _of_type(index, "ReduceMean", "GlobalAveragePool"):
        consumers = index.consumers.get(mean.output[0], [])
        if any(consumer.op_type == "Sub" and consumer.input[0] == mean.input[0] for consumer in consumers):
            yield mean


def unfused_global_average(index: GraphIndex) -> Iterator[Any]:
    """Yield means over the height and width of a feature map."""
    for mean, axes, _ in reduce_means(index):
        if axes in ([1, 2], [2, 3]) and len(index.shapes.get(mean.input[0], ())) == 4:
            yield mean


def unfused_gelu(index: GraphIndex) -> Iterator[Any]:
    """Yield error functions: they are left where onnxruntime did not fuse a Gelu."""
    return _of_type(index, "Erf", "Erfc")


def unfused_hard_swish(index: GraphIndex) -> Iterator[Any]:
    """Yield the Clip of x + 3 to 0 and 6, which belongs to a HardSigmoid or HardSwish."""
    for clip in _of_type(index, "Clip"):
        to_six = [index.scalar(name) for name in clip.input[1:]] == [0, 6]
        if to_six and index.other_operand(index.producers.get(clip.input[0]), "Add", 3) is not None:
            yield clip


def padding_before_windows(index: GraphIndex) -> Iterator[Any]:
    """Yield Pads that a convolution or a pool reads and that `zoo.export.onnx.passes.padding` could not fold."""
    for pad in _of_type(index, "Pad"):
        if any(_type(consumer) in PADDING_OPERATORS for consumer in index.consumers.get(pad.output[0], ())):
            yield pad


FILE_RULES: dict[str, Rule] = {
    "nodes of another domain than ONNX's own": other_domains,
    "batch normalizations that are not folded into a convolution": batch_normalization,
    "nodes that compute nothing, or only from constants": idle,
    "Transposes of Transposes": transpose_pairs,
    "Reshapes of Reshapes": reshape_pairs,
    "global averages that are not GlobalAveragePool": unfused_global_average,
    "Pads that are not folded into a convolution or pool": padding_before_windows,
}
"""Rules for the file as it is, by the message for the nodes that they find."""

FUSED_RULES: dict[str, Rule] = {
    "layer normalizations that onnxruntime does not fuse": unfused_layer_normalization,
    "error functions that onnxruntime does not fuse into a Gelu": unfused_gelu,
    "hard swish or hard sigmoid that onnxruntime does not fuse": unfused_hard_swish,
}
"""Rules for the graph after onnxruntime's fusions, by the message for the nodes that they find."""


def described(node: Any) -> str:
    """Describe a node by its type and its name, or its output's name if it has none."""
    return f"{node.op_type} {node.name or node.output[0]}"


def enumerated(names: list[str], most: int = MOST_NAMED) -> str:
    """Enumerate the first names and count the rest."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _surplus_transposes(model: Any, expected: int) -> list[str]:
    transposes = [described(node) for node in model.graph.node if node.op_type == "Transpose"]
    if len(transposes) <= expected:
        return []
    return [
        f"{len(transposes)} Transposes, but the network needs {expected}: {enumerated(transposes, len(transposes))}"
    ]


def _version_problems(model: Any) -> list[str]:
    """Return the reasons why an onnxruntime that supports the operator set would still refuse the file."""
    import onnx

    domains = [imported.domain for imported in model.opset_import if imported.domain not in STANDARD_DOMAINS]
    needed = onnx.helper.find_min_ir_version_for(
        [imported for imported in model.opset_import if imported.domain in STANDARD_DOMAINS]
    )
    problems = [f"operator sets of other domains than ONNX's own: {enumerated(domains)}"] if domains else []
    if model.ir_version != needed:
        problems.append(f"IR version {model.ir_version}, but the operator set needs {needed}")
    return problems


def _of_type(index: GraphIndex, *op_types: str) -> Iterator[Any]:
    return (node for node in index.graph.node if node.op_type in op_types)


def _type(node: Any | None) -> str | None:
    return None if node is None else str(node.op_type)
