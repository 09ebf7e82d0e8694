"""`zoo publish`: the next version in a folder that TF Serving polls."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("publish")
@click.argument("places", metavar="[ARTIFACT] BASE", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--keep", type=int, help="Remove all but the newest N versions; 2 are needed to go back.  [default: all]")
@click.option("--rollback", is_flag=True, help="Publish again what BASE served before its newest version; no ARTIFACT.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(places: tuple[Path, ...], keep: int | None, rollback: bool, as_json: bool) -> None:
    """Publish the SavedModel of ARTIFACT (the newest, when not named) as the next version of BASE.

    BASE is the model base path of TF Serving, which serves the version with the largest number. No number is ever used
    twice, and nobody sees half a version. An artifact that 'zoo verify' refuses is not published.

    --rollback gives the earlier version a new number, so that servers take it up like any other. Repeated, it goes
    further back; versions that --keep removed cannot be had again. Needs no TensorFlow.
    """
    from zoo.artifact import newest
    from zoo.cli.output import print_json, say
    from zoo.errors import ZooError
    from zoo.serving.publish import publish, roll_back

    *artifacts, base = places
    if len(artifacts) > (0 if rollback else 1):
        what = "--rollback publishes what BASE holds" if rollback else "one artifact is published at a time"
        raise ZooError(f"{what}: leave {artifacts[-1]} out")
    if rollback:
        made = roll_back(base, keep=keep, say=say)
    else:
        artifact = artifacts[0] if artifacts else newest(Path("artifacts"))
        if not artifacts:
            say(f"publishing {artifact}, the newest artifact")
        made = publish(artifact, base, keep=keep, say=say)
    record, size = made.record, sum(file.bytes for file in made.record.files.values())
    if as_json:
        print_json(
            {
                "base": str(base),
                "version": record.version,
                "folder": str(made.folder),
                "artifact": record.artifact,
                "restores": record.restores,
                "removed": list(made.removed),
                "files": len(record.files),
                "bytes": size,
            }
        )
        return
    click.echo(made.folder)
    again = f", which version {record.restores} was" if record.restores else ""
    say(f"version {record.version}: {record.artifact}{again}, {len(record.files)} files, {size / 1e6:.1f} MB")
    if made.removed:
        say(f"removed {', '.join(map(str, made.removed))}")
