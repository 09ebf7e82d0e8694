"""`zoo pretrain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli.data_options import data_options


@click.command("pretrain")
@click.argument("family")
@click.option(
    "--method",
    required=True,
    metavar="NAME",
    help="simclr matches two views of each image; mae reconstructs masked patches of images, for vit; mlm predicts "
    "masked tokens of texts, for bert.",
)
@click.option("--size", help="The size of the family, such as small, base or large.  [default: small]")
@data_options(data="{sources}. Labels only decide how splits are drawn.")
@click.option("--epochs", type=int, help="Short for --set epochs=N.")
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option("--precision", metavar="NAME", help="float32, bfloat16 or float16. Short for --set precision=NAME.")
@click.option("--set", multiple=True, metavar="KEY=VALUE", help="Change the recipe, such as simclr.temperature=0.1.")
@click.option(
    "--strategy",
    type=click.Choice(["auto", "single", "mirrored", "multiworker"]),
    default="auto",
    show_default=True,
    help="Train on one device, on all of this machine, or on several machines, as for 'zoo train'.",
)
@click.option("--devices", type=int, help="Split the CPU into N logical devices, for trying and testing.")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder to write.  [default: runs/NAME]")
@click.option(
    "--checkpoint-minutes",
    type=float,
    default=10.0,
    show_default=True,
    metavar="MINUTES",
    help="The time between two checkpoints, from which 'zoo train --resume' continues.",
)
@click.option("--profile", type=int, metavar="STEPS", help="Write a trace of this many steps for TensorBoard.")
@click.option("--json", "as_json", is_flag=True, help="Print the finished run as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Train a FAMILY (or an alias such as resnet50) without labels and write a run folder.

    'zoo train --weights RUN' takes its weights and gives it a head; 'zoo train --resume RUN' continues it.

    \b
    zoo pretrain resnet --method simclr --data files:photographs
    zoo train --weights runs/resnet-small-photographs-simclr --data folder:labeled
    """
    import zoo
    from zoo.cli.output import progress_bar, say
    from zoo.cli.train import print_run

    with progress_bar() as progress:
        run_folder = zoo.pretrain(**options, say=say, progress=progress)
    print_run(run_folder, options["strategy"], as_json)
