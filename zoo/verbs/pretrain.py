"""`zoo.pretrain`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from zoo import provenance, run
from zoo.allocator import keeping_freed_memory
from zoo.keras_settings import own_randomness
from zoo.recipe import Precision
from zoo.tensorflow_setup import import_keras
from zoo.text import Progress, Say, silent
from zoo.training.cluster import Kind, find
from zoo.training.gathering import gathered
from zoo.training.request import Execution
from zoo.verbs.arguments import StrPath, several_callbacks
from zoo.verbs.results import RunFolder
from zoo.verbs.train import beside_chief, check_numbers, request_of


@keeping_freed_memory()
def pretrain(
    family: str,
    *,
    method: str,
    size: str | None = None,
    data: str | None = None,
    data_dir: StrPath | None = None,
    target_column: str | Iterable[str] | None = None,
    text_column: str | None = None,
    image_column: str | None = None,
    audio_column: str | None = None,
    bad_examples: Literal["error", "skip"] | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    precision: Precision | None = None,
    set: Mapping[str, object] | Iterable[str] | str = (),
    strategy: Kind = "auto",
    devices: int | None = None,
    out: StrPath | None = None,
    checkpoint_minutes: float = 10.0,
    profile: int | None = None,
    callbacks: Iterable[Any] | Any = (),
    say: Say = silent,
    progress: Progress = silent,
) -> RunFolder:
    """Train a network without labels and write a run folder, whose weights `zoo.train(weights=...)` takes.

    `zoo.train(resume=...)` continues a run that was interrupted.

    Args:
        family: a family such as `resnet`, or an alias such as `resnet50`.
        method: `simclr` for networks of images, `mae` for `vit`, `mlm` for `bert`.
        size: `small` (the default), `base`, `large`, or another size of the family.
        data: as for `zoo.train`, and `files:PATH`, a folder of files. Labels only decide
            how splits are drawn.
        data_dir: the folder of prepared TFDS data.
        target_column: the column of the labels, for data that have columns; it decides how splits are drawn,
            and may be left out.
        text_column: the column with the text, for networks of texts and data that have columns.
        image_column: the column that names the image files, for networks of images and data that have columns.
        audio_column: the column that names the sound files, for networks of sound and data that have columns.
        bad_examples: `error` (the default) refuses data with examples that cannot be read, `skip` leaves them out.
        epochs: short for `set={"epochs": ...}`.
        seed: short for `set={"seed": ...}`.
        precision: the precision of the layers' computations: `float32`, `bfloat16` or `float16`.
        set: changes of the recipe, such as `{"simclr.temperature": 0.1}`.
        strategy: as for `zoo.train`.
        devices: split the CPU into this many logical devices, for trying and testing.
        out: the run folder to write; by default `runs/NAME`.
        checkpoint_minutes: the time between two checkpoints.
        profile: write a trace of this many steps for TensorBoard.
        callbacks: a Keras callback or several, as for `zoo.train`.
        say: called with a line about the data, the run and every epoch.
        progress: called twice a second with the steps done, all steps, and a line with the current speed and loss.

    Raises:
        ZooError: the request or the data are wrong, or the loss is no longer finite.
    """
    arguments = {**locals()}
    cluster = find(strategy)
    execution = Execution(
        strategy=strategy,
        devices=devices,
        checkpoint_minutes=checkpoint_minutes,
        profile=profile or 0,
        callbacks=several_callbacks(callbacks),
        say=say,
        progress=progress,
    )
    if cluster and not cluster.chief:
        return beside_chief(cluster, data_dir, execution)
    # As in `zoo.train`, the workers gather before the checks.
    with gathered(cluster, say) as team:
        check_numbers(checkpoint_minutes, profile)
        from zoo.training.decision import decide
        from zoo.training.effect import check_effect

        request = dataclasses.replace(request_of(arguments), method=method)
        check_effect(decide(request))

        # A wrong request was refused above, before TensorFlow takes seconds to import.
        provenance.say_environment(say)
        import_keras()
        from zoo.training import start

        with own_randomness():
            folder = start.start(request, dataclasses.replace(execution, team=team), _without_head)
    return RunFolder(folder, run.read_finished(folder))


def _without_head(model: Any) -> None:
    """Let every network pass: only the network that is trained later, with a head, is exported."""
