"""What TF Serving asks of a SavedModel: rules on the folder and on the protobuf. The model is not loaded.

A rule looks at one thing and returns figures that name what it found; what is wrong stands under `problems`, and the
rule holds when there are none.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import contract, files
from zoo.artifact import Gate
from zoo.errors import ZooError
from zoo.export.tf_serving import warmup

TAG = "serve"
METHOD = "tensorflow/serving/predict"
INIT = "__saved_model_init_op"
"""A signature that TensorFlow itself adds; no request can name it."""

FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data-*")
"""What a version folder must hold. Without `variables/` the server calls it available, and then fails every request."""

CALLS = ("PartitionedCall", "StatefulPartitionedCall")

FORBIDDEN = {
    "calls Python, which no server has": r"(Eager)?PyFunc(Stateless)?",
    "is compiled by XLA, which the server switches off": r"Xla.*",
    "is random": r".*Random.*|Rng.*|.*SeedGenerator|.*Multinomial|.*TruncatedNormal(V2)?|Stateful(Standard|Uniform).*"
    r"|StatelessShuffle|.*CandidateSampler|(Stateless)?SampleDistorted.*|Fractional(Avg|Max)Pool|NonDeterministicInts|Sampling.*|(Global)?Shuffle.*Dataset.*",
    "reads or writes files outside the SavedModel": r"ReadFile|WriteFile|MatchingFiles|WholeFileReader.*",
}
"""Operations, as full matches of their names, by what is wrong with them."""

UNSENDABLE = ("half", "bfloat16", "uint16")
"""Types of outputs that the server's REST answers cannot carry."""

LARGEST_VERSION = 2**63 - 1

Figures = dict[str, Any]


@dataclass(frozen=True)
class Exported:
    """A SavedModel as the rules see it: `meta_graph` is a tensorflow.MetaGraphDef, `shape` height, width, channels."""

    version: Path
    meta_graph: Any
    classes: int
    shape: tuple[int, int, int]


def static_gates(base: Path, *, classes: int, shape: tuple[int, int, int]) -> list[Gate]:
    """A gate for each rule, for the SavedModel below `base` (`BASE/VERSION/saved_model.pb`).

    `shape` is height, width, channels. Nothing is raised for a bad model; without a readable graph the rules on it are
    left out and the gate `serving_graph` says why.
    """
    gates = [_gate("serving_folder", folder(base))]
    try:
        version = version_folder(base)
        exported = Exported(version, read_meta_graph(version), classes, shape)
    except ZooError as error:
        return [*gates, _gate("serving_graph", {"problems": [str(error)]})]
    return gates + [_gate(name, rule(exported)) for name, rule in RULES.items()]


def version_folder(base: Path) -> Path:
    """The one version folder below `base`.

    Raises:
        ZooError: there is none, or there are several.
    """
    found = [path for path in sorted(base.glob("*")) if path.is_dir() and _is_version(path.name)]
    if len(found) != 1:
        names = ", ".join(path.name for path in found)
        raise ZooError(f"{base} should hold one folder named by a whole number, it has {names or 'none'}: export again")
    return found[0]


def read_meta_graph(version: Path) -> Any:
    """The tensorflow.MetaGraphDef with the tag that TF Serving loads.

    Raises:
        ZooError: `saved_model.pb` is missing or damaged, or has no such graph.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    path = version / "saved_model.pb"
    try:
        saved = SavedModel.FromString(path.read_bytes())
    except (OSError, DecodeError):
        raise ZooError(f"{path} is missing or damaged: export again") from None
    tags = [sorted(graph.meta_info_def.tags) for graph in saved.meta_graphs]
    if tags != [[TAG]]:
        raise ZooError(f"{path} should have one graph with the tag '{TAG}', it has {tags}: export again")
    return saved.meta_graphs[0]


def folder(base: Path) -> Figures:
    """`BASE/<integer>/` with `saved_model.pb` and `variables/`, and nothing else in BASE, no links anywhere."""
    entries = sorted(path.name for path in base.glob("*"))
    problems = []
    try:
        inside = [path.relative_to(base).as_posix() for path in files.files_below(base)]
        version = version_folder(base).name
        problems += [f"{name} is no version: TF Serving ignores it" for name in entries if name != version]
        problems += [
            f"{version}/{name} is missing" for name in FILES if not fnmatch.filter(inside, f"{version}/{name}")
        ]
    except ZooError as error:
        problems.append(str(error))
    return {"versions": entries, "problems": problems}


def signatures(exported: Exported) -> Figures:
    """The contract's signatures and no other: names, types, shapes (the batch open, the rest known) and method."""
    top = _dimensions((None, min(contract.TOP, exported.classes)))
    forms = {
        contract.IMAGE: f"uint8 {_dimensions((None, *exported.shape))}",
        contract.IMAGE_BYTES: f"string {_dimensions((None,))}",
        contract.EXAMPLES: f"string {_dimensions((None,))}",
        **{name: f"float {_dimensions((None, exported.classes))}" for name in contract.OUTPUTS},
        contract.CLASSES: f"string {top}",
        contract.SCORES: f"float {top}",
        contract.STATUS: f"string {_dimensions((None,))}",
    }
    wanted = {
        name: {
            "inputs": {input_name: forms[input_name]},
            "outputs": {output: forms[output] for output in sorted(outputs)},
            "method": METHOD,
        }
        for name, (input_name, outputs) in contract.SIGNATURES.items()
    }
    found = {
        name: {
            "inputs": {key: _form(tensor) for key, tensor in sorted(signature.inputs.items())},
            "outputs": {key: _form(tensor) for key, tensor in sorted(signature.outputs.items())},
            "method": signature.method_name,
        }
        for name, signature in _signatures(exported)
    }
    problems = [f"no signature '{name}'" for name in wanted if name not in found]
    problems += [f"signature '{name}' is not in the contract" for name in found if name not in wanted]
    problems += [
        f"{name}: {part}: {found[name][part]} should be {wanted[name][part]}"
        for name in wanted.keys() & found.keys()
        for part in wanted[name]
        if found[name][part] != wanted[name][part]
    ]
    return {**found, "problems": sorted(problems)}


def outputs(exported: Exported) -> Figures:
    """Outputs that REST can carry: of no type in UNSENDABLE, no scalars, the first dimension open."""
    problems = []
    for name, signature in _signatures(exported):
        for output, tensor in sorted(signature.outputs.items()):
            form = _form(tensor)
            if form.split()[0] in UNSENDABLE or tensor.tensor_shape.unknown_rank or not tensor.tensor_shape.dim:
                problems.append(f"{name}: output '{output}' is {form}, which REST cannot carry")
            elif tensor.tensor_shape.dim[0].size != -1:
                problems.append(f"{name}: the first dimension of output '{output}' is not open: {form}")
    return {"problems": problems}


def compiled(exported: Exported) -> Figures:
    """No function or call that must be compiled by XLA. The server loads such a model, and then fails every request."""
    functions = exported.meta_graph.graph_def.library.function
    problems = [f"function '{function.signature.name}'" for function in functions if _must_compile(function)]
    problems += [f"{node.op} '{node.name}' in {where}" for where, node in _nodes(exported) if _must_compile(node)]
    return {
        "functions": len(functions),
        "problems": [f"{what} must be compiled by XLA, which the server switches off" for what in problems],
    }


def operations(exported: Exported) -> Figures:
    """Only TensorFlow's own operations, none of them forbidden."""
    names = sorted({node.op for _, node in _nodes(exported)})
    wrong = {name: faults(name) for name in names}
    problems = [
        f"{node.op} '{node.name}' in {where} {fault}" for where, node in _nodes(exported) for fault in wrong[node.op]
    ]
    return {"operations": len(names), "problems": problems}


def faults(operation: str) -> list[str]:
    """What is wrong with an operation of this name in a model that is served."""
    import tensorflow as tf

    foreign = [] if hasattr(tf.raw_ops, operation) else ["is no operation of TensorFlow's own"]
    return foreign + [fault for fault, names in FORBIDDEN.items() if re.fullmatch(names, operation)]


def guards(exported: Exported) -> Figures:
    """Every numeric input is read by EnsureShape alone, with all but the batch known.

    The server checks no shapes: an image of a wrong rank may abort it, one of a wrong size may be answered.
    """
    problems, found = [], {}
    for name, signature in _signatures(exported):
        for key, tensor in sorted(signature.inputs.items()):
            form = _form(tensor)
            if not form.startswith("string"):
                wanted = form.split(maxsplit=1)[1]
                readers = sorted(set(_readers(exported, tensor.name)))
                found[f"{name} {key}"] = readers
                if readers != [f"EnsureShape {wanted}"] or "?" in wanted or "unknown" in wanted:
                    problems.append(
                        f"{name}: '{key}' is read by {readers or 'nothing'}, not by EnsureShape {wanted} alone"
                    )
    return {**found, "problems": problems}


def self_contained(exported: Exported) -> Figures:
    """No constant names a file of this machine: the model must answer wherever it is moved."""
    problems = []
    for where, node in _nodes(exported):
        if node.op == "Const":
            for value in node.attr["value"].tensor.string_val:
                if value.startswith(b"/") and value.strip(b"/") and os.path.exists(value):  # noqa: PTH110  (bytes)
                    problems.append(f"Const '{node.name}' in {where} names {os.fsdecode(value)}")
    return {"problems": problems}


def warm_up(exported: Exported) -> Figures:
    """A warm-up file of 1 to 1000 predict requests over all signatures, each of which fits.

    With it a damaged model fails to load; without it, the server calls it available.
    """
    wanted: dict[str, tuple[str, str, tuple[int, ...]]] = {
        name: (input_name, *(("uint8", exported.shape) if input_name == contract.IMAGE else ("object", ())))
        for name, (input_name, _) in contract.SIGNATURES.items()
    }
    try:
        requests = warmup.read_warmup(exported.version)
    except ZooError as error:
        return {"problems": [str(error)]}
    problems = []
    for number, (name, inputs) in enumerate(requests, 1):
        forms = {key: f"{value.dtype} {list(value.shape)}" for key, value in inputs.items()}
        if name not in wanted:
            problems.append(f"record {number} asks for the signature '{name}'")
            continue
        key, dtype, shape = wanted[name]
        fits = list(inputs) == [key] and inputs[key].dtype == dtype and inputs[key].ndim > 0
        if not fits or inputs[key].shape[1:] != shape or not len(inputs[key]):
            problems.append(f"record {number} does not fit {name}: {forms}")
    counts = {name: sum(asked == name for asked, _ in requests) for name in wanted}
    problems += [f"no record asks for '{name}'" for name, count in counts.items() if not count]
    return {"records": len(requests), **counts, "problems": problems}


RULES: dict[str, Callable[[Exported], Figures]] = {
    "serving_signatures": signatures,
    "serving_outputs": outputs,
    "serving_no_xla": compiled,
    "serving_operations": operations,
    "serving_shape_guards": guards,
    "serving_self_contained": self_contained,
    "serving_warm_up": warm_up,
}
"""The rules on the graph and on the warm-up file, by the names of their gates."""


def _gate(name: str, figures: Figures) -> Gate:
    return Gate(name, not figures["problems"], figures)


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdigit() and name == str(int(name)) and int(name) <= LARGEST_VERSION


def _signatures(exported: Exported) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in sorted(exported.meta_graph.signature_def.items()) if name != INIT]


def _nodes(exported: Exported) -> Iterator[tuple[str, Any]]:
    """Every node, with the name of what it is in."""
    graph = exported.meta_graph.graph_def
    for node in graph.node:
        yield "the graph", node
    for function in graph.library.function:
        for node in function.node_def:
            yield f"function '{function.signature.name}'", node


def _must_compile(definition: Any) -> bool:
    return "_XlaMustCompile" in definition.attr and bool(definition.attr["_XlaMustCompile"].b)


def _readers(exported: Exported, tensor: str) -> Iterator[str]:
    """What reads a tensor of the graph, also in the functions that it is handed to; EnsureShape with its shape."""
    graph = exported.meta_graph.graph_def
    functions = {function.signature.name: function for function in graph.library.function}
    # In the graph `name` and `name:0` are the same tensor; in a function an argument is known by its bare name.
    pending, seen = [(graph.node, tensor.removesuffix(":0"))], set()
    while pending:
        nodes, wanted = pending.pop()
        for node in nodes:
            for place, name in enumerate(node.input):
                if name.removesuffix(":0") != wanted:
                    continue
                if node.op == "EnsureShape":
                    yield f"EnsureShape {_dimensions_of(node.attr['shape'].shape)}"
                elif node.op in CALLS and node.attr["f"].func.name in functions:
                    called = functions[node.attr["f"].func.name]
                    step = (called.signature.name, place)
                    if step not in seen:
                        seen.add(step)
                        pending.append((called.node_def, called.signature.input_arg[place].name))
                else:
                    yield f"{node.op} '{node.name}'"


def _form(tensor: Any) -> str:
    """A tensorflow.TensorInfo in words, such as `uint8 [batch, 28, 28, 1]`."""
    from tensorflow.core.framework.types_pb2 import DataType

    return f"{DataType.Name(tensor.dtype).removeprefix('DT_').lower()} {_dimensions_of(tensor.tensor_shape)}"


def _dimensions_of(shape: Any) -> str:
    """A tensorflow.TensorShapeProto in words."""
    if shape.unknown_rank:
        return "[unknown rank]"
    return _dimensions(tuple(None if dimension.size == -1 else dimension.size for dimension in shape.dim))


def _dimensions(shape: tuple[int | None, ...]) -> str:
    words = ["?" if size is None else str(size) for size in shape]
    if words and words[0] == "?":
        words[0] = contract.BATCH
    return f"[{', '.join(words)}]"
