"""Rules that TF Serving's loader and validation impose on a SavedModel, checked without loading it.

Each rule reads one aspect of the folder or of the protobuf and returns figures of what it found. The figures list what
is wrong under `problems`; the rule holds if that list is empty.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import files, saved_model_folder
from zoo.artifact import Gate
from zoo.contract import BATCH
from zoo.errors import ZooError
from zoo.export.batches import forms
from zoo.export.tf_serving import warmup
from zoo.signature import Signature, Tensor

TAG = "serve"
METHOD = "tensorflow/serving/predict"
INIT = "__saved_model_init_op"
"""A signature that TensorFlow adds to every SavedModel; requests cannot use it."""

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
"""Operations that call a function of the graph."""

FORBIDDEN = {
    "calls Python, which no server has": r"(Eager)?PyFunc(Stateless)?",
    "is compiled by XLA, which the server switches off": r"Xla.*",
    "is random": r".*Random.*|Rng.*|.*SeedGenerator|.*Multinomial|.*TruncatedNormal(V2)?|Stateful(Standard|Uniform).*"
    r"|StatelessShuffle|.*CandidateSampler|(Stateless)?SampleDistorted.*|Fractional(Avg|Max)Pool|NonDeterministicInts|Sampling.*|(Global)?Shuffle.*Dataset.*",
    "reads or writes files outside the SavedModel": r"ReadFile|WriteFile|MatchingFiles|WholeFileReader.*",
}
"""Regular expressions for the names of forbidden operations, by what is wrong with them."""

UNSENDABLE = ("half", "bfloat16", "uint16")
"""Types of outputs that the server's REST interface cannot encode."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class ExportedModel:
    """A SavedModel as the rules see it.

    Attributes:
        version: the version folder, BASE/VERSION.
        meta_graph: its tensorflow.MetaGraphDef.
        contract: the signatures that it should have.
        texts: the model's own texts, such as its labels, which are not paths even if they look like one.
    """

    version: Path
    meta_graph: Any
    contract: Mapping[str, Signature]
    texts: Set[str] = frozenset()


def static_gates(base: Path, contract: Mapping[str, Signature], texts: Set[str] = frozenset()) -> list[Gate]:
    """Run every rule on a SavedModel and return a gate for each.

    A bad model raises nothing. If its graph cannot be read, the gate `serving_graph` gives the reason and replaces
    the rules on the graph.

    Args:
        base: the folder of BASE/VERSION/saved_model.pb.
        contract: the signatures that it should have, see `zoo.contract.signatures`.
        texts: the model's own texts, such as its labels.
    """
    gates = [_gate("serving_folder", folder(base))]
    try:
        version = version_folder(base)
        exported = ExportedModel(version, read_meta_graph(version), contract, texts)
    except ZooError as error:
        return [*gates, _gate("serving_graph", {"problems": [str(error)]})]
    return gates + [_gate(name, rule(exported)) for name, rule in RULES.items()]


def version_folder(base: Path) -> Path:
    """Return the version folder below `base`.

    Raises:
        ZooError: there is none, or more than one.
    """
    folders = [path for path in sorted(base.glob("*")) if path.is_dir() and _is_version(path.name)]
    if len(folders) != 1:
        names = ", ".join(path.name for path in folders)
        raise ZooError(f"{base} should hold one folder named by a whole number, it has {names or 'none'}: export again")
    return folders[0]


def read_meta_graph(version: Path) -> Any:
    """Read the tensorflow.MetaGraphDef that TF Serving loads, by its tag.

    Raises:
        ZooError: `saved_model.pb` is missing or damaged, or has not exactly one graph with this tag.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    path = version / saved_model_folder.GRAPH
    try:
        saved = SavedModel.FromString(path.read_bytes())
    except (OSError, DecodeError):
        raise ZooError(f"{path} is missing or damaged: export again") from None
    tags = [sorted(graph.meta_info_def.tags) for graph in saved.meta_graphs]
    if tags != [[TAG]]:
        raise ZooError(f"{path} should have one graph with the tag '{TAG}', it has {tags}: export again")
    return saved.meta_graphs[0]


def folder(base: Path) -> Figures:
    """BASE holds one version folder, with `saved_model.pb` and `variables/`, and nothing else; there are no links."""
    entries = sorted(path.name for path in base.glob("*"))
    problems = []
    try:
        inside = [path.relative_to(base).as_posix() for path in files.files_below(base)]
        version = version_folder(base).name
        problems += [f"{name} is not a version: TF Serving ignores it" for name in entries if name != version]
        within = [name.removeprefix(f"{version}/") for name in inside if name.startswith(f"{version}/")]
        missing = saved_model_folder.missing(within, saved_model_folder.LOADED)
        problems += [f"{version}/{name} is missing" for name in missing]
    except ZooError as error:
        problems.append(str(error))
    return {"versions": entries, "problems": problems}


def signatures(exported: ExportedModel) -> Figures:
    """The signatures are those of the contract: names, types, shapes with the same open dimensions, and method."""
    wanted = {
        name: {
            "inputs": {key: _stated_form(tensor) for key, tensor in sorted(signature.inputs.items())},
            "outputs": {key: _stated_form(tensor) for key, tensor in sorted(signature.outputs.items())},
            "method": METHOD,
        }
        for name, signature in exported.contract.items()
    }
    actual = {
        name: {
            "inputs": {key: _form(tensor) for key, tensor in sorted(signature.inputs.items())},
            "outputs": {key: _form(tensor) for key, tensor in sorted(signature.outputs.items())},
            "method": signature.method_name,
        }
        for name, signature in _signatures(exported)
    }
    problems = [f"no signature '{name}'" for name in wanted if name not in actual]
    problems += [f"signature '{name}' is not in the contract" for name in actual if name not in wanted]
    problems += [
        f"{name}: {part}: {actual[name][part]} should be {wanted[name][part]}"
        for name in wanted.keys() & actual.keys()
        for part in wanted[name]
        if actual[name][part] != wanted[name][part]
    ]
    return {**actual, "problems": sorted(problems)}


def outputs(exported: ExportedModel) -> Figures:
    """REST can encode every output: none has a type of `UNSENDABLE` or is a scalar, and the first dimension is open."""
    problems = []
    for name, signature in _signatures(exported):
        for output, tensor in sorted(signature.outputs.items()):
            form = _form(tensor)
            if form.split()[0] in UNSENDABLE or tensor.tensor_shape.unknown_rank or not tensor.tensor_shape.dim:
                problems.append(f"{name}: output '{output}' is {form}, which REST cannot encode")
            elif tensor.tensor_shape.dim[0].size != -1:
                problems.append(f"{name}: the first dimension of output '{output}' is not open: {form}")
    return {"problems": problems}


def compiled(exported: ExportedModel) -> Figures:
    """No function or call requires XLA: the server loads such a model, and then every request fails."""
    functions = exported.meta_graph.graph_def.library.function
    problems = [f"function '{function.signature.name}'" for function in functions if _must_compile(function)]
    problems += [
        f"{node.op} '{node.name}' in {container}" for container, node in _nodes(exported) if _must_compile(node)
    ]
    return {
        "functions": len(functions),
        "problems": [f"{operation} must be compiled by XLA, which the server switches off" for operation in problems],
    }


def operations(exported: ExportedModel) -> Figures:
    """All operations are TensorFlow's own, and none is `FORBIDDEN`."""
    names = sorted({node.op for _, node in _nodes(exported)})
    wrong = {name: faults(name) for name in names}
    problems = [
        f"{node.op} '{node.name}' in {container} {fault}"
        for container, node in _nodes(exported)
        for fault in wrong[node.op]
    ]
    return {"operations": len(names), "problems": problems}


def faults(operation: str) -> list[str]:
    """Return what is wrong with an operation of this name in a model that is served."""
    import tensorflow as tf

    foreign = [] if hasattr(tf.raw_ops, operation) else ["is no operation of TensorFlow's own"]
    return foreign + [fault for fault, names in FORBIDDEN.items() if re.fullmatch(names, operation)]


def guards(exported: ExportedModel) -> Figures:
    """Only an EnsureShape reads each numeric input, and its shape is open only where the contract has it open.

    The server does not check shapes: an input of a wrong rank may abort it, and one of a wrong size may be answered.
    """
    problems, readers_of_inputs = [], {}
    for name, signature in _signatures(exported):
        stated = exported.contract[name].inputs if name in exported.contract else {}
        for key, tensor in sorted(signature.inputs.items()):
            form = _form(tensor)
            if not form.startswith("string"):
                wanted = form.split(maxsplit=1)[1]
                readers = sorted(set(_readers(exported, tensor.name)))
                readers_of_inputs[f"{name} {key}"] = readers
                as_stated = key not in stated or _dimensions(stated[key].shape) == wanted
                if readers != [f"EnsureShape {wanted}"] or not as_stated:
                    problems.append(
                        f"{name}: '{key}' is read by {readers or 'nothing'}, not by EnsureShape {wanted} alone"
                    )
    return {**readers_of_inputs, "problems": problems}


def self_contained(exported: ExportedModel) -> Figures:
    """No constant is the path of a file on this machine: the model has to answer wherever it is moved."""
    problems, texts = [], {text.encode() for text in exported.texts}
    for container, node in _nodes(exported):
        if node.op == "Const":
            for value in node.attr["value"].tensor.string_val:
                path = value.startswith(b"/") and value.strip(b"/") and value not in texts
                if path and os.path.exists(value):  # noqa: PTH110  (bytes)
                    problems.append(f"Const '{node.name}' in {container} names {os.fsdecode(value)}")
    return {"problems": problems}


def warm_up(exported: ExportedModel) -> Figures:
    """The warm-up file has 1 to 1000 predict requests that fit their signatures, and at least one for each signature.

    With a warm-up, a damaged model does not load. Without one, the server makes it available.
    """
    wanted = {name: signature.inputs for name, signature in exported.contract.items()}
    try:
        requests = warmup.read_warmup(exported.version)
    except ZooError as error:
        return {"problems": [str(error)]}
    problems = []
    for number, (name, inputs) in enumerate(requests, 1):
        if name not in wanted:
            problems.append(f"record {number} asks for the signature '{name}'")
        elif not warmup.fits(inputs, wanted[name]):
            problems.append(f"record {number} does not fit {name}: {forms(inputs)}")
    counts = {name: sum(signature == name for signature, _ in requests) for name in wanted}
    problems += [f"no record asks for '{name}'" for name, count in counts.items() if not count]
    return {"records": len(requests), **counts, "problems": problems}


RULES: dict[str, Callable[[ExportedModel], Figures]] = {
    "serving_signatures": signatures,
    "serving_outputs": outputs,
    "serving_no_xla": compiled,
    "serving_operations": operations,
    "serving_shape_guards": guards,
    "serving_self_contained": self_contained,
    "serving_warm_up": warm_up,
}
"""Rules on the graph and on the warm-up file, by the names of their gates."""


def _gate(name: str, figures: Figures) -> Gate:
    return Gate(name, not figures["problems"], figures)


def _is_version(name: str) -> bool:
    return name == str(saved_model_folder.number(name))


def _signatures(exported: ExportedModel) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in sorted(exported.meta_graph.signature_def.items()) if name != INIT]


def _nodes(exported: ExportedModel) -> Iterator[tuple[str, Any]]:
    """Yield each node, preceded by a description of its container: the graph or a function."""
    graph = exported.meta_graph.graph_def
    for node in graph.node:
        yield "the graph", node
    for function in graph.library.function:
        for node in function.node_def:
            yield f"function '{function.signature.name}'", node


def _must_compile(definition: Any) -> bool:
    return "_XlaMustCompile" in definition.attr and bool(definition.attr["_XlaMustCompile"].b)


def _readers(exported: ExportedModel, tensor: str) -> Iterator[str]:
    """Yield the operations that read a tensor, also in functions that take it; an EnsureShape with its shape."""
    graph = exported.meta_graph.graph_def
    functions = {function.signature.name: function for function in graph.library.function}
    # In the graph `name` and `name:0` are the same tensor; in a function an argument has only its name.
    pending, seen = [(graph.node, tensor.removesuffix(":0"))], set()
    while pending:
        nodes, wanted = pending.pop()
        for node in nodes:
            for position, name in enumerate(node.input):
                if name.removesuffix(":0") != wanted:
                    continue
                if node.op == "EnsureShape":
                    yield f"EnsureShape {_dimensions_of(node.attr['shape'].shape)}"
                elif node.op in CALLS and node.attr["f"].func.name in functions:
                    called = functions[node.attr["f"].func.name]
                    step = (called.signature.name, position)
                    if step not in seen:
                        seen.add(step)
                        pending.append((called.node_def, called.signature.input_arg[position].name))
                else:
                    yield f"{node.op} '{node.name}'"


def _form(tensor: Any) -> str:
    """Format a tensorflow.TensorInfo, such as `uint8 [batch, 28, 28, 1]`."""
    from tensorflow.core.framework.types_pb2 import DataType

    return f"{DataType.Name(tensor.dtype).removeprefix('DT_').lower()} {_dimensions_of(tensor.tensor_shape)}"


def _stated_form(tensor: Tensor) -> str:
    """Format a tensor of the contract as `_form` does, with TensorFlow's names of types."""
    return f"{tensor.dtype.replace('float32', 'float')} {_dimensions(tensor.shape)}"


def _dimensions_of(shape: Any) -> str:
    """Format a tensorflow.TensorShapeProto, such as `[batch, 28, 28, 1]`."""
    if shape.unknown_rank:
        return "[unknown rank]"
    return _dimensions(tuple(None if dimension.size == -1 else dimension.size for dimension in shape.dim))


def _dimensions(shape: tuple[int | str | None, ...]) -> str:
    """Format a shape; TensorFlow does not name open dimensions, so only the first has a name."""
    words = [str(size) if isinstance(size, int) else "?" for size in shape]
    if words and words[0] == "?":
        words[0] = BATCH
    return f"[{', '.join(words)}]"
