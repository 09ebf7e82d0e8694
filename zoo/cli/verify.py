"""`zoo verify`: is an artifact what its manifest says, and does it still answer as it did?"""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.output import console, print_json, say, status_table


@click.command("verify")
@click.argument("artifact", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(artifact: Path | None, as_json: bool) -> None:
    """Check ARTIFACT (the newest, when not named): its files, its contract, its golden answers.

    Or what 'zoo publish' wrote, BASE or BASE/N: that every file is as it was published. Needs neither TensorFlow nor
    the run.
    """
    from zoo import schema
    from zoo.artifact import newest
    from zoo.errors import Refused
    from zoo.serving.verify import verify

    if artifact is None:
        artifact = newest(Path("artifacts"))
        say(f"the newest artifact: {artifact}")
    report = verify(artifact)
    if as_json:
        gates = [schema.plain(gate) for gate in report.gates]
        print_json({"artifact": str(artifact), "passed": report.passed, "gates": gates})
    else:
        console().print(status_table(report.gates))
    if not report.passed:
        raise Refused(f"{artifact} is refused: {', '.join(report.failed)}: export or publish again, or fetch it anew")
