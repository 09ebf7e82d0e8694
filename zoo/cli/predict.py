"""`zoo predict`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import click

from zoo.text import printable


@click.command("predict")
@click.argument("paths", metavar="[ARTIFACT] FILE...|FOLDER", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--top", default=5, show_default=True, help="The maximum number of labels in an answer, if answers are labels."
)
@click.option(
    "--runtime",
    help="The format to run; 'zoo doctor' lists them.  [default: onnx, or the format that the artifact has]",
)
@click.option(
    "--bad-examples",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What to do with examples that cannot be read.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Write the answers to this CSV file, a row for each example, and print none unless --json is given. Names "
    "and labels are written as they are; a spreadsheet takes one such as =1+1 for a formula unless it imports the file "
    "as text.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answers as one JSON document.")
def command(
    paths: tuple[Path, ...],
    top: int,
    runtime: str | None,
    bad_examples: Literal["error", "skip"],
    out: Path | None,
    as_json: bool,
) -> None:
    """Run ARTIFACT (the newest, if the first path is not an artifact) on the examples in FILEs.

    Answers are labels, values or transcripts. A FOLDER stands for the images, texts or clips in it, whatever they are
    called. Other files in it are counted and named.
    """
    import zoo
    from zoo.artifact import MANIFEST
    from zoo.cli.cpu_only import leave_gpus_alone
    from zoo.cli.output import print_json, say
    from zoo.errors import ZooError, listed
    from zoo.folder_kinds import kind, mistaken
    from zoo.verbs.arguments import artifact_or_newest

    leave_gpus_alone()
    named_artifact: Path | None = None
    examples = list(paths)
    if (paths[0] / MANIFEST).exists():
        named_artifact, *examples = paths
    elif kind(paths[0]) or any(kind(folder) == "artifact" for folder in paths[0].absolute().parents[:3]):
        # The newest artifact must not run on files of a folder that was meant as the artifact.
        raise ZooError(mistaken(paths[0], "artifact") or f"{paths[0]} is a part of an artifact: name the artifact")
    artifact = artifact_or_newest(named_artifact, say)
    if named_artifact is None and not os.path.lexists(paths[0]):
        raise ZooError(f"there is nothing at {paths[0]!s:.200}: name an artifact, or files for the newest one")
    left_out: list[tuple[Path, str]] = []
    predictions = zoo.predict(
        artifact,
        examples,
        top=top,
        runtime=runtime,
        bad_examples=bad_examples,
        out=out,
        leave_out=lambda path, reason: left_out.append((path, reason)),
        say=say,
    )
    if left_out:
        # With a larger limit, a long path does not cut the reason off.
        descriptions = (f"{printable(str(path))} ({printable(reason)})" for path, reason in left_out)
        say(f"left out: {len(left_out)}: {listed(descriptions, longest=500)}")
    if as_json:
        answers = [{"name": prediction.name, **prediction.answer.plain()} for prediction in predictions]
        others = [{"path": str(path), "reason": reason} for path, reason in left_out]
        print_json({"artifact": str(artifact), "predictions": answers, "left_out": others})
        return
    # Lines without rich, whose import takes a tenth of a second.
    for prediction in predictions if out is None else ():
        click.echo(printable(prediction.name))
        for line in prediction.answer.lines():
            click.echo(line)
