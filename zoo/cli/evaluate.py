"""`zoo evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli.data_options import DataOption


@click.command("evaluate")
@click.argument("target", required=False, type=click.Path(path_type=Path), metavar="[RUN|ARTIFACT]")
@click.option("--data", cls=DataOption, help="Other data: {sources}.  [default: the data of the training]")
@click.option(
    "--data-dir",
    cls=DataOption,
    type=click.Path(path_type=Path),
    help="Where the data are now, if they were moved. With --data, {data_dir}.",
)
@click.option(
    "--target",
    "target_column",
    metavar="COLUMN[,COLUMN…]",
    help="With --data: the column that the model predicts, or several, separated by commas.  [default: that of the "
    "training]",
)
@click.option(
    "--text",
    "text_column",
    cls=DataOption,
    metavar="COLUMN",
    help="{text}.  [default: that of the training]",
)
@click.option(
    "--image",
    "image_column",
    cls=DataOption,
    metavar="COLUMN",
    help="{image}.  [default: that of the training]",
)
@click.option(
    "--audio",
    "audio_column",
    cls=DataOption,
    metavar="COLUMN",
    help="{audio}.  [default: that of the training]",
)
@click.option(
    "--bad-examples",
    type=click.Choice(["error", "skip"]),
    help="What to do with unreadable examples of --data.  [default: error]",
)
@click.option("--include-training", is_flag=True, help="Also measure on examples that the model has seen in training.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write.  [default: evaluations/NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Measure a run (with Keras) or an artifact (with its own runtime) on its test examples.

    If nothing is named, the newest finished run is measured. Writes report.json and a drawing. A run that was pulled
    needs other data. The classes of other data must have the names of the model's labels (or, for ImageNet, WordNet
    identifiers). Their test split is measured, else their validation split, else all examples.

    Training examples of the model, and validation examples, which selected its weights, are left out and counted.
    """
    import zoo
    from zoo.cli.output import print_json, say

    evaluation = zoo.evaluate(**options, say=say)
    if as_json:
        print_json(evaluation.report())
    else:
        click.echo(evaluation.summary)
        say(f"wrote {evaluation.folder}")
