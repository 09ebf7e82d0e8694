"""`zoo publish`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("publish")
@click.argument("places", metavar="[ARTIFACT] BASE", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--keep", type=int, help="Remove all but the newest N versions; --rollback needs two.  [default: all]")
@click.option(
    "--rollback", is_flag=True, help="Publish again what BASE served before its newest version; takes no ARTIFACT."
)
@click.option("--json", "as_json", is_flag=True, help="Print the version as one JSON document.")
def command(places: tuple[Path, ...], keep: int | None, rollback: bool, as_json: bool) -> None:
    """Publish the SavedModel of ARTIFACT (the newest, if none is named) as the next version of BASE.

    BASE is the model base path of TF Serving, which serves the version with the largest number. No number is ever used
    twice, and no reader sees half a version. An artifact that 'zoo verify' refuses is not published.

    --rollback gives the earlier version a new number, so that servers load it like any other. If repeated, it goes
    further back; versions that --keep removed are gone. Needs no TensorFlow.
    """
    import zoo
    from zoo.cli.cpu_only import leave_gpus_alone
    from zoo.cli.output import print_json, say
    from zoo.errors import ZooError

    leave_gpus_alone()
    *artifacts, base = places
    if len(artifacts) > 1:
        raise ZooError(f"one artifact is published at a time: leave {artifacts[-1]} out")
    publication = zoo.publish(artifacts[0] if artifacts else None, base, keep=keep, rollback=rollback, say=say)
    record, size = publication.record, sum(file.bytes for file in publication.record.files.values())
    if as_json:
        print_json(
            {
                "base": str(base),
                "version": record.version,
                "folder": str(publication.folder),
                "artifact": record.artifact,
                "restores": record.restores,
                "removed": list(publication.removed),
                "files": len(record.files),
                "bytes": size,
            }
        )
        return
    click.echo(publication.folder)
    again = f", which version {record.restores} was" if record.restores else ""
    say(f"version {record.version}: {record.artifact}{again}, {len(record.files)} files, {size / 1e6:.1f} MB")
    if publication.removed:
        say(f"removed {', '.join(map(str, publication.removed))}")
