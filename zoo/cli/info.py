"""`zoo info`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from zoo import task as tasks
from zoo.input import find
from zoo.task import names


@click.command("info")
@click.argument("name", metavar="FAMILY|RUN|ARTIFACT")
@click.option("--size", help="The size of the family, such as small, base or large.  [default: all of them]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def command(name: str, size: str | None, as_json: bool) -> None:
    """Show everything that is known about a FAMILY (or an alias such as resnet50), a run or an artifact.

    No network is built.

    \b
    zoo info resnet --size base
    zoo info vgg16 --json
    zoo info runs/resnet-small-digits
    """
    import zoo
    from zoo.cli import tables
    from zoo.cli.output import print_json
    from zoo.errors import ZooError
    from zoo.folder_kinds import mistaken
    from zoo.information import is_described
    from zoo.registry import is_known

    path = Path(name)
    if is_described(path) or os.sep in name or (path.exists() and not is_known(name)):
        if not is_described(path):
            raise ZooError(mistaken(path, "run") or f"there is no run and no artifact at {path}: name its folder")
        if size:
            raise ZooError(f"--size {size} chooses among the sizes of a family, and {path} has one: leave it out")
        described = zoo.describe(path)
        if as_json:
            print_json(described)
            return
        tables.facts(_facts(name, described))
        if described["explanation"]:
            click.echo(f"\n{described['explanation']['title']}:")
            tables.explanation(described["explanation"], described["model"]["labels"])
        return
    rows = zoo.info(name, size)
    if as_json:
        print_json(rows)
        return
    first = rows[0]
    click.echo(f"{first['title']}\nreference: {first['reference']}")
    click.echo(f"kind of input: {first['input']}\ntasks: {', '.join(first['tasks'])}")
    for fact, words in first["limits"].items():
        click.echo(f"{fact}: {words}")
    click.echo()
    tables.models(rows)
    if any(row["tags"] for row in rows):
        click.echo("\nweights for 'zoo pull', the first of each size when no --tag is named:")
        tables.tags(rows)


def _facts(name: str, described: dict[str, Any]) -> dict[str, str]:
    """Return the description of a run or an artifact as facts by name, without those that it does not have."""
    from zoo.cli import tables
    from zoo.data.unlabeled import in_words

    model, data, unlabeled = described["model"], described["data"], described["unlabeled"]
    results = described["results"] or {}
    lines = {
        described["kind"]: f"{name}, {model['family']} {model['size']}",
        "structure": described["halvings"] and _structure(described),
        **described["input"],
        **_targets(model),
        "parameters": f"{model['parameters']:,}",
        "multiply-adds": f"{tables.millions(model['multiply_adds'])} M",
        "data": data and _counted(data["source"], data),
        "data without labels": unlabeled
        and f"{_counted(in_words(unlabeled['source']), unlabeled)}, {unlabeled['license']}",
        "recipe": described["recipe_name"],
        "weights": described["weights"] and f"{described['weights']['file']} ({described['weights']['source']})",
        "channels": model["widths"] and f"fewer or more than the family's in {len(model['widths'])} layers",
        "started from": described["initial"] and f"the weights of {described['initial']['run']}",
        "pruned": described["initial"] and _pruned(described["initial"]["pruning"]),
        "distilled from": described["teacher"] and _teacher(described["teacher"]),
        "made by": described["provenance"]["command"],
        "finished": described["provenance"]["finished"] or "not yet",
    }
    lines |= {key: str(value) for key, value in results.items() if not isinstance(value, dict)}
    lines |= {name: _score(score) for name, score in results.get("test_parts", {}).items()}
    if described["kind"] == "artifact":
        lines["formats"] = ", ".join(described["formats"])
        lines |= {f"score of {name}": _score(score) for name, score in results.items()}
        lines["license of the weights"] = described["license"]["weights"]
    return {key: value for key, value in lines.items() if value}


def _counted(source: str, data: dict[str, Any]) -> str:
    """Return a source of data and its number of examples by split as text."""
    return ", ".join([source, *(f"{count:,} {split}" for split, count in data["counts"].items())])


def _pruned(pruning: dict[str, Any] | None) -> str:
    """Return the share of the multiply-adds that pruning left as text; empty if nothing was pruned."""
    from zoo.cli import tables

    if not pruning:
        return ""
    before, after = (tables.millions(pruning[f"multiply_adds_{moment}"]) for moment in ("before", "after"))
    return f"to {pruning['reached']:.3f} of the multiply-adds ({before} M to {after} M), {pruning['share']:g} requested"


def _targets(model: dict[str, Any]) -> dict[str, str]:
    """Return the labels of each target as text by its name; by its task if there is only one."""
    if not model["labels"]:
        return {model["task"]: "pretrained, without a head"}
    if not model["parts"]:
        return {model["task"]: f"{len(model['labels'])}: {_labels(model['labels'], model['scales'])}"}
    lines, start = {}, 0
    for part in model["parts"]:
        end = start + len(part["labels"])
        scales = model["scales"][start:end] if not tasks.find(part["task"]).has_labels else []
        lines[f"target {part['name']}"] = f"{part['task']}, {len(part['labels'])}: {_labels(part['labels'], scales)}"
        start = end
    return lines


def _score(score: dict[str, Any]) -> str:
    return f"test {score['metric']} {score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f})"


def _teacher(teacher: dict[str, Any]) -> str:
    score = teacher["score"] and f"{teacher['score']['metric']} {teacher['score']['value']:.4f}"
    network = teacher["family"] and f"{teacher['family']} {teacher['size']}"
    facts = (teacher["name"], network, score, teacher["license"] or "no license stated")
    return ", ".join(fact for fact in facts if fact)


def _structure(described: dict[str, Any]) -> str:
    kept, reference = described["halvings"]["kept"], described["halvings"]["reference"]
    plural = find(described["model"]["preprocessing"]["kind"]).plural
    fewer = "" if kept == reference else f", for small {plural}"
    return f"{kept} of the reference's {reference} halvings{fewer}"


def _labels(labels: Sequence[str], scales_of_values: Sequence[dict[str, float]]) -> str:
    """Return the first labels as text, with the scales of values."""
    scales = [f" (mean {scale['mean']:.6g}, std {scale['std']:.6g})" for scale in scales_of_values]
    return names([f"{label}{scale}" for label, scale in zip(labels, scales, strict=True)] if scales else labels)
