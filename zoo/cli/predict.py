"""`zoo predict`."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.text import printable


@click.command("predict")
@click.argument("paths", metavar="[ARTIFACT] IMAGE...|FOLDER", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", default=5, show_default=True, help="The number of labels to print.")
@click.option("--runtime", help="The format that answers; 'zoo doctor' lists them.  [default: onnx]")
@click.option("--json", "as_json", is_flag=True, help="Print the labels as one JSON document.")
def command(paths: tuple[Path, ...], top: int, runtime: str | None, as_json: bool) -> None:
    """Print the likeliest labels of images, answered by ARTIFACT (the newest, when the first path is none).

    A FOLDER stands for the image files in it, whatever they are called. Other files in it are counted and named.
    """
    import zoo
    from zoo.artifact import MANIFEST
    from zoo.cli.output import print_json, say
    from zoo.errors import ZooError, listed
    from zoo.folder_kinds import kind, mistaken
    from zoo.verbs.results import artifact_or_newest

    named: Path | None = None
    images = list(paths)
    if (paths[0] / MANIFEST).exists():
        named, *images = paths
    elif kind(paths[0]):
        # The newest artifact must not label the images of a folder that was meant to be an artifact.
        raise ZooError(mistaken(paths[0], "artifact") or "")
    artifact = artifact_or_newest(named, say)
    left_out: list[tuple[Path, str]] = []
    predictions = zoo.predict(
        artifact, images, top=top, runtime=runtime, leave_out=lambda path, reason: left_out.append((path, reason))
    )
    if left_out:
        names = listed(printable(f"{path} ({reason})") for path, reason in left_out)
        say(f"left out, because they cannot be read as images: {len(left_out)}: {names}")
    if as_json:
        answers = [
            {
                "path": str(prediction.path),
                "labels": [{"label": label, "probability": probability} for label, probability in prediction.labels],
            }
            for prediction in predictions
        ]
        others = [{"path": str(path), "reason": reason} for path, reason in left_out]
        print_json({"artifact": str(artifact), "predictions": answers, "left_out": others})
        return
    # Lines without rich, whose import takes a tenth of a second.
    for prediction in predictions:
        click.echo(printable(str(prediction.path)))
        for label, probability in prediction.labels:
            click.echo(f"  {100 * probability:6.2f} %  {printable(label)}")
