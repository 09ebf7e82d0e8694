"""What a run and an artifact both say of themselves. Plain data: reading it imports no framework."""

from __future__ import annotations

import dataclasses
from typing import Any

from zoo.preprocess import Preprocessing
from zoo.schema import record
from zoo.structure import Structure


@record
class Model:
    """A network: where it stands in the registry, what goes in, what its outputs mean.

    `labels` name the classes in the order of the logits. `parameters` are the trainable ones; `multiply_adds` are for
    one image. `structure` is None where it was not recorded yet: the network then has the one that suits its input.
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
    """A data set: how to find it again, and what was in it.

    `counts` are images by split; `fingerprint` covers every byte and label. `overlap` counts the images of the splits
    `validation` and `test` whose very bytes are in train too (of `test`: in train or validation); None where nobody
    looked.
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
    """Somebody else's weights: where they come from, and on what terms they may be used.

    `source` says whose names the file has (`timm`). `repository` and `tag` are those that the weights were published
    under, None where nobody said; `revision` is the commit that was fetched, None for a file that was there already.
    `adapted` says what was changed on the way, such as a stem for other channels.
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
    """The weights that training started from.

    The name of the run that they are of, the SHA-256 of its weights file, its family and size, the weights' license
    where the run states one, and whether the logits' layer was made anew.
    """

    run: str
    sha256: str
    family: str
    size: str
    license: str | None
    new_head: bool


@record
class Provenance:
    """What made a folder.

    The command as typed, its seed, the versions it ran with, the machine, and when (UTC, ISO 8601). `environment` has
    the variables that were set and can move a figure, see `zoo.provenance.NUMERIC`.
    """

    command: str
    seed: int
    versions: dict[str, str]
    machine: dict[str, Any]
    started: str
    finished: str | None = None
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
