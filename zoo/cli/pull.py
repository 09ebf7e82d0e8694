"""`zoo pull`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("family")
@click.option("--size", help="small, base or large.  [default: small]")
@click.option("--from", "origin", default="timm", show_default=True, help="Whose weights.")
@click.option("--tag", help="Which of the published weights; 'zoo info FAMILY' lists them.  [default: the first]")
@click.option("--classes", default=1000, show_default=True, help="How many classes the weights tell apart.")
@click.option("--image-size", type=int, help="The input's side in pixels.  [default: the weights' own]")
@click.option("--channels", default=3, show_default=True, help="1 to 4; the stem's weights are adapted.")
@click.option("--file", type=click.Path(path_type=Path), help="Weights that are there already; nothing is fetched.")
@click.option("--license", metavar="SPDX", help="The license of a --file that has no --tag.")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder to write.  [default: runs/NAME]")
@click.option("--json", "as_json", is_flag=True, help="The run as one JSON document on standard output.")
def command(
    family: str,
    size: str | None,
    origin: str,
    tag: str | None,
    classes: int,
    image_size: int | None,
    channels: int,
    file: Path | None,
    license: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Make a run of a FAMILY (or an alias such as resnet50) from somebody else's trained weights.

    \b
    zoo pull resnet --size base
    zoo pull vit --size small --tag augreg_in1k --image-size 384
    zoo pull mobilenet --file model.safetensors --tag lamb_in1k
    """
    from zoo import run, schema
    from zoo.cli.output import print_json, say
    from zoo.weights.pull import pull

    folder = pull(
        family,
        size=size,
        origin=origin,
        tag=tag,
        classes=classes,
        image_size=image_size,
        channels=channels,
        file=file,
        license=license,
        out=out,
        say=say,
    )
    done = run.read_finished(folder)
    assert done.weights is not None
    if as_json:
        print_json({"run": str(folder), **schema.plain(done)})
    else:
        say(f"{folder}: {done.model.parameters:,} parameters, {len(done.model.labels)} classes, {done.weights.license}")
