"""Reading weights of transformers from a folder into a network: all of them fit, or the network stays as it was.

Only `config.json`, safetensors files and the JSON files of sentence-transformers are read: nothing that can run code.
The tokenizer beside them is read by its input kind.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.registry import matching
from zoo.weights.names import Names, translated
from zoo.weights.pretrained import TransformersModel
from zoo.weights.pytorch_layout import variable_of
from zoo.weights.reading import Reading, unwrapped
from zoo.weights_file import floats, misfit, refuse_unsound, unsound, weights

WEIGHTS, CONFIG, MODULES = "model.safetensors", "config.json", "modules.json"
"""The files of a folder: of transformers the first two, of sentence-transformers all three."""

SHARDS = "model.safetensors.index.json"
"""The file that says where the weights are if they are in several files."""

CARD = "README.md"
"""The model card, whose metadata may state the license."""

LICENSE = re.compile(r"\w[\w.+-]*")

SPDX = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "cc-by-4.0": "CC-BY-4.0"}
"""The identifiers of licenses that model cards write in lower case."""

LARGEST_CARD = 1 << 16
"""The number of characters of a model card that are read."""

LARGEST_JSON = 1 << 22
"""The most bytes of a JSON file that is read; no configuration has as many."""

PART = re.compile(r"(?P<layer>[^[\]]+)\[(?P<number>\d)/(?P<count>\d)\]")
"""A part of a layer in a table of names: `layer[1/3]` is the second third of its outputs."""

POOLINGS = {"mean_tokens": "mean", "cls_token": "first", "cls": "first"}
"""The poolings of sentence-transformers by name, and zoo's names for them."""

LABELED = "logits"
"""The layer that a head of classes becomes."""

TASKS = {"ForSequenceClassification": "classes", "ForCTC": "transcript"}
"""The tasks of heads, by the ends of the names of transformers' architectures."""

WITHOUT_HEADS = ("ForPreTraining", "ForMaskedLM", "LMHeadModel", "ForNextSentencePrediction")
"""The ends of the names of architectures without a head, or with a head for pretraining, which zoo leaves out."""

ONE_CLASS = "single_label_classification"
"""The problem of a head with one right class for each example, as transformers calls it."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder of weights, as `open_checkpoint` found it.

    Attributes:
        folder: the one with `config.json`, the weights and the tokenizer.
        config: the contents of `config.json`.
        pooling: how sentence-transformers makes a text's vector, in zoo's words; None where it is not its folder.
        remarks: what else sentence-transformers does with the vector, which zoo's networks do not do.
    """

    folder: Path
    config: Mapping[str, Any]
    pooling: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def weights(self) -> Path:
        """The file of weights."""
        return self.folder / WEIGHTS

    @property
    def license(self) -> str | None:
        """The license that the model card of the folder states; None where there is none."""
        try:
            with (self.folder / CARD).open(encoding="utf-8") as file:
                card = file.read(LARGEST_CARD)
        except (OSError, ValueError):
            return None
        stated_license = _license_of(card.partition("\n---")[0]) if card.startswith("---") else None
        return SPDX.get(stated_license.lower(), stated_license) if stated_license else None

    @property
    def has_head(self) -> bool:
        """True if the configuration is that of a network with a head of a task that zoo knows."""
        return _task_of_head(self.config) is not None

    @property
    def task(self) -> str:
        """The task of the network."""
        return task_of(self.config)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The labels of the head of classes, in the order of its logits; None where the configuration names none."""
        id2label = self.config.get("id2label")
        if not isinstance(id2label, dict):
            return None
        labels = {str(number): str(label) for number, label in id2label.items()}
        ordered = [labels.get(str(number)) for number in range(len(labels))]
        return tuple(label for label in ordered if label is not None) if None not in ordered else None


@dataclass(frozen=True)
class _Tensor:
    """A tensor of the file, its variable by name, the order of its axes, and the variable's channels that it fills."""

    name: str
    key: str
    axes: tuple[int, ...] | None
    channels: slice
    rows: int | None = None


def _license_of(metadata: str) -> str | None:
    """Return the license that the metadata of a model card state; None if they state no license or several."""
    lines = metadata.splitlines()
    index = next((index for index, line in enumerate(lines) if line.startswith("license:")), None)
    if index is None:
        return None
    value = lines[index].removeprefix("license:").strip()
    items = [value] if value else []
    for line in lines[index + 1 :] if not value else ():
        if not line.lstrip().startswith("- "):
            break
        items.append(line.lstrip().removeprefix("- ").strip())
    names = [item.partition(" #")[0].strip("\"' ") for item in items]
    return names[0] if len(names) == 1 and LICENSE.fullmatch(names[0]) else None


def task_of(config: Mapping[str, Any]) -> str:
    """Return the task of a network of transformers; that of one without a head is `classes`."""
    return _task_of_head(config) or "classes"


def _task_of_head(config: Mapping[str, Any]) -> str | None:
    """Return the task that a network has a head for."""
    architectures = config.get("architectures")
    names = [str(name) for name in architectures] if isinstance(architectures, list) else []
    return next((task for end, task in TASKS.items() for name in names if name.endswith(end)), None)


def refuse_other_heads(checkpoint: Checkpoint) -> None:
    """Raise ZooError for a head that zoo would misread: for tokens, for several right classes, or for values."""
    config, path = checkpoint.config, checkpoint.folder / CONFIG
    architectures = config.get("architectures")
    names = [str(name) for name in architectures] if isinstance(architectures, list) else []
    has_head = any("For" in name or name.endswith("LMHeadModel") for name in names)
    if has_head and not any(name.endswith((*TASKS, *WITHOUT_HEADS)) for name in names):
        raise ZooError(
            f"{path} is of a {names[0]:.60}, whose head zoo does not have: name a folder of a network without a head "
            f"or with one of {' or '.join(TASKS)}"
        )
    if not checkpoint.has_head or checkpoint.task != "classes":
        return
    problem = config.get("problem_type") or ONE_CLASS
    if problem != ONE_CLASS or (checkpoint.labels is not None and len(checkpoint.labels) == 1):
        head = f"a head for {problem!s:.60}" if problem != ONE_CLASS else "a head with one output"
        raise ZooError(f"{path} has {head}: zoo reads heads with one right class for each example ({ONE_CLASS})")


def open_checkpoint(source: Path) -> Checkpoint:
    """Open a folder of transformers or sentence-transformers, or the file of weights in one.

    Raises:
        ZooError: it is no such folder, lacks a file, or is of sentence-transformers with modules that zoo does not
            know.
    """
    folder = source.parent if source.name == WEIGHTS else source
    if not folder.is_dir():
        raise ZooError(f"{source} is not a folder of transformers: name one with {CONFIG} and {WEIGHTS}")
    pooling, remarks = None, tuple[str, ...]()
    if (folder / MODULES).is_file():
        folder, pooling, remarks = _sentence_transformers(folder)
    if not (folder / WEIGHTS).is_file():
        problem = f"its weights are in several files: save them as one {WEIGHTS}"
        raise ZooError(
            f"{folder} {problem}" if (folder / SHARDS).is_file() else f"{folder} has no {WEIGHTS}{_other_files(folder)}"
        )
    return Checkpoint(folder, json_object(folder / CONFIG), pooling, remarks)


def read_transformers(source: Path, model: Any, published: TransformersModel) -> Reading:
    """Give a network the weights of a folder of transformers or sentence-transformers.

    Word embeddings beyond the network's vocabulary, with which some files are filled up, are left out, and so is a
    prefix of wrappers, see `unwrapped`. Layers of `published.fresh` that the file lacks keep their own weights.

    Args:
        source: the folder, or the file of weights in it.
        model: the network.
        published: the record of the network in transformers.

    Raises:
        ZooError: the folder is of another network (the message names the family and size that it fits), the file cannot
            be read, tensors in it are of a type that is not read or not finite, or it does not fit (the message lists
            everything that is missing, left over or of another shape). The network then keeps its weights.
    """
    from safetensors import SafetensorError, safe_open

    checkpoint = open_checkpoint(source)
    _check_config(checkpoint, published)
    path, variables = checkpoint.weights, weights(model)
    try:
        with safe_open(path, framework="numpy") as file:
            stripped = unwrapped(file.keys(), lambda name: _is_known(name, published))
            shapes = {name: tuple(file.get_slice(stripped.prefix + name).get_shape()) for name in stripped.names}
            tensors, unused, fresh = _plan(path, shapes, model, published)

            def stored(tensor: _Tensor) -> np.ndarray:
                return floats(file, stripped.prefix + tensor.name)

            # Every tensor is checked before the first one is assigned.
            refuse_unsound(filter(None, (unsound(tensor.name, stored(tensor)) for tensor in tensors)), str(path))
            by_key = sorted(tensors, key=lambda tensor: tensor.key)
            for key, parts in itertools.groupby(by_key, lambda tensor: tensor.key):
                whole = np.empty(variables[key].shape, np.float32)
                for part in parts:
                    array = stored(part)[: part.rows]
                    whole[..., part.channels] = array if part.axes is None else array.transpose(part.axes)
                variables[key].assign(whole)
    except (SafetensorError, OSError) as error:
        raise ZooError(f"{path} cannot be read as a safetensors file ({error}): fetch it again") from None
    cut_rows = [
        f"{shapes[tensor.name][0] - tensor.rows} rows of {tensor.name} that the vocabulary does not have are left out"
        for tensor in tensors
        if tensor.rows is not None
    ]
    remarks = [*stripped.remarks(path), *checkpoint.remarks]
    remarks += [f"the weights have no layer for {layer}: it starts fresh" for layer in fresh]
    if checkpoint.pooling not in (None, published.pooling):
        remarks.append(
            f"sentence-transformers pools these weights by '{checkpoint.pooling}', not '{published.pooling}'"
        )
    return Reading(tuple(unused), tuple(cut_rows), tuple(remarks))


def _plan(
    path: Path, shapes: dict[str, tuple[int, ...]], model: Any, published: TransformersModel
) -> tuple[list[_Tensor], list[str], list[str]]:
    """Find the variable that each tensor fills, the tensors that fill none, and the layers that stay fresh.

    Raises:
        ZooError: they do not all fit.
    """
    variables, layer_classes = weights(model), {layer.name: type(layer).__name__ for layer in model.layers}
    tensors, unused, left_over, misshapen = list[_Tensor](), [], [], []
    filled: dict[str, int] = dict.fromkeys(variables, 0)
    for name, shape in shapes.items():
        target = _target(name.removeprefix(published.prefix), published.names, layer_classes)
        if target is None:
            unused.append(name)
            continue
        key, axes, number, count = target
        width = variables[key].shape[-1] // count if key in variables else 0
        channels = slice(number * width, (number + 1) * width)
        if key not in variables or any(tensor.key == key and tensor.channels == channels for tensor in tensors):
            left_over.append(name)
            continue
        variable_shape = (*variables[key].shape[:-1], width)
        tensor_shape = shape if axes is None or len(axes) != len(shape) else tuple(shape[axis] for axis in axes)
        longer = (
            key in published.cut
            and len(tensor_shape) == len(variable_shape)
            and tensor_shape[0] > variable_shape[0]
            and tensor_shape[1:] == variable_shape[1:]
        )
        if tensor_shape != variable_shape and not longer:
            misshapen.append(f"{name} is {list(tensor_shape)}, not {list(variable_shape)}")
        filled[key] += width
        tensors.append(_Tensor(name, key, axes, channels, variable_shape[0] if longer else None))
    unread = [key for key, width in filled.items() if width < variables[key].shape[-1]]
    fresh = [
        layer
        for layer in published.fresh
        if not any(width for key, width in filled.items() if key.startswith(f"{layer}/"))
        and any(key.startswith(f"{layer}/") for key in variables)
    ]
    missing = sorted(key for key in unread if key.partition("/")[0] not in fresh)
    wrong = misfit(missing, left_over, misshapen)
    if wrong:
        raise ZooError(f"{path} does not fit {model.name}{_advice(shapes, model, published)} ({wrong})")
    return tensors, unused, fresh


def _target(
    name: str, names: Names, layer_classes: Mapping[str, str]
) -> tuple[str, tuple[int, ...] | None, int, int] | None:
    """Return `layer/variable` for a name, the order of its axes, the part that it fills, and the number of parts.

    It is None for a tensor that is not used, and the name itself where no row fits.
    """
    module, _, last = name.rpartition(".")
    for whole in (name, module):
        try:
            target = translated(whole, names)
        except KeyError:
            continue
        if target is None:
            return None
        part = PART.fullmatch(target)
        if "/" in target and not part:
            return target, None, 0, 1
        layer = part["layer"] if part else target
        variable, axes = variable_of(layer_classes.get(layer, ""), last)
        return f"{layer}/{variable}", axes, int(part["number"]) if part else 0, int(part["count"]) if part else 1
    return name, None, 0, 1


def _is_known(name: str, published: TransformersModel) -> bool:
    """Return whether a network has a variable for a tensor of this name."""
    stripped_name = name.removeprefix(published.prefix)
    target = _target(stripped_name, published.names, {})
    return target is not None and target[0] != stripped_name


def _check_config(checkpoint: Checkpoint, published: TransformersModel) -> None:
    """Raise ZooError where the configuration is that of another network: shapes do not tell the number of heads."""
    wrong = _differences(checkpoint.config, published)
    if not wrong:
        return
    fitting_sizes = [
        f"{family.name} {row.name}"
        for family, row in matching()
        for other in row.weights.values()
        if isinstance(other, TransformersModel) and other.config and not _differences(checkpoint.config, other)
    ]
    advice = f"it fits {' and '.join(fitting_sizes)}" if fitting_sizes else "it fits no network that zoo knows"
    raise ZooError(
        f"{checkpoint.folder / CONFIG} is of another network than {published.model} ({'; '.join(wrong)}): {advice}"
    )


def _differences(config: Mapping[str, Any], published: TransformersModel) -> list[str]:
    """List the values of a configuration that are not those of a published network."""
    return [
        f"{key} is {config.get(key)!r:.40}, not {expected!r}"
        for key, expected in {**published.config, **published.assumed}.items()
        if config.get(key, published.assumed.get(key)) != expected
    ]


def _advice(shapes: Mapping[str, tuple[int, ...]], model: Any, published: TransformersModel) -> str:
    """Say what to do about a head of another kind, or of another number of classes."""
    for name, shape in shapes.items():
        stripped_name = name.removeprefix(published.prefix)
        reason = published.refused.get(stripped_name.rpartition(".")[0])
        if reason:
            return f": {reason}"
        target = _target(stripped_name, published.names, {})
        classes = weights(model)[f"{LABELED}/bias"].shape[0]
        if target and target[0].startswith(f"{LABELED}/") and shape[0] != classes:
            return f": it has {shape[0]} classes, not {classes}: ask for {shape[0]}"
    return ""


def _sentence_transformers(folder: Path) -> tuple[Path, str | None, tuple[str, ...]]:
    """Return the folder of the network, its pooling, and remarks on what happens to the pooled vectors."""
    modules = _json(folder / MODULES)
    rows = modules if isinstance(modules, list) and all(isinstance(row, dict) for row in modules) else []
    types = [str(row.get("type", "")).rpartition(".")[2] for row in rows]
    if types[:2] != ["Transformer", "Pooling"] or types[2:] not in ([], ["Normalize"]):
        module_names = ", ".join(types)[:100] or "none"
        raise ZooError(
            f"{folder / MODULES} has the modules {module_names}: a Transformer, a Pooling and a Normalize are known"
        )
    inner, pool = (_subfolder(folder, str(row.get("path", ""))) for row in rows[:2])
    modes = json_object(pool / CONFIG)
    modes_on = [
        name.removeprefix("pooling_mode_")
        for name, value in modes.items()
        if name.startswith("pooling_mode_") and value is True
    ]
    # sentence-transformers 5.4 writes one name or several in place of a switch for each.
    pooling_mode = modes.get("pooling_mode")
    modes_on += [str(name) for name in (pooling_mode if isinstance(pooling_mode, list) else [pooling_mode]) if name]
    pooling = POOLINGS.get(modes_on[0], modes_on[0]) if len(modes_on) == 1 else "+".join(modes_on) or "nothing"
    remarks = ("sentence-transformers scales the vectors to length 1: zoo does not",) if types[2:] else ()
    return inner, pooling, remarks


def _subfolder(folder: Path, path: str) -> Path:
    """Return the folder at a path that `modules.json` names, if it is inside `folder`."""
    inner = folder / path
    if not inner.resolve().is_relative_to(folder.resolve()):
        raise ZooError(f"{folder / MODULES} leads out of its folder, to {path:.100}: it cannot be read")
    return inner


def json_object(path: Path) -> dict[str, Any]:
    """Read the JSON object of a file that weights come with.

    Raises:
        ZooError: there is no such file, it is larger than any configuration, or it holds no JSON object.
    """
    content = _json(path)
    if not isinstance(content, dict):
        raise ZooError(f"{path} holds no JSON object: fetch it again")
    return content


def _json(path: Path) -> Any:
    if not path.is_file():
        raise ZooError(f"there is no file {path}: fetch it from where the weights are from")
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise ZooError(f"{path} is larger than any configuration: fetch it again")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ZooError(f"{path} is not JSON that can be read ({error!s:.100}): fetch it again") from None


def _other_files(folder: Path) -> str:
    """Say which other files of weights a folder has, and why none is opened."""
    pickles = sorted(path.name for path in folder.glob("*.bin"))[:1]
    return (
        f": {pickles[0]} is a pickle, which can run code; transformers' save_pretrained writes safetensors"
        if pickles
        else ""
    )
