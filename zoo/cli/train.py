"""`zoo train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from zoo.cli.comma_separated import CommaSeparated
from zoo.cli.data_options import data_options
from zoo.task import task_of

if TYPE_CHECKING:
    from zoo.training.cluster import Kind
    from zoo.verbs.results import RunFolder
    from zoo.verbs.train_pruned import PrunedFolder
    from zoo.verbs.train_sizes import SizesFolder


@click.command("train")
@click.argument("family", required=False)
@click.option(
    "--size",
    help="The size of the family, such as small, base or large; several, separated by commas, are trained one after "
    "the other.  [default: small]",
)
@data_options(
    data="{sources}.  [default: with --weights, the data of that run; else a small dataset of the kind of input, such "
    "as digits]",
    data_dir="Where the data are; {data_dir}. With --resume: where the run's data are now, if they were moved.",
)
@click.option(
    "--weights", type=click.Path(path_type=Path), metavar="RUN", help="Fine-tune: start from a finished run's weights."
)
@click.option("--freeze", is_flag=True, help="Train the head only. Short for --set freeze=true.")
@click.option(
    "--prune",
    type=CommaSeparated("shares", float),
    metavar="SHARE[,SHARE…]",
    help="With --weights: remove channels, so that at most this share of the multiply-adds is left, and train what "
    "stays. With several shares, such as 0.7,0.5, do so in as many steps, each of which is a run. One share is short "
    "for --set prune.share=SHARE.",
)
@click.option(
    "--teacher",
    type=click.Path(path_type=Path),
    metavar="RUN|ARTIFACT",
    help="Distill: also learn from the answers of a finished run, an artifact or an exported ONNX file.",
)
@click.option(
    "--distill",
    type=click.Choice(["soft", "hard"]),
    help="With --teacher: learn from its full answers, or from its likeliest classes only.  [default: soft]",
)
@click.option(
    "--unlabeled",
    "--unlabelled",
    "unlabeled",
    metavar="DATA",
    help="Also train on these data, without their labels (FixMatch); 'rest' stands for the training examples that "
    "label_fraction leaves out.",
)
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="A recipe that 'zoo recipes FAMILY' lists, or a .toml or .json file with keys of the default one.  "
    "[default: the family's]",
)
@click.option("--epochs", type=int, help="Short for --set epochs=N.")
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option("--precision", metavar="NAME", help="float32, bfloat16 or float16. Short for --set precision=NAME.")
@click.option("--set", multiple=True, metavar="KEY=VALUE", help="Change the recipe, such as optimizer.lr=0.1.")
@click.option(
    "--strategy",
    type=click.Choice(["auto", "single", "mirrored", "multiworker"]),
    default="auto",
    show_default=True,
    help="Train on one device (single), on all of this machine (mirrored), or on those of several machines, which "
    "TF_CONFIG or Slurm names (multiworker). auto: all devices of this machine, or of the machines that TF_CONFIG "
    "names; Slurm's variables count only for multiworker.",
)
@click.option("--devices", type=int, help="Split the CPU into N logical devices, for trying and testing.")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder to write.  [default: runs/NAME]")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Continue an interrupted run, with its own recipe, from its last checkpoint.",
)
@click.option(
    "--checkpoint-minutes",
    type=float,
    default=10.0,
    show_default=True,
    metavar="MINUTES",
    help="The time between two checkpoints, from which --resume continues.",
)
@click.option(
    "--tf-data-service",
    metavar="ADDRESS[,ADDRESS…]",
    help="Let servers that 'zoo data serve' has started make the batches; the batches are the same as without.",
)
@click.option("--profile", type=int, metavar="STEPS", help="Write a trace of this many steps for TensorBoard.")
@click.option("--json", "as_json", is_flag=True, help="Print the finished run as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Train a FAMILY (or an alias such as resnet50) and write a run folder.

    \b
    zoo train resnet --size small --data digits --epochs 10
    zoo train resnet --size small,base,large --data digits
    zoo train cnn --size base --data tfds:fashion_mnist --set optimizer.lr=0.001
    zoo train vit --recipe deit --data folder:photographs
    zoo train --weights runs/resnet-small-digits --data folder:data --freeze
    zoo train --weights runs/resnet-small-digits --prune 0.5
    zoo train --weights runs/resnet-small-digits --prune 0.8,0.65,0.5
    zoo train cnn --teacher runs/resnet-small-digits
    zoo train mlp --data csv:shop.csv --target bought,spent
    zoo train --resume runs/resnet-small-digits
    """
    import zoo
    from zoo.cli.output import progress_bar, say

    if several := _several_networks(options):
        _train_several(several, options, as_json)
        return
    options["prune"] = options["prune"][0] if options["prune"] else None
    with progress_bar() as progress:
        run_folder = zoo.train(**options, say=say, progress=progress)
    print_run(run_folder, options["strategy"], as_json)


def print_run(made: RunFolder, strategy: Kind, as_json: bool) -> None:
    """Print a finished run, unless this process is a worker other than the chief."""
    from zoo.cli.output import print_json, say, say_parts
    from zoo.input import kind_of
    from zoo.schema import to_dict
    from zoo.training.cluster import find

    cluster = find(strategy)
    if cluster and not cluster.chief:
        return
    if as_json:
        print_json({"run": str(made.folder), **to_dict(made.run)})
        return
    plural = kind_of(made.run.model.preprocessing).plural
    if task_of(made.run.model).pretext_module:
        results = made.run.results
        say(
            f"{made.folder}: test loss {results['test_loss']:.4f} ({results['test_examples']} {plural}): "
            f"train it with zoo train --weights {made.folder}"
        )
        return
    score, data = made.test_score, made.run.data
    shared = (data.overlap or {}).get("test") if data else None
    seen = f", {shared} of which it has seen in training or validation" if shared else ""
    say(
        f"{made.folder}: test {score.metric} {score.value:.4f} "
        f"({score.low:.4f} to {score.high:.4f}, {score.examples} {plural}{seen})"
    )
    say_parts(score)


def _several_networks(options: dict[str, Any]) -> Literal["sizes", "pruned"] | None:
    """Return the kind of series that the options name, or whose folder they resume; None for a single network."""
    from zoo.experiment import holds
    from zoo.stores import local_path

    if "," in (options["size"] or ""):
        return "sizes"
    if len(options["prune"] or ()) > 1:
        return "pruned"
    folder = None if options["resume"] is None else local_path(options["resume"])
    if folder is None:
        return None
    return "sizes" if holds("sizes", folder) else "pruned" if holds("pruned", folder) else None


def _train_several(several: Literal["sizes", "pruned"], options: dict[str, Any], as_json: bool) -> None:
    """Train several networks one after the other, and print a table of them."""
    import zoo
    from zoo.cli import tables
    from zoo.cli.output import print_json, progress_bar, say
    from zoo.schema import to_dict

    with progress_bar() as progress:
        if several == "sizes":
            sizes = [word.strip() for word in (options["size"] or "").split(",") if word.strip()]
            series: SizesFolder | PrunedFolder = zoo.train_sizes(
                **{**options, "size": sizes}, say=say, progress=progress
            )
        else:
            series = zoo.train_pruned(**options, say=say, progress=progress)
    if as_json:
        runs = [{"run": str(run_folder.folder), **to_dict(run_folder.run)} for run_folder in series.runs]
        print_json({several: str(series.folder), "runs": runs})
    else:
        tables.networks(series.rows)
