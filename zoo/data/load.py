"""Load the dataset that `--data` names, and divide it into training, validation and test examples."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import input as inputs
from zoo.data.dataset import Dataset, Examples
from zoo.data.example import BadExamples, Example, RawDataset, Unreadable, check_bad_examples
from zoo.data.names import look_alike, quoted, shown
from zoo.data.source import Source, checked_options, parse
from zoo.data.splits import split_examples
from zoo.data.targets import bytes_of, is_class, merged
from zoo.errors import ZooError, listed
from zoo.recipe import Split
from zoo.text import Say, is_printable, silent

if TYPE_CHECKING:
    from zoo.description import Model


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Switch the garbage collector off until the block ends.

    It would search the objects of a million examples several times, although none of them is garbage.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@uncollected()
def load(
    source: str,
    kind: str,
    *,
    split: Split,
    data_dir: Path | None = None,
    options: Mapping[str, str] | None = None,
    bad_examples: BadExamples = "error",
    again: bool = False,
    labeled: bool = True,
    say: Say = silent,
) -> Dataset:
    """Load the dataset that `source` names in the form of `--data`, such as `digits` or `folder:PATH`.

    Args:
        source: `SCHEME` or `SCHEME:ARGUMENT`, see `zoo.data.source`.
        kind: the kind of input that its examples should be.
        split: how to draw the splits that the source itself does not have.
        data_dir: the option `--data-dir`, for a source that takes it.
        options: other options of the source by name, such as the column to predict.
        bad_examples: whether examples that cannot be read are an error or are left out.
        again: whether the data of an earlier run are loaded again; their targets are then not checked.
        labeled: whether targets are learned; otherwise examples need none, and theirs are not checked.
        say: called with one line about everything that is left out, and about duplicate examples.

    Raises:
        ZooError: there is no such source, or nothing can be trained on its data.
    """
    checked = labeled and not again
    origin, raw = read_source(source, kind, data_dir, options, bad_examples, say, labeled=checked)
    plural = inputs.find(raw.kind).plural
    if checked:
        refuse_one_class(raw, source)
        refuse_unseen_classes(raw, source)
    say_copies(raw.examples, plural, say)
    parts = split_examples(raw.examples, raw.labels, split, plural, say)
    train, validation, test = map(Examples.of, parts)
    if checked:
        refuse_one_value(train, raw, source)
        say_merged(raw, say)
    return Dataset(
        kind=raw.kind,
        task=raw.task,
        source=origin.text(raw.argument),
        data_dir=raw.data_dir,
        options=dict(options or {}),
        labels=raw.labels,
        train=train,
        validation=validation,
        test=test,
        form=inputs.find(raw.kind).data.form(raw.examples) if raw.form is None else raw.form,
        fingerprint=fingerprint(raw.labels, parts),
        skipped=skipped(raw),
        license=raw.license or origin.license,
        parts=raw.parts,
        loaded={"train": len(train), "validation": len(validation), "test": len(test)},
    )


@uncollected()
def read_source(
    source: str,
    kind: str,
    data_dir: Path | None = None,
    options: Mapping[str, str] | None = None,
    bad_examples: BadExamples = "error",
    say: Say = silent,
    model: Model | None = None,
    labeled: bool = True,
) -> tuple[Source, RawDataset]:
    """Read all examples of a source; the arguments are those of `load`, and the `model` that is measured on them.

    Raises:
        ZooError: there is no such source or value of `bad_examples`; the source has examples of another kind, does not
            take an option, or cannot be read; or examples cannot be read and `bad_examples` is `error`; or no example
            is left, or, if `labeled`, none of a class; or the name of a class cannot be printed.
    """
    check_bad_examples(bad_examples)
    origin, argument = parse(source, kind)
    plural = inputs.find(kind).plural
    if kind not in origin.kinds:
        have = listed(inputs.find(other_kind).plural for other_kind in origin.kinds)
        raise ZooError(f"--data {source} has {have}, and the network takes {plural}: name other data")
    all_options = {"data_dir": data_dir, **(options or {})}
    extra_options: dict[str, Any] = {"model": model} if origin.infers_targets else {}
    extra_options |= {"labeled": labeled} if origin.labels_optional else {}
    raw = origin.read(argument, say, kind, **checked_options(origin, **all_options), **extra_options)
    if raw.unreadable and bad_examples == "error":
        count = len(raw.examples) + len(raw.unreadable)
        raise ZooError(
            f"{len(raw.unreadable)} of {count} {plural} of {origin.text(raw.argument)} cannot be read: "
            f"{listed(skipped(raw), most=3)}: fix or remove them, or go on without them with --bad-examples skip"
        )
    if not raw.examples:
        raise ZooError(f"none of the {plural} of {origin.text(raw.argument)} can be read: {skipped(raw)[0]}")
    unprintable = [label for label in raw.labels if not is_printable(label)]
    if unprintable:
        raise ZooError(f"'{shown(unprintable[0])}' cannot be the name of a class: use printable characters")
    left = {(example.split, label) for example in raw.examples for label in _classes(example, raw)}
    for bad in raw.unreadable if labeled else ():
        gone = [label for label in _classes(bad, raw) if (bad.split, label) not in left]
        if gone:
            raise ZooError(
                f"no {inputs.find(kind).noun} of class '{gone[0][0]}' in the {bad.split} split of "
                f"{origin.text(raw.argument)} can be read: fix them, or remove the class"
            )
    lost = sorted({bad.split for bad in raw.unreadable} - {example.split for example in raw.examples})
    if lost:
        raise ZooError(
            f"no {inputs.find(kind).noun} of the {lost[0]} split of {origin.text(raw.argument)} can be read: "
            "fix them, or remove the split"
        )
    return origin, raw


def _classes(example: Example | Unreadable, raw: RawDataset) -> list[tuple[str, str]]:
    """Return the classes of an example: for each target that is a class, the names of the class and of the target.

    The name of a target is empty if there is one target only.
    """
    if is_class(example.target):
        return [(raw.labels[example.target], "")]
    if not raw.parts or example.target is None:
        return []
    return [
        (part.labels[int(target)], part.name)
        for part, target in zip(raw.parts, example.target, strict=True)
        if part.task == "classes"
    ]


def refuse_one_class(raw: RawDataset, source: str) -> None:
    """Raise ZooError if all examples are of one class, from which nothing can be learned."""
    targets = [(part.task, part.labels, f", in the column '{part.name}'") for part in raw.parts]
    for task, labels, in_column in targets or [(raw.task, raw.labels, "")]:
        if task == "classes" and len(labels) < 2:
            raise ZooError(f"{source} has one class only, '{labels[0]}'{in_column}: at least two classes are needed")


def refuse_unseen_classes(raw: RawDataset, source: str) -> None:
    """Raise ZooError if a class is in another split of the source, but not in its training split.

    Splits that zoo itself draws are not checked here.
    """
    if all(example.split == "train" for example in raw.examples):
        return
    split_classes = {(example.split, label): None for example in raw.examples for label in _classes(example, raw)}
    seen = {label for split, label in split_classes if split == "train"}
    for split, (name, target) in split_classes:
        if (name, target) not in seen:
            of_column = f" of the column {quoted(target)}" if target else ""
            alike = look_alike(name, {other: 0 for other, column in seen if column == target})
            advice = (
                f", which has {quoted(alike)}: write both alike"
                if alike
                else f": add {inputs.find(raw.kind).plural} of it to train, or remove it"
            )
            raise ZooError(
                f"class {quoted(name)}{of_column} of {source} is in its {split} split, but not in train{advice}"
            )


def refuse_one_value(train: Examples, raw: RawDataset, source: str) -> None:
    """Raise ZooError if a value is the same for all training examples in float32, so that nothing can be learned."""
    for column, in_column in _value_columns(raw).items():
        if len(np.unique(train.targets[:, column])) == 1:
            value = float(train.targets[0, column])
            raise ZooError(
                f"{source} has one value only, {value:g} in float32{in_column}: at least two values are needed"
            )


def say_merged(raw: RawDataset, say: Say) -> None:
    """Say how many different values stay different in float32, the type of targets, if they are few."""
    for column, in_column in _value_columns(raw).items():
        counts = merged(np.array([example.target[column] for example in raw.examples], np.float64))
        if counts:
            before, after = counts
            say(
                f"the target has {before:,} different values{in_column}, and {after:,} in float32, in which networks "
                "learn them: subtract a constant, such as the least of them"
            )


def _value_columns(raw: RawDataset) -> dict[int, str]:
    """Return the columns of targets that are values, each with the words that name it if there are several targets."""
    targets = [(part.task, part.name) for part in raw.parts] or [(raw.task, label) for label in raw.labels]
    return {
        column: f" in the column {quoted(name)}" if len(targets) > 1 else ""
        for column, (task, name) in enumerate(targets)
        if task == "values"
    }


def skipped(raw: RawDataset) -> tuple[str, ...]:
    """Return a line for each example that could not be read: its name and the reason."""
    return tuple(f"{bad.name}: {bad.reason}" for bad in raw.unreadable)


def say_copies(examples: Sequence[Example], plural: str, say: Say) -> None:
    """Say how many examples are copies of others, and how many of these have different targets."""
    targets: dict[bytes, Any] = {}
    ambiguous = {
        example.digest for example in examples if targets.setdefault(example.digest, example.target) != example.target
    }
    if len(targets) < len(examples):
        say(f"{len(examples) - len(targets)} of {len(examples)} {plural} are copies of others, byte for byte")
    names = [example.name for example in examples if example.digest in ambiguous]
    if names and is_class(examples[0].target):
        say(f"{len(names)} {plural} are in several classes: {listed(names, most=3)}: remove them from the wrong ones")
    elif names:
        say(f"{len(names)} {plural} have several targets: {listed(names, most=3)}: remove the wrong ones")


def fingerprint(labels: Sequence[str], splits: Sequence[Sequence[Example]]) -> str:
    """Return a SHA-256 over the labels and, split by split, the target and the digest of every example."""
    digest = hashlib.sha256(json.dumps(labels).encode())
    for examples in splits:
        digest.update(len(examples).to_bytes(8, "little"))
        for example in examples:
            digest.update(bytes_of(example.target) + example.digest)
    return digest.hexdigest()
