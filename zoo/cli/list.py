"""`zoo list`."""

from __future__ import annotations

import click

from zoo.cli.data_options import DataOption


@click.command("list")
@click.argument("pattern", default="*")
@click.option(
    "--input", cls=DataOption, metavar="KIND", help="List only families that take this kind of input: {kinds}."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
def command(pattern: str, input: str | None, as_json: bool) -> None:
    """List the families and sizes that match the wildcard PATTERN (all, if it is left out).

    \b
    zoo list
    zoo list 'res*' --json
    """
    import zoo
    from zoo.cli import tables
    from zoo.cli.output import print_json

    rows = zoo.list_models(pattern, input=input)
    if as_json:
        print_json(rows)
    else:
        tables.models(rows)
