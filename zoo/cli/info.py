"""`zoo info`."""

from __future__ import annotations

import click


@click.command()
@click.argument("family")
@click.option("--size", help="small, base or large; all of them when it is left out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def command(family: str, size: str | None, as_json: bool) -> None:
    """Say all that is known of a FAMILY (or an alias such as resnet50) without building it.

    \b
    zoo info resnet --size base
    zoo info vgg16 --json
    """
    from zoo.cli.output import print_json
    from zoo.cli.tables import models
    from zoo.information import info

    rows = info(family, size)
    if as_json:
        print_json(rows)
        return
    click.echo(f"{rows[0]['title']}\nreference: {rows[0]['reference']}\nsmall pictures: {rows[0]['small_images']}\n")
    models(rows)
