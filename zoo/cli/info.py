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
    from zoo.cli.tables import models, tags
    from zoo.information import info

    rows = info(family, size)
    if as_json:
        print_json(rows)
        return
    first = rows[0]
    click.echo(f"{first['title']}\nreference: {first['reference']}\nsmall pictures: {first['small_images']}")
    sizes = first["input_sizes"]
    click.echo(
        f"takes: {sizes['smallest']} to {sizes['largest']} pixels a side, 1 to {first['channels'][-1]} channels\n"
    )
    models(rows)
    if any(row["tags"] for row in rows):
        click.echo("\nweights for 'zoo pull', the first of each size when no --tag is named:")
        tags(rows)
