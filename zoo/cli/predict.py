"""`zoo predict`: what images show."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.output import print_json, say
from zoo.text import printable


@click.command("predict")
@click.argument("paths", metavar="[ARTIFACT] IMAGE...|FOLDER", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", default=5, show_default=True, help="How many labels to show.")
@click.option("--runtime", help="The format that answers: onnx, onnx_int8, onnx_fp16 or saved_model.  [default: onnx]")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(paths: tuple[Path, ...], top: int, runtime: str | None, as_json: bool) -> None:
    """Print the likeliest labels of images, answered by ARTIFACT (the newest, when the first path is none).

    A FOLDER stands for the image files in it, whatever they are called; what else is in it is counted and named.
    """
    from zoo.artifact import MANIFEST, newest
    from zoo.errors import ZooError, listed
    from zoo.folder_kinds import kind, mistaken
    from zoo.serving.predict import predict

    if (paths[0] / MANIFEST).exists():
        artifact, *images = paths
    elif kind(paths[0]):
        # It is no artifact, and must not be labeled by one that nobody named.
        raise ZooError(mistaken(paths[0], "artifact") or "")
    else:
        artifact, images = newest(Path("artifacts")), list(paths)
        say(f"the newest artifact: {artifact}")
    left_out: list[tuple[Path, str]] = []
    predictions = predict(
        artifact, images, top=top, runtime=runtime, leave_out=lambda path, reason: left_out.append((path, reason))
    )
    if left_out:
        names = listed(printable(f"{path} ({reason})") for path, reason in left_out)
        say(f"left out, for they cannot be read as images: {len(left_out)}: {names}")
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
    # Plain lines: rich would take a tenth of a second to import.
    for prediction in predictions:
        click.echo(printable(str(prediction.path)))
        for label, probability in prediction.labels:
            click.echo(f"  {100 * probability:6.2f} %  {printable(label)}")
