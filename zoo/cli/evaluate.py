"""`zoo evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click


@click.command()
@click.argument("target", required=False, type=click.Path(path_type=Path), metavar="RUN|ARTIFACT")
@click.option(
    "--data", "source", help="Other data: tfds:NAME[:VERSION] or folder:PATH.  [default: what it was trained on]"
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the data are now, if not where they were.")
@click.option(
    "--bad-images", type=click.Choice(["error", "skip"]), help="What to do about images of --data that cannot be read."
)
@click.option("--include-training", is_flag=True, help="Measure on images, too, that the model has seen in training.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write.  [default: evaluations/NAME]")
@click.option("--json", "as_json", is_flag=True, help="The figures as one JSON document on standard output.")
def command(
    target: Path | None,
    source: str | None,
    data_dir: Path | None,
    bad_images: Literal["error", "skip"] | None,
    include_training: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure a run (by Keras) or an artifact (the file itself, by its own runtime) on its test images.

    The newest finished run is taken when none is named. Writes report.json and confusion.png. Other data, which a run
    that was pulled needs, must name their classes as the model's labels are named (ImageNet's WordNet identifiers do,
    too): their test split is taken, or else their validation split, or else all images.

    Images that the model was trained on, or that its weights were chosen by (validation), are left out and counted.
    """
    from zoo import artifact, files, run, schema
    from zoo.cli.output import print_json, say, say_environment
    from zoo.cli.tables import evaluation as table
    from zoo.data.fitting import fitting
    from zoo.data.for_labels import find_for
    from zoo.data.reload import images_known, load_again
    from zoo.data.remarks import remarks
    from zoo.data.seen import unseen
    from zoo.errors import ZooError, listed
    from zoo.evaluation import Evaluation, draw_confusion, evaluate
    from zoo.folder_kinds import mistaken

    if bad_images and not source:
        raise ZooError("--bad-images is about other data: name them with --data, or leave it out")
    if target is None:
        target = run.newest(Path("runs"))
        say(f"evaluating {target}, the newest finished run")
    folder = out or files.unused(Path("evaluations"), target.resolve().name)
    files.refuse_existing(folder)
    described: run.Run | artifact.Manifest
    if (target / artifact.MANIFEST).exists():
        described = artifact.read(target)
    elif target.is_dir() and not (target / run.DESCRIPTION).exists() and not mistaken(target, "run"):
        raise ZooError(f"{target} is neither a run nor an artifact: name one")
    else:
        described = run.read_finished(target)
    dataset = None
    if source is not None:
        images, data = find_for(described.model.labels, source, data_dir, bad_images or "error", say)
        for skipped in data.skipped:
            say(f"left out: {skipped}")
    elif described.data and described.recipe:
        dataset = load_again(described.data, described.recipe.split, data_dir)
        images, data = dataset.test, described.data
    else:
        raise ZooError(f"{target} has no data of its own: say what to measure it on, such as --data folder:PATH")
    images, left_out = fitting(images, described.model.preprocessing)
    if left_out and source is not None and bad_images != "skip":
        raise ZooError(
            f"images that cannot be scaled to the network's input: {len(left_out)}: {listed(left_out, most=3)}: "
            "crop or remove them, or go on without them with --bad-images skip"
        )
    for line in (*(f"left out: {line}" for line in left_out), *remarks([images], described.model.preprocessing)):
        say(line)
    digests, unknown = images_known(target, described, dataset)
    images, overlap = unseen(images, digests, unknown, include_training)
    if overlap.images:
        done = "left out" if overlap.left_out else "measured on, too"
        say(f"the model has seen {overlap.images} of the {overlap.of} images in training or validation: {done}")
    if overlap.unknown:
        say(f"the model may have seen images in training that are not known: {overlap.unknown}")
    if isinstance(described, run.Run):
        from zoo.tensorflow_setup import wake_keras

        say_environment()
        wake_keras()
        from zoo.inference import answers as run_answers

        logits = run_answers(target, images)
    else:
        from zoo.serving.inference import answers as artifact_answers

        logits = artifact_answers(target, images)
    result: Evaluation = evaluate(logits, images.labels, described.model.labels, name=images.names, source=str(target))
    report = {
        "target": str(target),
        "data": schema.plain(data),
        "overlap": schema.plain(overlap),
        **schema.plain(result),
    }
    with files.staged_folder(folder) as staging:
        files.write_json(staging / "report.json", report)
        draw_confusion(staging / "confusion.png", result, f"{target.name} on {data.source}", say)
    if as_json:
        print_json(report)
    else:
        table(result)
        say(f"wrote {folder}")
