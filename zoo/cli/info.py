"""`zoo info`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("name", metavar="FAMILY|RUN|ARTIFACT")
@click.option("--size", help="small, base or large; all of them when it is left out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def command(name: str, size: str | None, as_json: bool) -> None:
    """Say all that is known of a FAMILY (or an alias such as resnet50), or of a run or an artifact.

    No network is built.

    \b
    zoo info resnet --size base
    zoo info vgg16 --json
    zoo info runs/resnet-small-digits
    """
    from zoo.cli.output import print_json
    from zoo.cli.tables import models, tags
    from zoo.information import describe, info, is_described

    if is_described(Path(name)):
        described = describe(Path(name))
        print_json(described) if as_json else _say(name, described)
        return
    rows = info(name, size)
    if as_json:
        print_json(rows)
        return
    first = rows[0]
    click.echo(f"{first['title']}\nreference: {first['reference']}\nsmall images: {first['small_images']}")
    sizes = first["input_sizes"]
    click.echo(
        f"takes: {sizes['smallest']} to {sizes['largest']} pixels a side, 1 to {first['channels'][-1]} channels\n"
    )
    models(rows)
    if any(row["tags"] for row in rows):
        click.echo("\nweights for 'zoo pull', the first of each size when no --tag is named:")
        tags(rows)


def _say(name: str, described: dict[str, Any]) -> None:
    """Print the description of a run or an artifact, a line a fact."""
    model, halvings, data = described["model"], described["halvings"], described["data"]
    labels, image = model["labels"], model["preprocessing"]
    kept, reference = halvings["kept"], halvings["reference"]
    lines = {
        described["kind"]: f"{name}, {model['family']} {model['size']}",
        "structure": f"{kept} of the reference's {reference} halvings"
        + ("" if kept == reference else ", for small images"),
        "input": f"{image['height']}×{image['width']} pixels, {image['channels']} channels",
        "classes": f"{len(labels)}: {', '.join(labels[:10])}" + (", …" if len(labels) > 10 else ""),
        "parameters": f"{model['parameters']:,}",
        "multiply-adds": f"{model['multiply_adds'] / 1e6:,.1f} M",
        "data": data and f"{data['source']}, {', '.join(f'{n:,} {split}' for split, n in data['counts'].items())}",
        "weights": described["weights"] and f"{described['weights']['file']} ({described['weights']['source']})",
        "started from": described["initial"] and f"the weights of {described['initial']['run']}",
        "made by": described["provenance"]["command"],
        "finished": described["provenance"]["finished"] or "not yet",
    }
    lines |= {key: str(value) for key, value in (described["results"] or {}).items() if not isinstance(value, dict)}
    width = max(map(len, lines))
    for key, value in lines.items():
        if value:
            click.echo(f"{key.ljust(width)}  {value}")
