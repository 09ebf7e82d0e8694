"""Making a finished run of published weights, without training or data; every later verb works on it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

from zoo import complexity, factory, files, migration, provenance, run, weights_file
from zoo.data import imagenet
from zoo.description import Model, Weights
from zoo.errors import ZooError
from zoo.input import kind_of
from zoo.registry import resolve
from zoo.tensorflow_setup import wake_keras
from zoo.weights import hub
from zoo.weights.pretrained import CLASSES, Published, Tag
from zoo.weights.sources import check_file, preprocessing, source

LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+() -]{0,99}")
"""The characters of an SPDX identifier or expression."""


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
        size: a size of the family, as for `zoo.create`.
        origin: who published the weights, a key of `zoo.weights.sources.SOURCES`.
        tag: the published weights to take. By default the usual ones, or none where a `file` is named.
        classes: the number of classes that the weights tell apart; ImageNet has 1000.
        image_size: the side of the network's input in pixels. By default that of the weights.
        channels: of the network's input. The stem is adapted to others than 3.
        file: a file of weights to read, instead of fetching one.
        license: the SPDX identifier of the file's license. A tag has its own.
        out: the folder to write. By default `runs/FAMILY-SIZE-TAG`, with a number where that is taken.
        say: called with what was chosen and what was adapted.

    Raises:
        ZooError: a part of the request cannot be met, or the weights do not fit the network.
    """
    started = provenance.here(seed=0)
    family, row = resolve(name, size)
    publisher = source(origin)
    published = publisher.published(family, row)
    if file is None and not publisher.repositories:
        raise ZooError(f"weights from {origin} are not fetched: name a file of them with --file")
    chosen = None if file and tag is None else publisher.tag(published, tag)
    repository = publisher.repository(published, chosen) if chosen else None
    expected = chosen.input if chosen else published.input
    side = expected.side if image_size is None else image_size
    structure = family.reference_structure(row)
    wanted = preprocessing(expected, side, channels)
    if classes < 2:
        raise ZooError(f"{classes} class cannot be told apart: at least 2 are needed")
    kind_of(wanted).data.check(family, row, wanted, structure)
    terms = _license(chosen, file, license)
    if file is None and classes != CLASSES:
        raise ZooError(
            f"{repository} tells {CLASSES} classes apart, not {classes}: leave --classes out, and give "
            "the run a new head with 'zoo train … --weights RUN'"
        )
    label = chosen.name if chosen else (file.name.partition(".")[0] if file else "")
    target = out or files.unused(Path("runs"), f"{family.name}-{row.name}-{label}")
    files.refuse_existing(target)
    if file is not None:
        check_file(file, publisher)
        path, revision = file, None
        if chosen is None:
            say(f"images are prepared as for {_whose(published)}: name the --tag if the weights are others'")
    else:
        assert repository is not None, "without a file there is a tag, of a source that is fetched from"
        say(f"fetching {repository}, {terms}")
        fetched = hub.fetch(repository)
        path, revision = fetched.path, fetched.revision

    labels = imagenet.labels() if classes == CLASSES else tuple(f"class {number}" for number in range(classes))
    description = Model(family.name, row.name, labels, wanted, parameters=0, multiply_adds=0, structure=structure)
    wake_keras()
    model = factory.build(description)
    description = dataclasses.replace(
        description, parameters=complexity.parameters(model), multiply_adds=complexity.multiply_adds(model)
    )
    reading = publisher.read(path, model, family.name, row.name)
    for remark in (*reading.remarks, *reading.adapted):
        say(remark)
    weights = Weights(
        source=origin,
        repository=repository,
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


def _whose(published: Published) -> str:
    if published.tags:
        return f"{published.model}.{published.tags[0].name}"
    return f"the reference, {published.model}"
