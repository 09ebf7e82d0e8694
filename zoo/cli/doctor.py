"""`zoo doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zoo.installation import Installation, Package, Verb


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, to paste into an issue.")
def command(as_json: bool) -> None:
    """Show versions, devices, the processor, limits and settings, and which verb lacks which package.

    Packages are imported in a child process, which takes some seconds. The exit status is 1 when a verb lacks a package
    that is not optional, or when something that an installed package adds to zoo cannot be loaded.
    """
    import dataclasses

    import zoo
    from zoo.cli import tables
    from zoo.cli.output import print_json
    from zoo.errors import Refused

    installation = zoo.doctor()
    if as_json:
        print_json(dataclasses.asdict(installation))
    else:
        tables.facts(_facts(installation))
        click.echo()
        tables.facts({verb.verb: "ready" if verb.ready else _lacking(verb) for verb in installation.verbs})
    if not installation.ready:
        lacking = [verb for verb in installation.verbs if not verb.ready and not verb.optional]
        packages = dict.fromkeys(name for verb in lacking for name in verb.missing)
        lacks = [f"{', '.join(packages)} cannot be imported: {installation.mend}"] if packages else []
        raise Refused("; ".join([*lacks, *dict.fromkeys(installation.plugins.values())]))


def _facts(installation: Installation) -> dict[str, str]:
    """Return all facts about the installation except the verbs, as text by name."""
    lines: dict[str, Any] = {
        "zoo": installation.zoo or "not installed as a package",
        "python": installation.python,
        "operating system": installation.operating_system,
        **{f"machine {key}": value for key, value in installation.machine.items()},
        **{f"container's {key}": "no limit" if value is None else value for key, value in installation.quota.items()},
        "available memory (GiB)": installation.available_memory_gib,
        "GPUs": installation.gpus or "none that TensorFlow sees",
        **{
            f"runtime {name}": ["ready", *runtime.devices] if runtime.ready else "not there"
            for name, runtime in installation.runtimes.items()
        },
        **{f"plugins of {group}": error for group, error in installation.plugins.items()},
        **{f"variable {name}": value for name, value in installation.environment.items()},
        **{f"keras.json {key}": value for key, value in installation.keras_json.items()},
        **{f"package {name}": _package(package) for name, package in installation.packages.items()},
    }
    return {name: _text(value) for name, value in lines.items()}


def _package(package: Package) -> str:
    version = package.version or "not installed"
    return f"{version}: {package.error}" if package.error else version


def _lacking(verb: Verb) -> str:
    use = "optional; " if verb.optional else ""
    return f"{use}lacks {', '.join(verb.missing)}: {verb.mend}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = [f"{name} {entry}" for name, entry in value.items()]
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
