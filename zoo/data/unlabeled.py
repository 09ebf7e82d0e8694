"""Examples to train on without their labels: from other data, or those that `label_fraction` leaves out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo.data.dataset import Dataset, Examples
from zoo.data.example import BadExamples
from zoo.data.load import fingerprint, read_source, skipped
from zoo.data.source import parse
from zoo.description import Data
from zoo.errors import ZooError
from zoo.files import expanded
from zoo.stores import is_store
from zoo.text import Say, silent

REST = "rest"
"""The source that stands for the training examples that `label_fraction` leaves out."""


def load_unlabeled(
    source: str,
    dataset: Dataset,
    rest: Examples,
    *,
    data_dir: Path | None,
    options: Mapping[str, str] | None = None,
    bad_examples: BadExamples = "error",
    say: Say = silent,
) -> tuple[Examples, Data]:
    """Return examples without labels, and the description of their data.

    They are the training examples of a source with splits, and all examples of other sources. Examples that equal a
    validation or test example of the dataset byte for byte are left out.

    Args:
        source: the data, in the form of `--data`, or `rest`.
        dataset: the data that are trained on with labels.
        rest: the training examples that `label_fraction` left out of the dataset.
        data_dir: the option `--data-dir`, if the source takes it.
        options: other options of the labeled data, of which a table takes the one that names the column of the files.
        bad_examples: whether examples that cannot be read are an error or are left out.
        say: called with a line about everything that is left out.

    Raises:
        ZooError: no example is left, or the data cannot be read.
    """
    if source == REST:
        if not len(rest):
            raise ZooError("--unlabeled rest: no training example is left out: --set label_fraction to less than 1")
        return rest, Data(REST, None, dataset.fingerprint, {"train": len(rest)}, (), dataset.license)
    parsed_source, argument = parse(source, dataset.kind)
    columns = {
        name: column
        for name, column in (options or {}).items()
        if name == dataset.kind and name in parsed_source.options
    }
    if dataset.kind in parsed_source.options and not columns:
        raise ZooError(
            f"--unlabeled {source} needs --{dataset.kind}, which only --data csv:FILE takes: name the folder of the "
            "files with files:PATH"
        )
    # The labeled data may have been moved alone.
    in_place = all(expanded(path).is_file() for path in argument.split(","))
    source_dir = data_dir if "data_dir" in parsed_source.options and not in_place else None
    origin, raw = read_source(source, dataset.kind, source_dir, columns, bad_examples, say, labeled=False)
    chosen = [example for example in raw.examples if example.split == "train"] or raw.examples
    all_examples = Examples.of(chosen)
    held = np.isin(all_examples.digests, np.union1d(dataset.validation.digests, dataset.test.digests))
    if held.any():
        say(f"left out: {int(held.sum())} unlabeled examples that are also validation or test examples")
    if held.all():
        raise ZooError(f"--unlabeled {source}: all are validation or test examples: name other data")
    examples = all_examples.only(np.flatnonzero(~held))
    data = Data(
        source=origin.text(raw.argument),
        data_dir=raw.data_dir,
        fingerprint=fingerprint(raw.labels, [chosen]),
        counts={"train": len(examples)},
        skipped=skipped(raw),
        license=raw.license or origin.license,
        options=columns,
    )
    return examples, data


def moved_with(data: Data, labeled: str, data_dir: Path | None) -> Data:
    """Return the description of unlabeled data after the labeled data of a run were moved.

    Args:
        data: the description.
        labeled: the source of the labeled data.
        data_dir: the folder that these are in now, None if they were not moved. If both are prepared datasets of one
            folder, it is that of the unlabeled data, too.
    """
    if data_dir is None or data.source == REST:
        return data
    source, _ = parse(data.source)
    together = "data_dir" in source.options and parse(labeled)[0].scheme == source.scheme
    return dataclasses.replace(data, data_dir=str(data_dir)) if together else data


def load_unlabeled_again(data: Data, dataset: Dataset, rest: Examples) -> Examples:
    """Load the examples without labels of an earlier run again.

    Args:
        data: the description of their data.
        dataset: the data with labels, loaded again.
        rest: the training examples that `label_fraction` left out of the dataset.

    Raises:
        ZooError: the data cannot be read, or have changed.
    """
    data_dir = None if data.data_dir is None else Path(data.data_dir)
    if data.source != REST:
        source, argument = parse(data.source)
        if source.argument_is_path and not is_store(argument) and not Path(argument).exists():
            raise ZooError(f"the unlabeled data are not in {argument}: move or link them there again")
    examples, data_now = load_unlabeled(
        data.source, dataset, rest, data_dir=data_dir, options=data.options, bad_examples="skip"
    )
    if data_now.fingerprint != data.fingerprint:
        raise ZooError(f"{data.source} has changed since it was trained on: restore it, or train again")
    return examples


def in_words(source: str) -> str:
    """Return the source of unlabeled data in words."""
    return "the rest of the labeled data" if source == REST else source
