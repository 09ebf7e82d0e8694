"""`zoo doctor`: what this installation can do, and what to paste into an issue."""

from __future__ import annotations

from typing import Any

import click


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output, to paste into an issue.")
def command(as_json: bool) -> None:
    """Show versions, devices, the processor, limits and settings, and which verb lacks which package.

    Packages are imported in a child process, which takes some seconds. Exit status 1 when a verb lacks what it needs,
    but for optional uses.
    """
    from zoo.cli.output import print_json
    from zoo.doctor import examine
    from zoo.errors import Refused

    report = examine()
    if as_json:
        print_json(report)
    else:
        _show(report)
    if not report["ready"]:
        lacking = [verb for verb in report["verbs"] if not verb["ready"] and not verb["optional"]]
        packages = dict.fromkeys(name for verb in lacking for name in verb["missing"])
        raise Refused(f"{', '.join(packages)} cannot be imported: {lacking[-1]['mend']}")


def _show(report: dict[str, Any]) -> None:
    """Print the report, a line a finding."""
    lines = {
        "zoo": report["zoo"] or "not installed as a package",
        "python": report["python"],
        "operating system": report["operating_system"],
        **{f"machine {key}": value for key, value in report["machine"].items()},
        **{f"container's {key}": "no limit" if value is None else value for key, value in report["quota"].items()},
        "available memory": f"{report['available_memory_gib']} GiB",
        "GPUs": ", ".join(report["gpus"]) or "none that TensorFlow sees",
        **{
            f"runtime {name}": ", ".join(["ready", *found["devices"]]) if found["ready"] else "not there"
            for name, found in report["runtimes"].items()
        },
        **{f"variable {name}": value for name, value in report["environment"].items()},
        **{f"keras.json {key}": value for key, value in report["keras_json"].items()},
        **{
            f"package {name}": found["version"] or "not installed" if not found["error"] else _broken(found)
            for name, found in report["packages"].items()
        },
    }
    _print(lines)
    click.echo("")
    _print({verb["verb"]: "ready" if verb["ready"] else _lacking(verb) for verb in report["verbs"]})


def _broken(found: dict[str, Any]) -> str:
    return f"{found['version'] or 'not installed'}: {found['error']}"


def _lacking(verb: dict[str, Any]) -> str:
    use = "optional; " if verb["optional"] else ""
    return f"{use}lacks {', '.join(verb['missing'])}: {verb['mend']}"


def _print(lines: dict[str, Any]) -> None:
    from zoo.cli.output import printable

    width = max(map(len, lines))
    for name, value in lines.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        click.echo(f"{name.ljust(width)}  {printable(text)}")
