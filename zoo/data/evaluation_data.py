"""Load other data to evaluate a model on, with their classes numbered as the model numbers them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo import input as inputs
from zoo import task as tasks
from zoo.data import imagenet
from zoo.data.dataset import Examples
from zoo.data.example import UNLABELED, BadExamples, RawDataset
from zoo.data.load import fingerprint, read_source, say_copies, skipped
from zoo.data.names import composed, look_alike, quoted
from zoo.description import Data, Model
from zoo.errors import ZooError, listed
from zoo.task import task_of
from zoo.text import Say, silent

PREFERRED_SPLITS = ("test", "validation", "train")
"""The splits in the order of preference: the first one that the source has is used for evaluation."""


def load_for_evaluation(
    model: Model,
    source: str,
    data_dir: Path | None = None,
    options: Mapping[str, str] | None = None,
    bad_examples: BadExamples = "error",
    say: Say = silent,
) -> tuple[Examples, Data]:
    """Load the examples of a source to evaluate a model on: its test split, else its validation split, else all.

    Names of classes are compared in any Unicode normalization form. Those of ImageNet may also be WordNet identifiers.

    Args:
        model: the description of the model.
        source: `--data`; it and the other arguments are those of `zoo.data.load.load`.
        data_dir: `--data-dir`.
        options: other options of the source.
        bad_examples: `--bad-examples`.
        say: called with one line about everything that is left out.

    Returns:
        The examples, with targets as the model has them, and the description of the data.

    Raises:
        ZooError: there is no such source, its targets belong to another task than the model's, or it has a class or a
            value that the model does not have.
    """
    kind = model.preprocessing.kind
    origin, raw = read_source(source, kind, data_dir, options, bad_examples, say, model)
    if raw.parts and raw.task == model.task:
        raw = with_parts_of(model, raw, source)
    if raw.task != model.task:
        has = "no labels" if raw.task == UNLABELED else tasks.find(raw.task).words
        answers = task_of(model).words
        raise ZooError(f"{source} has {has}, and the model answers with {answers}: name other data")
    given_splits = {example.split for example in raw.examples}
    split = next(name for name in PREFERRED_SPLITS if name in given_splits)
    chosen = [example for example in raw.examples if example.split == split]
    if len(given_splits) > 1:
        say(f"measuring on the {split} split: {len(chosen)} of {len(raw.examples)} {inputs.find(kind).plural}")
    say_copies(chosen, inputs.find(kind).plural, say)
    examples = Examples.of(chosen)
    data = Data(
        source=origin.text(raw.argument),
        data_dir=raw.data_dir,
        fingerprint=fingerprint(raw.labels, [chosen]),
        counts={"test": len(chosen)},
        skipped=skipped(raw),
        license=raw.license or origin.license,
        options=dict(options or {}),
    )
    if not raw.labels or raw.parts:
        return examples, data
    if raw.task == "values" and len(raw.labels) == len(model.labels) == 1:
        # The only value of the data is the model's only value, whatever the name of its column is.
        return examples, data
    indices = _label_indices(raw.labels, model.labels, source)
    if examples.classes is not None:
        return dataclasses.replace(examples, targets=indices[examples.classes]), data
    if len(indices) != len(model.labels):
        raise ZooError(
            f"{source} has {len(indices)} values, the model answers with {len(model.labels)}: name other data"
        )
    return dataclasses.replace(examples, targets=examples.targets[:, np.argsort(indices)]), data


def with_parts_of(model: Model, raw: RawDataset, source: str) -> RawDataset:
    """Return data with several targets in the order of the model's targets, and with the model's numbers of classes.

    Raises:
        ZooError: the data lack a target of the model, have another task for it, or have an unknown class.
    """
    numbers = {part.name: number for number, part in enumerate(raw.parts)}
    lacking = [quoted(part.name) for part in model.parts if part.name not in numbers]
    if lacking:
        raise ZooError(f"{source} lacks targets of the model: {listed(lacking, most=3)}: name them with --target")
    columns: list[tuple[int, np.ndarray | None]] = []
    for part in model.parts:
        raw_part = raw.parts[numbers[part.name]]
        if raw_part.task != part.task:
            raise ZooError(
                f"{source} has {raw_part.task} in {quoted(part.name)}, and the model answers with {part.task}: "
                "name other data"
            )
        label_indices = None if raw_part.labels == part.labels else _label_indices(raw_part.labels, part.labels, source)
        columns.append((numbers[part.name], label_indices))
    examples = [
        dataclasses.replace(
            example,
            target=tuple(
                example.target[number] if label_indices is None else float(label_indices[int(example.target[number])])
                for number, label_indices in columns
            ),
        )
        for example in raw.examples
    ]
    return dataclasses.replace(raw, examples=examples, parts=model.parts, labels=model.labels)


def _label_indices(names: Sequence[str], labels: Sequence[str], source: str) -> np.ndarray:
    """Return the index of each name among the model's labels, int64.

    Raises:
        ZooError: a name is not one of the labels.
    """
    indices, unknown = places(names, labels)
    if unknown:
        raise ZooError(
            f"{len(unknown)} of the {len(names)} labels of {source} are not among the model's "
            f"({listed(unknown, most=3)}): leave them out, or give them the names of the model's labels"
        )
    return indices


def places(names: Sequence[str], labels: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Return the index of each name among a model's labels, int64, and the names that are not labels, quoted."""
    numbers = _numbers(labels)
    unknown = [_with_look_alike(name, numbers) for name in names if composed(name) not in numbers]
    return np.array([numbers.get(composed(name), -1) for name in names], np.int64), unknown


def _numbers(labels: Sequence[str]) -> Mapping[str, int]:
    """Map every name that a class may have, in Unicode's form NFC, to its index among the model's logits."""
    numbers = {composed(label): number for number, label in enumerate(labels)}
    if tuple(labels) == imagenet.labels():
        numbers |= {synset: number for number, synset in enumerate(imagenet.classes())}
    if sorted(label.lower() for label in labels) == ["false", "true"]:
        # Booleans are `true` in Parquet files; Python writes `True` to CSV files, and R `TRUE`.
        forms = (str.lower, str.capitalize, str.upper)
        numbers |= {form(label): number for number, label in enumerate(labels) for form in forms}
    return numbers


def _with_look_alike(name: str, numbers: Mapping[str, int]) -> str:
    """Quote a name that is not a label of the model, with the label that looks like it, if there is one."""
    label = look_alike(name, numbers)
    return f"{quoted(name)} for the model's {quoted(label)}" if label else quoted(name)
