"""Making a finished run from published weights, without training or data; every later command works on it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import complexity, factory, files, folder_kinds, migration, provenance, run, weights_file
from zoo.data import imagenet
from zoo.description import Model, Symbols, Weights
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.input import find, kind_of
from zoo.keras_settings import own_randomness
from zoo.registry import resolve
from zoo.structure import MOST_CHANNELS, Structure
from zoo.tensorflow_setup import import_keras
from zoo.weights import hub
from zoo.weights.ctc_vocabulary import read_symbols
from zoo.weights.pretrained import CLASSES, Published, Tag
from zoo.weights.publishers import Publisher, check_file, find_publisher, preprocessing
from zoo.weights.transformers_reader import CONFIG, Checkpoint, open_checkpoint, refuse_other_heads

SEED = 0
"""The seed for layers that the weights lack."""

LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+() -]{0,99}")
"""The characters of an SPDX identifier or expression."""


@dataclass(frozen=True)
class _Plan:
    """A plan to pull weights: the network that weights are read into, and where they come from.

    `label` names the run's folder. `fetched` returns the file or folder of weights, and the commit that it belongs to.
    """

    preprocessing: Any
    structure: Structure | None
    labels: tuple[str, ...]
    license: str
    label: str
    fetched: Callable[[], tuple[Path, str | None]]
    tag: str | None = None
    repository: str | None = None
    task: str = "classes"
    symbols: Symbols | None = None


def pull(
    name: str,
    *,
    size: str | None = None,
    origin: str = "timm",
    tag: str | None = None,
    classes: int | None = None,
    image_size: int | None = None,
    channels: int | None = None,
    seconds: float | None = None,
    file: Path | None = None,
    license: str | None = None,
    out: Path | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Write a finished run of published weights and return its folder.

    Args:
        name: a family or an alias.
        size: a size of the family, as for `zoo.create`.
        origin: who published the weights, a key of `zoo.weights.publishers.PUBLISHERS`.
        tag: the published weights to take. By default the usual ones, or none where a `file` is named.
        classes: the number of classes that the weights tell apart. By default ImageNet's 1000, or, in a folder, those
            that it names, or 2; a folder of a network for transcripts has none.
        image_size: the side of the network's input in pixels. By default that of the weights.
        channels: the number of channels of the network's input, 3 by default. The stem is adapted to other numbers.
        seconds: the length of the clips that a network of sound takes, by default 1; not for transcripts.
        file: a file or folder of weights to read, instead of fetching one.
        license: the SPDX identifier of the file's license. A tag has its own, and a folder may state one.
        out: the folder to write. By default `runs/FAMILY-SIZE-TAG`, with a number where that is taken.
        say: called with a line about each choice and each adaptation.

    Raises:
        ZooError: a part of the request cannot be met, or the weights do not fit the network.
    """
    started = provenance.here(seed=SEED)
    family, row = resolve(name, size)
    publisher = find_publisher(origin)
    published = publisher.published(family, row)
    if file is None and not publisher.repositories:
        noun = "folder" if publisher.folders else "file"
        raise ZooError(f"weights from {origin} are not fetched: name a {noun} of them with --file")
    if classes is not None and classes < 2:
        raise ZooError(f"--classes {classes}: at least 2 are needed")
    if publisher.folders:
        assert file is not None
        image_options = {"--tag": tag, "--image-size": image_size, "--channels": channels}
        wrong = [option for option, value in image_options.items() if value is not None]
        if wrong:
            raise ZooError(f"{wrong[0]} is not for weights from {origin}: leave it out")
        plan = _of_folder(family, row, publisher, published, file, license, classes, seconds)
    else:
        if seconds is not None:
            raise ZooError(f"--seconds is not for weights from {origin}: leave it out")
        plan = _of_file(
            family,
            row,
            publisher,
            published,
            tag,
            CLASSES if classes is None else classes,
            image_size,
            3 if channels is None else channels,
            file,
            license,
            say,
        )
    name = f"{family.name}-{row.name}-{plan.label}"
    folder_kinds.check_new(out or files.unused(Path("runs"), name))
    path, revision = plan.fetched()
    description = Model(
        family.name,
        row.name,
        plan.labels,
        plan.preprocessing,
        parameters=0,
        multiply_adds=0,
        structure=plan.structure,
        task=plan.task,
        symbols=plan.symbols,
    )
    import_keras()
    import keras

    with own_randomness():
        # Layers that the weights lack start from random weights.
        keras.utils.set_random_seed(SEED)
        model = factory.build(description)
    description = dataclasses.replace(
        description, parameters=complexity.parameters(model), multiply_adds=complexity.multiply_adds(model)
    )
    reading = publisher.read(path, model, family.name, row.name)
    for remark in (*reading.remarks, *reading.adapted):
        say(remark)
    read = open_checkpoint(path).weights if publisher.folders else path
    weights = Weights(
        source=origin,
        repository=plan.repository,
        tag=plan.tag,
        revision=revision,
        file=read.name,
        sha256=files.sha256(read),
        license=plan.license,
        adapted=reading.adapted,
    )
    target = out or files.unused(Path("runs"), name)
    with files.staged_folder(target) as staging:
        weights_file.save(staging / run.WEIGHTS, weights_file.weights(model))
        finished = dataclasses.replace(started, finished=provenance.now())
        run.write(staging, run.Run(migration.SCHEMA, description, None, None, finished, weights=weights))
    return target


def _of_file(
    family: Family,
    row: Size,
    publisher: Publisher,
    published: Published,
    tag: str | None,
    classes: int,
    image_size: int | None,
    channels: int,
    file: Path | None,
    license: str | None,
    say: Callable[[str], None],
) -> _Plan:
    """Plan to read a file, which is named or fetched, of weights for images."""
    chosen = None if file and tag is None else publisher.tag(published, tag)
    repository = publisher.repository(published, chosen) if chosen else None
    stated_input = publisher.stated_input(file, published) if file and not chosen else None
    published_input = chosen.input if chosen else stated_input or published.input
    structure = family.reference_structure(row)
    if not 1 <= channels <= MOST_CHANNELS:
        raise ZooError(f"{channels} channels are not supported: choose 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA)")
    side = published_input.side if image_size is None else image_size
    input_preprocessing = preprocessing(published_input, side, channels)
    kind_of(input_preprocessing).data.check(family, row, input_preprocessing, structure)
    terms = _license_of(chosen, file, license)
    if file is None and classes != CLASSES:
        raise ZooError(
            f"{repository} has {CLASSES} classes, not {classes}: leave --classes out, and replace the head with "
            "'zoo train … --weights RUN'"
        )

    def fetched() -> tuple[Path, str | None]:
        if file is not None:
            check_file(file, publisher, published)
            if stated_input:
                say(f"images are prepared as {file.parent / CONFIG} states")
            elif chosen is None:
                say(
                    f"images are prepared as for {_reference_name(published)}: if these are other weights, "
                    "name their --tag"
                )
            return file, None
        assert repository is not None, "without a file there is a tag, of a publisher that is fetched from"
        say(f"fetching {repository}, {terms}")
        fetched_weights = hub.fetch(repository)
        return fetched_weights.path, fetched_weights.revision

    return _Plan(
        input_preprocessing,
        structure,
        imagenet.labels() if classes == CLASSES else numbered(classes),
        terms,
        chosen.name if chosen else (file.name.partition(".")[0] if file else ""),
        fetched,
        chosen.name if chosen else None,
        repository,
    )


def _of_folder(
    family: Family,
    row: Size,
    publisher: Publisher,
    published: Published,
    folder: Path,
    license: str | None,
    classes: int | None,
    seconds: float | None,
) -> _Plan:
    """Plan to read a folder of weights, which says how examples are prepared for them."""
    check_file(folder, publisher, published)
    checkpoint = open_checkpoint(folder)
    refuse_other_heads(checkpoint)
    task = checkpoint.task
    if task not in family.all_tasks:
        raise ZooError(f"{folder} is of a network for {task}, and {family.name} has none: name another family")
    if task == "transcript" and classes is not None:
        raise ZooError(f"--classes is not for {folder}, whose network answers with transcripts: leave it out")
    data = find(family.input).data
    input_preprocessing = data.published(checkpoint.folder, task, seconds)
    data.check(family, row, input_preprocessing, None)
    labels, symbols = read_symbols(checkpoint) if task == "transcript" else (_labels(checkpoint, classes), None)
    stated_license = license or checkpoint.license
    if stated_license is None:
        raise ZooError(
            f"the license of {folder} is unknown, because it has no README.md that states one: name it with --license, "
            "such as Apache-2.0"
        )
    label = checkpoint.folder.resolve().name
    return _Plan(
        input_preprocessing,
        None,
        labels,
        _checked_license(stated_license),
        label,
        lambda: (folder, None),
        task=task,
        symbols=symbols,
    )


def _labels(checkpoint: Checkpoint, classes: int | None) -> tuple[str, ...]:
    """Return the labels of a head of classes, or numbered labels if it does not name as many as are asked for."""
    labels = checkpoint.labels if checkpoint.has_head else None
    return labels if labels is not None and classes in (None, len(labels)) else numbered(classes or 2)


def numbered(classes: int) -> tuple[str, ...]:
    """Return numbered labels for classes without names."""
    return tuple(f"class {number}" for number in range(classes))


def _checked_license(license: str) -> str:
    if not LICENSE.fullmatch(license):
        raise ZooError(f"--license {license!r:.60} is not an SPDX identifier: write one, such as Apache-2.0")
    return license


def _license_of(tag: Tag | None, file: Path | None, license: str | None) -> str:
    if license is not None:
        _checked_license(license)
    if tag is None and license is None:
        raise ZooError(
            f"the license of {file} is unknown: name it with --license, such as Apache-2.0, or name the --tag of the "
            "weights"
        )
    if tag is not None and license not in (None, tag.license):
        raise ZooError(f"weights tagged {tag.name} are licensed {tag.license}: leave --license out")
    return tag.license if tag else license or ""


def _reference_name(published: Published) -> str:
    if published.tags:
        return f"{published.model}.{published.tags[0].name}"
    return f"the reference, {published.model}"
