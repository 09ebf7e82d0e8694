"""`zoo benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli.comma_separated import CommaSeparated
from zoo.cli.data_options import DataOption
from zoo.measurement import BATCHES, SECONDS


@click.command("benchmark")
@click.argument("artifacts", metavar="[ARTIFACT]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--batch",
    type=CommaSeparated("integers", int),
    default=",".join(map(str, BATCHES)),
    show_default=True,
    help="Numbers of examples in a request, separated by commas.",
)
@click.option(
    "--threads",
    type=CommaSeparated("integers", int),
    help="Numbers of threads, separated by commas.  [default: 1 and the usable CPUs]",
)
@click.option(
    "--runtime",
    type=CommaSeparated("formats", str),
    help="Formats, separated by commas; 'zoo doctor' lists them.  [default: those that each artifact has]",
)
@click.option(
    "--seconds",
    default=SECONDS,
    show_default=True,
    help="Seconds to measure each combination of runtime, batch and threads; with --data, each speed.",
)
@click.option("--csv", type=click.Path(path_type=Path), help="Also write the rows to this file.")
@click.option("--data", cls=DataOption, help="Measure a training instead, on {sources}.")
@click.option("--data-dir", cls=DataOption, type=click.Path(path_type=Path), help="Where the data are; {data_dir}.")
@click.option("--target", "target_column", cls=DataOption, metavar="COLUMN[,COLUMN…]", help="{target}.")
@click.option("--text", "text_column", cls=DataOption, metavar="COLUMN", help="{text}.")
@click.option("--image", "image_column", cls=DataOption, metavar="COLUMN", help="{image}.")
@click.option("--audio", "audio_column", cls=DataOption, metavar="COLUMN", help="{audio}.")
@click.option("--family", help="With --data: the FAMILY to train, or an alias.")
@click.option("--size", help="With --data: the size of the family.  [default: small]")
@click.option(
    "--set", multiple=True, metavar="KEY=VALUE", help="With --data: change the recipe, such as image.size=160."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON document.")
def command(artifacts: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Measure each ARTIFACT (the newest, if none is named); several take turns within one process.

    With --data, measure whether a training on these data would wait for its input: the speed of the batches alone, of
    the steps alone, and of both together.

    \b
    zoo benchmark artifacts/* --batch 1 --threads 1
    zoo benchmark --data folder:photographs --family resnet --size base --set image.flip=true
    """
    import zoo
    from zoo.cli.output import console, print_json, progress_bar, say, say_step
    from zoo.cli.tables import training_speeds

    with progress_bar(elsewhere=say_step) as progress:
        benchmark = zoo.benchmark(artifacts, **options, say=say, progress=progress)
    if as_json:
        print_json(benchmark.to_dict())
    elif benchmark.training:
        training_speeds(benchmark.training)
    else:
        from zoo.serving.table import NARROWEST, tables, width

        output = console()
        # A terminal folds long names; a file and a pipe have room for them.
        output.width = max(output.width, NARROWEST) if output.is_terminal else width(benchmark.rows)
        output.print(*tables(benchmark.rows), sep="\n", crop=False)
