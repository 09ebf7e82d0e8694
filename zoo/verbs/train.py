"""`zoo.train`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, Literal

from zoo import provenance, run
from zoo.allocator import keeping_freed_memory
from zoo.errors import ZooError
from zoo.keras_settings import own_randomness
from zoo.named_recipe import RecipeChoice
from zoo.recipe import Precision
from zoo.tensorflow_setup import import_keras
from zoo.text import Progress, Say, silent
from zoo.training.cluster import Cluster, Kind, find
from zoo.training.gathering import gathered
from zoo.training.request import Execution, TrainingRequest
from zoo.verbs.arguments import (
    StrPath,
    check_data,
    data_request,
    local_path,
    optional_path,
    refuse_beside_resume,
    settings_of,
    several_callbacks,
)
from zoo.verbs.results import RunFolder
from zoo.whole_numbers import check_whole

WITH_RESUME = ("resume", "data_dir", *(field.name for field in dataclasses.fields(Execution)))
"""The arguments of `train` that are allowed with `resume`: a run continues with its own recipe and data."""

OF_DATA = ("data", "data_dir", "target_column", "text_column", "image_column", "audio_column", "bad_examples")
"""The arguments of `train` about its data."""

SHORTHANDS = {
    "freeze": "freeze",
    "epochs": "epochs",
    "seed": "seed",
    "precision": "precision",
    "prune": "prune.share",
    "distill": "distill.kind",
}
"""The arguments of `train` that are short for a change of the recipe, with the key that each sets."""

IN_REQUEST = (*OF_DATA, *SHORTHANDS, "family", "size", "weights", "teacher", "unlabeled", "recipe", "set", "out")
"""The arguments of `train` that decide the result."""


@keeping_freed_memory()
def train(
    family: str | None = None,
    *,
    size: str | None = None,
    data: str | None = None,
    data_dir: StrPath | None = None,
    weights: StrPath | None = None,
    freeze: bool = False,
    prune: float | None = None,
    teacher: StrPath | None = None,
    distill: Literal["soft", "hard"] | None = None,
    target_column: str | Iterable[str] | None = None,
    text_column: str | None = None,
    image_column: str | None = None,
    audio_column: str | None = None,
    bad_examples: Literal["error", "skip"] | None = None,
    unlabeled: str | None = None,
    recipe: RecipeChoice | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    precision: Precision | None = None,
    set: Mapping[str, object] | Iterable[str] | str = (),
    strategy: Kind = "auto",
    devices: int | None = None,
    out: StrPath | None = None,
    resume: StrPath | None = None,
    checkpoint_minutes: float = 10.0,
    profile: int | None = None,
    tf_data_service: str | None = None,
    callbacks: Iterable[Any] | Any = (),
    say: Say = silent,
    progress: Progress = silent,
) -> RunFolder:
    """Train a network and write a run folder.

    Before the training starts, the untrained network is exported as a trial: a network that cannot be exported is
    refused in seconds.

    Args:
        family: a family such as `resnet`, or an alias such as `resnet50`. Not needed with `weights` or `resume`.
        size: `small` (the default), `base`, `large`, or another size of the family.
        data: such as `digits` (the default for networks of images), `tfds:NAME[:VERSION]`, `folder:PATH` or
            `csv:FILE`.
        data_dir: the folder of prepared TFDS data; with `resume`, the folder of the run's data, if they were moved.
        weights: a finished run, from whose weights training starts.
        freeze: train the head only. Short for `set={"freeze": True}`.
        prune: with `weights`, remove channels first, so that at most this share of the network's multiply-adds is left.
            Short for `set={"prune.share": ...}`.
        teacher: a finished run, an artifact, or an ONNX file that zoo exported, whose answers for the training examples
            the network also learns from.
        distill: `soft` (the default with a `teacher`) learns from the teacher's full answers, `hard` from its likeliest
            classes. Short for `set={"distill.kind": ...}`.
        target_column: the column to predict, for data with columns; or several, in a list or separated by commas.
        text_column: the column with the text, for networks of texts and data with columns.
        image_column: the column that names the image files, for networks of images and data with columns.
        audio_column: the column that names the sound files, for networks of sound and data with columns.
        bad_examples: `error` (the default) refuses data with examples that cannot be read, `skip` leaves them out.
        unlabeled: further data to train on without their labels (FixMatch), or `rest`, the training examples that
            `label_fraction` leaves out.
        recipe: the name of a recipe, as `zoo.recipes` lists them, or a `.toml` or `.json` file that changes keys of the
            family's default recipe; by default that recipe.
        epochs: short for `set={"epochs": ...}`.
        seed: short for `set={"seed": ...}`.
        precision: the precision of the layers' computations: `float32`, `bfloat16` or `float16`. Short for
            `set={"precision": ...}`.
        set: changes of the recipe, such as `{"optimizer.lr": 0.1}` or `["optimizer.lr=0.1"]`.
        strategy: `single` trains on one device, `mirrored` on all of this machine, `multiworker` on several machines,
            which TF_CONFIG or Slurm's variables name; `auto` uses all devices, and several machines only if TF_CONFIG
            names them.
        devices: split the CPU into this many logical devices, for trying and testing.
        out: the run folder to write; by default `runs/NAME`.
        resume: an interrupted run, which continues with its own recipe and data.
        checkpoint_minutes: the time between two checkpoints. There is one after every epoch, too, and one when Ctrl-C,
            SIGTERM or SIGHUP ends the training.
        profile: write a trace of this many steps for TensorBoard.
        tf_data_service: let the servers at `HOST:PORT[,HOST:PORT…]` make the batches, see `serve_data`. The batches are
            the same as without servers, so the run does not record them.
        callbacks: a Keras callback or several, except those that set the learning rate. Their `model` has an optimizer
            and obeys `stop_training`. A callback that has a method for the end of a batch makes every step wait for its
            figures.
        say: called with a line about the data, the run and every epoch.
        progress: called twice a second with the steps done, all steps, and a line with the current speed and loss.

    Raises:
        ZooError: the request or the data are wrong, or the loss is no longer finite.
        Refused: the network cannot be exported.
    """
    arguments = {**locals()}
    cluster = find(strategy)
    execution = Execution(
        strategy=strategy,
        devices=devices,
        checkpoint_minutes=checkpoint_minutes,
        profile=profile or 0,
        tf_data_service=tf_data_service,
        callbacks=several_callbacks(callbacks),
        say=say,
        progress=progress,
    )
    if cluster and not cluster.chief:
        return beside_chief(cluster, data_dir, execution)
    # The workers gather before the checks: all wait for the chief, and end with its status if it refuses the request.
    with gathered(cluster, say) as team:
        execution = dataclasses.replace(execution, team=team)
        check_numbers(checkpoint_minutes, profile)
        check_whole("devices", devices, 2)
        if resume is not None:
            refuse_beside_resume(arguments, WITH_RESUME)
            run.read(local_path(resume))
        else:
            from zoo.training.decision import decide
            from zoo.training.effect import check_effect

            request = request_of(arguments)
            check_effect(decide(request))

        # A wrong request was refused above, before TensorFlow takes seconds to import.
        provenance.say_environment(say)
        import_keras()
        from zoo.export.preflight import preflight
        from zoo.training import start

        with own_randomness():
            if resume is not None:
                folder = start.resume(local_path(resume), optional_path(data_dir), execution)
            else:
                folder = start.start(request, execution, preflight)
    return RunFolder(folder, run.read_finished(folder))


def request_of(arguments: Mapping[str, Any]) -> TrainingRequest:
    """Return the request that arguments of `train` make; those that are missing have their defaults.

    Raises:
        ZooError: data are no text, a path is in an object store, or `prune` is not a share.
    """
    given = {name: arguments.get(name) for name in IN_REQUEST}
    check_data("unlabeled", given["unlabeled"])
    prune = given["prune"]
    if prune is not None and not isinstance(prune, Real):  # numbers of numpy are Reals, too
        raise ZooError(f"prune is {prune!r:.60}: name one share, such as 0.5; zoo.train_pruned takes several")
    if prune is not None and not 0 < float(prune) < 1:
        raise ZooError(f"--prune {float(prune):g}: a share above 0 and below 1 is needed, such as 0.5")
    shorthands = {key: None if given[name] is False else given[name] for name, key in SHORTHANDS.items()}
    return TrainingRequest(
        family=given["family"],
        size=given["size"],
        weights=optional_path(given["weights"]),
        teacher=optional_path(given["teacher"]),
        data=data_request(**{name: given[name] for name in OF_DATA}),
        recipe=given["recipe"],
        settings=settings_of(given["set"] or (), shorthands),
        unlabeled=given["unlabeled"],
        out=optional_path(given["out"]),
    )


def check_numbers(checkpoint_minutes: float, profile: int | None) -> None:
    """Raise ZooError if the minutes between two checkpoints, or the steps to trace, are not above 0."""
    if not checkpoint_minutes > 0:
        raise ZooError(f"--checkpoint-minutes {checkpoint_minutes:g}: a number above 0 is needed, such as 10")
    check_whole("profile", profile, 10)
    if profile is not None and profile < 1:
        raise ZooError(f"--profile {profile}: a number of steps above 0 is needed, such as 10")


def beside_chief(cluster: Cluster, data_dir: StrPath | None, execution: Execution) -> RunFolder:
    """Train the chief's run as one of the other workers, which need no run folder and write none."""
    with gathered(cluster) as team:
        import_keras()
        from zoo.training.follow import follow

        with own_randomness():
            return RunFolder(*follow(optional_path(data_dir), dataclasses.replace(execution, team=team)))
