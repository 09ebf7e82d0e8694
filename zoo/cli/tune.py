"""`zoo tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli.data_options import data_options


@click.command("tune")
@click.argument("family", required=False)
@click.option("--trials", type=int, metavar="N", help="The number of trials, including those that end early.")
@click.option(
    "--space",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The search space, as TOML or JSON: recipe keys and size.  [default: around the family's recipe]",
)
@click.option("--parallel", type=int, default=1, show_default=True, metavar="P", help="Train P trials side by side.")
@click.option(
    "--size",
    help="The size of all trials.  [default: without --space, the search tries small and base; with --space, the sizes "
    "that it names, or else small]",
)
@data_options()
@click.option("--recipe", metavar="NAME|FILE", help="The recipe to begin with; 'zoo recipes FAMILY' lists them.")
@click.option("--epochs", type=int, help="The epochs of every trial. Short for --set epochs=N.")
@click.option("--seed", type=int, help="The seed of every trial and of the search. Short for --set seed=N.")
@click.option("--set", multiple=True, metavar="KEY=VALUE", help="Change the recipe of all trials.")
@click.option("--out", type=click.Path(path_type=Path), help="The study's folder to write.  [default: studies/NAME]")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="STUDY",
    help="Continue an interrupted study; repeating the same command does that, too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print trials and results as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Search for a better recipe of a FAMILY with trials that are compared on the validation examples.

    The first trial is the unchanged recipe. The study's folder contains all trials; its subfolder `best` is the best
    run, the only one that is measured on the test examples.

    \b
    zoo tune mlp --data wine --trials 40
    zoo tune cnn --data tfds:fashion_mnist --trials 20 --epochs 5 --space space.toml --parallel 2
    zoo tune --resume studies/mlp-wine
    """
    import dataclasses

    import zoo
    from zoo.cli import tables
    from zoo.cli.output import print_json, progress_bar, say
    from zoo.schema import to_dict

    with progress_bar() as progress:
        study = zoo.tune(**options, say=say, progress=progress)
    if as_json:
        trials = [{**dataclasses.asdict(trial), "params": dict(trial.params)} for trial in study.trials]
        print_json(
            {"study": str(study.folder), "best": str(study.best.folder), "trials": trials, **to_dict(study.record)}
        )
        return
    tables.trials(study.trials, study.record.settled["metric"], study.best_trial)
    score = study.best.test_score
    say(f"{study.best.folder}: test {score.metric} {score.value:.4f} ({score.low:.4f} to {score.high:.4f})")
