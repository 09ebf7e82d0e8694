"""`zoo recipes`."""

from __future__ import annotations

import click


@click.command("recipes")
@click.argument("family", required=False)
@click.option("--recipe", metavar="NAME", help="Show one recipe with all its keys.")
@click.option("--size", help="The size of the family, such as small, base or large.  [default: the recipe's first]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def command(family: str | None, recipe: str | None, size: str | None, as_json: bool) -> None:
    """List the recipes of a FAMILY (or an alias such as resnet50), or of all families.

    \b
    zoo recipes
    zoo recipes resnet
    zoo recipes resnet50 --recipe a2
    zoo recipes vit --recipe deit --json
    """
    import zoo
    from zoo.cli import tables
    from zoo.cli.output import print_json

    rows = zoo.recipes(family, recipe=recipe, size=size)
    if as_json:
        print_json(rows)
    elif recipe is None:
        tables.recipes(rows)
    else:
        tables.recipe(rows[0])
