"""`zoo scale`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli.comma_separated import CommaSeparated
from zoo.cli.data_options import data_options
from zoo.measurement import SECONDS


@click.command("scale")
@click.argument("family", required=False)
@click.option(
    "--sizes",
    type=CommaSeparated("sizes", str),
    help="Sizes, separated by commas.  [default: small,base,large; with --widths: small]",
)
@click.option(
    "--widths",
    type=CommaSeparated("numbers", float),
    help="Factors by which each size is made wider or narrower, separated by commas.  [default: 1]",
)
@data_options()
@click.option("--recipe", metavar="NAME|FILE", help="The recipe of every network; 'zoo recipes FAMILY' lists them.")
@click.option("--epochs", type=int, help="The epochs of every network. Short for --set epochs=N.")
@click.option("--seed", type=int, help="The seed of every network. Short for --set seed=N.")
@click.option("--set", multiple=True, metavar="KEY=VALUE", help="Change the recipe of every network.")
@click.option("--seconds", type=float, help=f"The time to measure each latency.  [default: {SECONDS:g}]")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write.  [default: scales/NAME]")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Continue an interrupted call; repeating the same command does that, too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print networks and law as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Measure the gain from size: train a FAMILY at each size and width, export and measure all, and fit a power law.

    The folder contains the runs, the artifacts, the figures (scale.json) and a drawing.

    \b
    zoo scale resnet --data tfds:fashion_mnist --epochs 5
    zoo scale vgg --widths 0.25,0.5,1,2 --data digits
    zoo scale --resume scales/vgg-digits
    """
    import zoo
    from zoo.cli import tables
    from zoo.cli.output import print_json, progress_bar, say
    from zoo.schema import to_dict

    with progress_bar() as progress:
        scale_folder = zoo.scale(**options, say=say, progress=progress)
    if as_json:
        print_json({"folder": str(scale_folder.folder), **to_dict(scale_folder.record)})
        return
    tables.networks(scale_folder.networks)
    if scale_folder.law:
        tables.law(scale_folder.law)
