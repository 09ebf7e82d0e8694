"""What an ONNX graph became, and what should not be in it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.export.int8.islands import idle_islands
from zoo.export.onnx import skeleton
from zoo.export.onnx.graph_index import Index
from zoo.export.onnx.pads import TAKERS
from zoo.export.onnx.passes import means

STANDARD = ("", "ai.onnx")
"""The names of ONNX' own domain. All others are onnxruntime's: those of `com.microsoft.nchwc` are of one processor."""

MOST_NAMED = 5
"""Nodes that a complaint names; it counts the rest."""

IDLE = ("Identity", "Dropout", "Constant", "Shape", "Size", "ConstantOfShape")
"""Kinds that an inference on images of one size has no use for."""

RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")

ALONG_THE_LAST = ("LayerNormalization", "Softmax", "MatMul", "Gelu", "Relu", "Erf", "Cast", "Sigmoid", "Tanh")
"""Kinds that do the same to pixels, whether they lie in a map or in a row."""


@dataclass(frozen=True)
class Origin:
    """What a file was made of: nodes by kind as tf2onnx gave them, and the Transposes that the network asks for."""

    nodes: dict[str, int]
    transposes: int


Rule = Callable[[Index], Iterator[Any]]
"""The nodes of a graph that should not be there."""


def report(path: Path, origin: Origin) -> tuple[bool, dict[str, Any]]:
    """Whether a file is free of what should not be there, and what became of the network.

    `converted`, `file` and `fused` are nodes by kind as tf2onnx gave them, in the file, and as onnxruntime fuses them
    on whatever processor.
    """
    model = skeleton.bare(path)
    fused = as_fused(model)
    problems = [*complaints(model, FILE_RULES), *complaints(fused, FUSED_RULES)]
    problems += [*_transposes(model, origin.transposes), *_versions(model)]
    if problems:
        return False, {"problems": problems}
    nodes = kinds(model)
    return True, {
        "converted": origin.nodes,
        "file": nodes,
        "fused": kinds(fused),
        "transposes": nodes.get("Transpose", 0),
        "transposes_asked_for": origin.transposes,
        "ir_version": model.ir_version,
    }


def int8_report(path: Path, kept: Collection[str]) -> tuple[bool, dict[str, Any]]:
    """Whether an int8 file computes nothing on floats between integers, but what the nodes that are `kept` ask for."""
    model = skeleton.bare(path)
    groups = list(idle_islands(Index(model), kept))
    problems = [
        "computed on floats between integers, although no node that is kept asks for it: "
        + _listed([_called(node) for node in group])
        for group in groups[:MOST_NAMED]
    ]
    if len(groups) > MOST_NAMED:
        problems.append(f"and {len(groups) - MOST_NAMED} more such groups")
    return not problems, {"problems": problems} if problems else {"file": kinds(model)}


def kinds(model: Any) -> dict[str, int]:
    """The nodes of a graph by kind, those of other domains than ONNX' own with theirs; the most frequent first."""
    names = (node.op_type if node.domain in STANDARD else f"{node.domain}:{node.op_type}" for node in model.graph.node)
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def as_fused(model: Any) -> Any:
    """A bare model as onnxruntime's extended level makes it, which is the same for every processor."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    # Weights that are turned round for this processor would be copies of them.
    options.add_session_config_entry("session.disable_prepacking", "1")
    with tempfile.TemporaryDirectory() as scratch:
        fused = Path(scratch) / "fused.onnx"
        options.optimized_model_filepath = str(fused)
        onnxruntime.InferenceSession(
            str(skeleton.save(model, Path(scratch))), options, providers=["CPUExecutionProvider"]
        )
        return onnx.load(fused, load_external_data=False)


def complaints(model: Any, rules: dict[str, Rule]) -> list[str]:
    """What each rule finds, in a line that names the nodes."""
    index = Index(model)
    found = {what: [_called(node) for node in rule(index)] for what, rule in rules.items()}
    return [f"{what}: {_listed(names)}" for what, names in found.items() if names]


def foreign(index: Index) -> Iterator[Any]:
    """Nodes of onnxruntime's own domains."""
    return (node for node in index.graph.node if node.domain not in STANDARD)


def batch_normalization(index: Index) -> Iterator[Any]:
    """Batch normalizations that no convolution took in."""
    return (node for node in index.graph.node if node.op_type == "BatchNormalization")


def idle(index: Index) -> Iterator[Any]:
    """Nodes that compute nothing, or what is known beforehand."""
    for node in index.graph.node:
        known = node.input and all(name in index.initializers for name in node.input if name)
        if node.op_type in IDLE or known:
            yield node


def inverse_transposes(index: Index) -> Iterator[Any]:
    """Transposes of what a Transpose gives."""
    return (node for node in _of(index, "Transpose") if _kind(index.makers.get(node.input[0])) == "Transpose")


def reshape_pairs(index: Index) -> Iterator[Any]:
    """Reshapes of what a Reshape gives, with nothing between them that minds."""
    for node in _of(index, *RESHAPES):
        before = index.makers.get(node.input[0])
        while _kind(before) in ALONG_THE_LAST:
            before = index.makers.get(before.input[0])  # type: ignore[union-attr]
        if _kind(before) not in RESHAPES:
            continue
        given, made = (index.shapes.get(name) for name in (before.input[0], node.output[0]))  # type: ignore[union-attr]
        if before.output[0] == node.input[0] or (given is not None and given == made):  # type: ignore[union-attr]
            yield node


def layer_normalization_in_pieces(index: Index) -> Iterator[Any]:
    """Means that are taken from what they are of; before opset 18 tf2onnx 1.17 makes them of GlobalAveragePool."""
    for mean in _of(index, "ReduceMean", "GlobalAveragePool"):
        readers = index.readers.get(mean.output[0], [])
        if any(reader.op_type == "Sub" and reader.input[0] == mean.input[0] for reader in readers):
            yield mean


def global_average_in_pieces(index: Index) -> Iterator[Any]:
    """Means over the height and width of a map."""
    for mean, axes, _ in means(index):
        if axes in ([1, 2], [2, 3]) and len(index.shapes.get(mean.input[0], ())) == 4:
            yield mean


def gelu_in_pieces(index: Index) -> Iterator[Any]:
    """Error functions: onnxruntime knows them as parts of a Gelu, and fuses those that it knows."""
    return _of(index, "Erf", "Erfc")


def hard_swish_in_pieces(index: Index) -> Iterator[Any]:
    """x + 3, cut at 0 and 6, divided by 6: HardSigmoid, and HardSwish when x is multiplied by it."""
    for clip in _of(index, "Clip"):
        cut = [index.number(name) for name in clip.input[1:]] == [0, 6]
        if cut and index.with_number(index.makers.get(clip.input[0]), "Add", 3) is not None:
            yield clip


def pads_before_windows(index: Index) -> Iterator[Any]:
    """Pads of maps that a convolution or a pool reads: `zoo.export.onnx.pads` takes in zeros, where it is exact."""
    for pad in _of(index, "Pad"):
        if any(_kind(reader) in TAKERS for reader in index.readers.get(pad.output[0], ())):
            yield pad


FILE_RULES: dict[str, Rule] = {
    "nodes of another domain than ONNX' own": foreign,
    "batch normalizations that no convolution took in": batch_normalization,
    "nodes that compute nothing, or what is known": idle,
    "Transposes of Transposes": inverse_transposes,
    "Reshapes that a second one takes back": reshape_pairs,
    "global averages that are no GlobalAveragePool": global_average_in_pieces,
    "Pads that no convolution or pool took in": pads_before_windows,
}
"""What should not be in a file."""

FUSED_RULES: dict[str, Rule] = {
    "layer normalizations in pieces that onnxruntime does not fuse": layer_normalization_in_pieces,
    "error functions that onnxruntime does not fuse into a Gelu": gelu_in_pieces,
    "hard swish or hard sigmoid in pieces that onnxruntime does not fuse": hard_swish_in_pieces,
}
"""What should not be left when onnxruntime has fused what it can."""


def _transposes(model: Any, asked_for: int) -> list[str]:
    found = [_called(node) for node in model.graph.node if node.op_type == "Transpose"]
    if len(found) <= asked_for:
        return []
    return [f"{len(found)} Transposes, of which the network asks for {asked_for}: {_listed(found, len(found))}"]


def _versions(model: Any) -> list[str]:
    """What keeps the file from an onnxruntime that knows its operator set."""
    import onnx

    domains = [imported.domain for imported in model.opset_import if imported.domain not in STANDARD]
    needed = onnx.helper.find_min_ir_version_for(
        [imported for imported in model.opset_import if imported.domain in STANDARD]
    )
    problems = [f"operator sets of other domains than ONNX' own: {_listed(domains)}"] if domains else []
    if model.ir_version != needed:
        problems.append(f"IR version {model.ir_version}, where the operator set needs {needed}")
    return problems


def _of(index: Index, *kinds_wanted: str) -> Iterator[Any]:
    return (node for node in index.graph.node if node.op_type in kinds_wanted)


def _kind(node: Any | None) -> str | None:
    return None if node is None else str(node.op_type)


def _called(node: Any) -> str:
    return f"{node.op_type} {node.name or node.output[0]}"


def _listed(names: list[str], most: int = MOST_NAMED) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
