"""`zoo copy`."""

from __future__ import annotations

import dataclasses

import click


@click.command("copy")
@click.argument("source")
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="Print what was copied as one JSON document.")
def command(source: str, target: str, as_json: bool) -> None:
    """Copy a run, an artifact or an evaluation to an object store, or from there to this machine.

    One of SOURCE and TARGET is a local folder, the other a place such as s3://bucket/runs/name or
    gs://bucket/runs/name; pip install 'keras-zoo[s3]' or 'keras-zoo[gs]' installs the library for it. The description
    of the folder is copied last: a reader that finds it in the store finds all other files, too.

    \b
    zoo copy runs/resnet-small s3://bucket/runs/resnet-small
    zoo copy s3://bucket/runs/resnet-small runs/resnet-small
    """
    import zoo
    from zoo.cli.output import print_json, say

    copied = zoo.copy(source, target)
    if as_json:
        print_json(dataclasses.asdict(copied))
        return
    click.echo(copied.target)
    say(f"{copied.kind}: {copied.files} files, {copied.bytes / 1e6:.1f} MB")
