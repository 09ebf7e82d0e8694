"""Start or resume a training: check the request, make the run folder, run the loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo import complexity, factory, files, migration, provenance, run, weights_file
from zoo import recipe as recipes
from zoo.data import digests as image_digests
from zoo.data.dataset import Dataset
from zoo.data.load import load
from zoo.data.reload import digests_for, load_again
from zoo.data.source import short_name
from zoo.description import Model
from zoo.errors import ZooError, listed
from zoo.inputs.image.preprocessing import FULL_RANGE, Preprocessing
from zoo.inputs.image.remarks import remarks
from zoo.inputs.image.resizable import resizable_dataset
from zoo.recipe import ImageInput
from zoo.text import Progress, Say, silent
from zoo.training import fine_tuning
from zoo.training import strategy as strategies

Preflight = Callable[[Model], None]

USUAL_SIDE = 224
"""The side of the input, in pixels, where the images differ in size or are larger than this."""

MEAN, STD = 0.5, 0.5
"""The normalization of networks that start from random weights: each channel lies between -1 and 1."""


def start(
    name: str | None,
    *,
    size: str | None,
    weights: Path | None = None,
    source: str,
    data_dir: Path | None,
    bad_images: str,
    settings: Sequence[str],
    out: Path | None,
    strategy: strategies.Kind,
    devices: int | None,
    preflight: Preflight,
    callbacks: Sequence[Any] = (),
    say: Say = silent,
    progress: Progress = silent,
) -> Path:
    """Train a new run and return its folder.

    With `weights`, a finished run, training starts from that run's weights; `name` and `size` are then that run's.

    `preflight` is called with the description of the untrained model. It raises when such a model cannot be exported,
    so that the request ends in seconds rather than after the training.

    Raises:
        ZooError: something that was asked for cannot be had.
    """
    from zoo.training.loop import check_batch, train

    family, row = fine_tuning.network(name, size, weights)
    recipe = recipes.override(family.recipe_of(row), settings)
    if recipe.freeze and weights is None:
        raise ZooError("freeze trains a head on weights that are there already: name the run to take --weights from")
    if out is not None:
        files.refuse_existing(out)
    chosen = strategies.choose(strategy, devices)
    dataset = load(source, split=recipe.split, data_dir=data_dir, bad_images=bad_images, say=say)  # type: ignore[arg-type]
    for skipped in dataset.skipped:
        say(f"left out: {skipped}")
    check_batch(recipe.batch_size, chosen.num_replicas_in_sync, len(dataset.train))
    like = run.read_finished(weights).model if weights else None
    model = describe(family.name, row.name, dataset, recipe.image, like)
    dataset = fit(dataset, model.preprocessing, bad_images, say)
    if not recipe.image.size and (dataset.shape or ())[:2] != model.preprocessing.shape[:2]:
        say(scaled(dataset.shape, model.preprocessing))
    images = images_for(weights, dataset)
    for line in image_digests.overlap_remarks(dataset, images):
        say(line)
    started_from, arrays = fine_tuning.take(weights, model) if weights else (None, {})
    preflight(model)
    folder = out or files.unused(Path("runs"), f"{family.name}-{row.name}-{short_name(dataset.source)}")
    folder.mkdir(parents=True)
    image_digests.write(folder / run.IMAGES, images)
    if started_from:
        # The run keeps a copy, written before it can be resumed, so that the other run may be deleted.
        weights_file.save(folder / run.INITIAL, arrays)
        say(f"from the weights of {weights}, with {'a new' if started_from.new_head else 'its'} head")
    del arrays
    made = provenance.here(recipe.seed)
    run.write(folder, run.Run(migration.SCHEMA, model, dataset.description(), recipe, made, initial=started_from))
    say(f"{folder}: {family.name} {row.name}, {model.parameters:,} parameters, {len(dataset.train)} training images")
    train(folder, dataset, chosen, callbacks, say, progress)
    return folder


def resume(
    folder: Path,
    *,
    data_dir: Path | None,
    strategy: strategies.Kind,
    devices: int | None,
    callbacks: Sequence[Any] = (),
    say: Say = silent,
    progress: Progress = silent,
) -> Path:
    """Continue an interrupted run with its own recipe, and return its folder.

    `data_dir` says where the data are now, if they were moved; the run then records that.

    Raises:
        ZooError: there is no such run, it is finished, or its data have changed.
    """
    from zoo.training.loop import train

    this = run.read(folder)
    if this.finished:
        raise ZooError(f"{folder} is finished already: train a new run")
    chosen = strategies.choose(strategy, devices)
    assert this.data is not None, "a run that is not finished is one that trains"
    assert this.recipe is not None
    dataset = resizable_dataset(load_again(this.data, this.recipe.split, data_dir), this.model.preprocessing)
    if data_dir is not None:
        # Later verbs find the data where they are now.
        moved = dataclasses.replace(this.data, source=dataset.source, data_dir=dataset.data_dir)
        run.write(folder, dataclasses.replace(this, data=moved))
    say(f"continuing {folder}")
    train(folder, dataset, chosen, callbacks, say, progress)
    return folder


def describe(family: str, size: str, dataset: Dataset, image: ImageInput, like: Model | None = None) -> Model:
    """Describe the network to train: input, labels, structure and number of parameters.

    It suits the data, or, where there is a network `like`, the weights of that one.

    Raises:
        ZooError: no network takes such an input.
    """
    preprocessing = fine_tuning.preprocessing(like.preprocessing, image) if like else suiting(dataset, image)
    factory.check_input(len(dataset.labels), preprocessing.shape)
    model = Model(family, size, dataset.labels, preprocessing, parameters=0, multiply_adds=0)
    # Weights fit only the structure that they were trained with, whatever the size of the images.
    model = dataclasses.replace(model, structure=factory.structure_of(like or model))
    network = factory.build(model)
    return dataclasses.replace(
        model, parameters=complexity.parameters(network), multiply_adds=complexity.multiply_adds(network)
    )


def fit(dataset: Dataset, preprocessing: Preprocessing, bad_images: str, say: Say) -> Dataset:
    """Leave out the images that cannot be scaled to the network's input, and tell `say` what is odd about the others.

    Raises:
        ZooError: there are such images, and `bad_images` is `error`.
    """
    kept = resizable_dataset(dataset, preprocessing)
    left_out = kept.skipped[len(dataset.skipped) :]
    if left_out and bad_images == "error":
        raise ZooError(
            f"images that cannot be scaled to the network's input: {len(left_out)}: {listed(left_out, most=3)}: "
            "crop or remove them, or go on without them with --bad-images skip"
        )
    for line in left_out:
        say(f"left out: {line}")
    for line in remarks((kept.train, kept.validation, kept.test), preprocessing):
        say(line)
    return kept


def suiting(dataset: Dataset, image: ImageInput) -> Preprocessing:
    """Return the preprocessing of a network with random weights: what suits the data, changed as `image` asks."""
    height, width = (image.size,) * 2 if image.size else (dataset.shape or (USUAL_SIDE,) * 2)[:2]
    if not image.size and max(height, width) > USUAL_SIDE:
        height = width = USUAL_SIDE
    channels = image.channels or dataset.channels
    crop_pct = image.crop_pct or 1.0
    return Preprocessing(
        height,
        width,
        channels,
        (MEAN,) * channels,
        (STD,) * channels,
        crop_pct,
        white_level=image.white_level or FULL_RANGE,
        background="white" if image.background == "auto" else image.background,
    )


def scaled(shape: tuple[int, int, int] | None, taken: Preprocessing) -> str:
    """Say that images are scaled to the network's input; `shape` is their common shape, None where they differ."""
    images = f"the images are {shape[0]}×{shape[1]} (height×width)" if shape else "the images differ in size"
    wanted = f"{taken.height}×{taken.width}"
    return f"{images} and are scaled and cropped to the network's {wanted}: --set image.size=… takes another size"


def images_for(weights: Path | None, dataset: Dataset) -> image_digests.Digests:
    """The digests of the data to train on, and of those that the run `weights` had seen."""
    if weights is None:
        return image_digests.digests_of(dataset)
    before, _ = digests_for(weights, run.read_finished(weights))
    return image_digests.digests_of(dataset, initial=before, complete=before is not None)
