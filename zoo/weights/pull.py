"""Other people's trained weights as a finished run: no training, no data, and every later verb works on it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

from zoo import complexity, factory, files, migration, provenance, run, weights_file
from zoo.data import imagenet
from zoo.description import Model, Weights
from zoo.errors import ZooError, did_you_mean
from zoo.registry import resolve
from zoo.tensorflow_setup import wake_keras
from zoo.weights import hub
from zoo.weights.pretrained import CLASSES, Network, Tag
from zoo.weights.sources import check_file, preprocessing, source

LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+() -]{0,99}")
"""What an SPDX identifier or expression is made of."""


def pull(
    name: str,
    *,
    size: str | None = None,
    origin: str = "timm",
    tag: str | None = None,
    classes: int = CLASSES,
    image_size: int | None = None,
    channels: int = 3,
    file: Path | None = None,
    license: str | None = None,
    out: Path | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Write a finished run of published weights and return its folder.

    Args:
        name: a family or an alias.
        size: `small`, `base` or `large`, as for `zoo.create`.
        origin: whose weights they are, a key of `zoo.weights.sources.SOURCES`.
        tag: which of the published weights; the usual ones when neither this nor `file` says.
        classes: how many the weights tell apart; 1000 are ImageNet's.
        image_size: the side of the network's input in pixels, if not the one of the weights.
        channels: of the network's input; the stem is adapted to others than 3.
        file: weights that are there already: then nothing is fetched.
        license: the SPDX identifier of the weights' license; a tag has its own.
        out: the folder to write; `runs/NAME` when not given.
        say: told what has been chosen, and what was adapted.

    Raises:
        ZooError: something that was asked cannot be had, or the weights do not fit the network.
    """
    started = provenance.here(seed=0)
    family, row = resolve(name, size)
    theirs = source(origin)
    network = theirs.network(family.name, row.name)
    if file is None and not theirs.fetched:
        raise ZooError(f"weights from {origin} are not fetched: name a file of them with --file")
    chosen = _tag(network, tag, file, origin)
    expected = chosen.input if chosen else network.input
    side = expected.side if image_size is None else image_size
    factory.check_input(classes, (side, side, channels))
    structure = family.reference_structure(row)
    factory.check_size(family, row, structure, side, side)
    wanted = preprocessing(expected, side, channels)
    terms = _license(chosen, file, license)
    if chosen and file is None and classes != CLASSES:
        raise ZooError(
            f"{network.repository(chosen)} tells {CLASSES} classes apart, not {classes}: leave --classes out, and give "
            "the run a new head with 'zoo train … --weights RUN'"
        )
    label = chosen.name if chosen else (file.name.partition(".")[0] if file else "")
    target = out or files.unused(Path("runs"), f"{family.name}-{row.name}-{label}")
    files.refuse_existing(target)
    if file is not None:
        check_file(file, origin)
        path, revision = file, None
        if chosen is None:
            say(f"images are prepared as for {_whose(network)}: name the --tag if the weights are others'")
    else:
        assert chosen is not None
        say(f"fetching {network.repository(chosen)}, {terms}")
        fetched = hub.fetch(network.repository(chosen))
        path, revision = fetched.path, fetched.revision

    labels = imagenet.labels() if classes == CLASSES else tuple(f"class {number}" for number in range(classes))
    description = Model(family.name, row.name, labels, wanted, parameters=0, multiply_adds=0, structure=structure)
    wake_keras()
    model = factory.build(description)
    description = dataclasses.replace(
        description, parameters=complexity.parameters(model), multiply_adds=complexity.multiply_adds(model)
    )
    reading = theirs.read(path, model, family.name, row.name)
    for remark in (*reading.remarks, *reading.adapted):
        say(remark)
    weights = Weights(
        source=origin,
        repository=network.repository(chosen) if chosen and theirs.fetched else None,
        tag=chosen.name if chosen else None,
        revision=revision,
        file=path.name,
        sha256=files.sha256(path),
        license=terms,
        adapted=reading.adapted,
    )
    with files.staged_folder(target) as staging:
        weights_file.save(staging / run.WEIGHTS, weights_file.weights(model))
        finished = dataclasses.replace(started, finished=provenance.now())
        run.write(staging, run.Run(migration.SCHEMA, description, None, None, finished, weights=weights))
    return target


def _tag(network: Network, name: str | None, file: Path | None, origin: str) -> Tag | None:
    """The published weights that were asked for; None where a file is named without saying which it holds."""
    if name is not None:
        for tag in network.tags:
            if tag.name == name:
                return tag
        known = did_you_mean(name, [tag.name for tag in network.tags]) if network.tags else "none are known"
        raise ZooError(f"no weights of {network.model} are tagged '{name}': {known}")
    if file is not None:
        return None
    if not network.tags:
        raise ZooError(f"no weights of {network.model} can be fetched from {origin}: name a file of them with --file")
    return network.tags[0]


def _license(tag: Tag | None, file: Path | None, given: str | None) -> str:
    if given is not None and not LICENSE.fullmatch(given):
        raise ZooError(f"--license {given!r:.60} is no SPDX identifier: write one, such as Apache-2.0")
    if tag is None and given is None:
        raise ZooError(
            f"nobody says on what terms {file} may be used: name its --license, such as Apache-2.0, or the --tag "
            "that it was published as"
        )
    if tag is not None and given not in (None, tag.license):
        raise ZooError(f"weights tagged {tag.name} are licensed {tag.license}: leave --license out")
    return tag.license if tag else given or ""


def _whose(network: Network) -> str:
    return f"{network.model}.{network.tags[0].name}" if network.tags else f"the reference, {network.model}"
