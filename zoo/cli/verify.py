"""`zoo verify`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("verify")
@click.argument("artifact", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the gates as one JSON document.")
def command(artifact: Path | None, as_json: bool) -> None:
    """Check ARTIFACT (the newest, if none is named): its files, its contract, its golden answers.

    ARTIFACT may also be a folder that 'zoo publish' wrote, BASE or BASE/N: then every file must be as it was published.
    Needs neither TensorFlow nor the run.
    """
    import zoo
    from zoo.cli import tables
    from zoo.cli.cpu_only import leave_gpus_alone
    from zoo.cli.output import console, print_json, say
    from zoo.errors import Refused
    from zoo.schema import to_dict

    leave_gpus_alone()
    report = zoo.verify(artifact, say=say)
    if as_json:
        gates = [to_dict(gate) for gate in report.gates]
        print_json({"artifact": str(report.artifact), "passed": report.passed, "gates": gates})
    else:
        console().print(tables.gates(report.gates))
    if not report.passed:
        failed = ", ".join(report.failed)
        raise Refused(f"{report.artifact} is refused: {failed}: export or publish it again, or fetch it again")
