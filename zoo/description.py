"""The records that runs and artifacts share: model, data, weights and provenance. No framework is imported."""

from __future__ import annotations

import dataclasses
from typing import Any

from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.structure import Structure
from zoo.schema import record


@record
class Model:
    """A network: its family and size, its labels, its preprocessing and its cost.

    `labels` name the classes in the order of the logits. `parameters` counts the trainable ones, `multiply_adds` those
    for one image. `structure` is None in runs that did not record it: the network then has the structure that suits its
    input.
    """

    family: str
    size: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    parameters: int
    multiply_adds: int
    structure: Structure | None = None


@record
class Data:
    """A data set: how to find it again, and what it held.

    `counts` are the numbers of images by split. `fingerprint` is a SHA-256 over labels and images. `overlap` counts the
    validation images that are also in train, byte for byte, and the test images that are also in train or validation;
    None in runs that did not record it.
    """

    source: str
    data_dir: str | None
    fingerprint: str
    counts: dict[str, int]
    skipped: tuple[str, ...]
    license: str
    overlap: dict[str, int] | None = None


@record
class Weights:
    """Published weights: where they come from, and their license.

    `source` is the publisher whose names the file uses, such as `timm`. `repository` and `tag` say what the weights
    were published as, None where that is not known. `revision` is the commit that was fetched, None for a local file.
    `adapted` lists what was changed, such as a first layer for another number of channels.
    """

    source: str
    repository: str | None
    tag: str | None
    revision: str | None
    file: str
    sha256: str
    license: str
    adapted: tuple[str, ...] = ()


@record
class InitialWeights:
    """The weights that a fine-tuned run started from.

    `run` is the name of the run that they come from, `sha256` the hash of its weights file. `license` is None where
    that run states none. `new_head` is true when the layer `logits` started from random weights.
    """

    run: str
    sha256: str
    family: str
    size: str
    license: str | None
    new_head: bool


@record
class Provenance:
    """The command, seed, versions and machine that made a folder or measured a figure, and when.

    `started` and `finished` are in UTC, ISO 8601. `environment` holds the variables of `zoo.provenance.NUMERIC` that
    were set.
    """

    command: str
    seed: int
    versions: dict[str, str]
    machine: dict[str, Any]
    started: str
    finished: str | None = None
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
