"""Tables for people, with the unit of each figure in the column's header."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from zoo.text import columns, printable

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.artifact import Gate
    from zoo.training.input_speed import InputSpeed
    from zoo.tuning.study import Trial

MOST_PROBLEMS = 5
"""The number of a failed gate's problems that are printed."""

MOST_LABELS = 10
"""The number of labels whose coefficients are printed."""

LONGEST_FIGURE = 60
"""The most characters of a list of figures that is printed; for a longer list, only its length is printed."""


def models(rows: list[dict[str, Any]]) -> None:
    """Print a row for each family and size."""
    header = (
        "family",
        "size",
        "alias",
        "input",
        "parameters",
        "multiply-adds (M)",
        "input shape",
        "classes",
        "weights",
        "license of weights",
    )
    cells = [
        (
            row["family"],
            row["size"],
            ", ".join(row["aliases"]),
            row["input"],
            f"{row['parameters']:,}",
            millions(row["multiply_adds"]),
            "×".join(map(str, row["input_shape"])),
            str(row["classes"]),
            row["tags"][0]["tag"] if row["tags"] else "—",
            row["license"] or "—",
        )
        for row in rows
    ]
    _print((header, *cells), left=4)


def millions(count: int) -> str:
    """Return a count in millions; those of the smallest networks need more decimals."""
    return f"{count / 1e6:,.{1 if count >= 1e5 else 5 if count >= 100 else 6}f}"


def tags(rows: list[dict[str, Any]]) -> None:
    """Print a row for each of the published weights."""
    cells = [
        (row["size"], tag["tag"], tag["input"], tag["license"], tag["repository"] or "—")
        for row in rows
        for tag in row["tags"]
    ]
    _print((("size", "tag", "input", "license", "repository"), *cells), left=5)


def recipes(rows: list[dict[str, Any]]) -> None:
    """Print a row for each recipe."""
    header = ("family", "recipe", "sizes", "epochs", "batch", "optimizer", "what it is")
    cells = [
        (
            row["family"],
            row["recipe"],
            ", ".join(row["sizes"]) or "all",
            str(row["keys"]["epochs"]),
            str(row["keys"]["batch_size"]),
            row["keys"]["optimizer.name"],
            f"{row['title']}{'; starts from weights' if row['from_weights'] else ''}",
        )
        for row in rows
    ]
    _print((header, *cells), left=7)


def recipe(row: dict[str, Any]) -> None:
    """Print a recipe: its origin, cost and expected accuracy, then its keys as in a recipe file."""
    lines = {
        "recipe": f"{row['recipe']} of {row['family']} {row['size']}: {row['title']}",
        "source": row["source"],
        "cost": row["cost"],
        "to expect": row["expected"],
        "differs": row["differs"],
        "starts from": "the weights of a run" if row["from_weights"] else "",
    }
    facts({name: fact for name, fact in lines.items() if fact})
    click.echo()
    click.echo("\n".join(f"{key} = {json.dumps(value)}" for key, value in row["keys"].items()))


def facts(lines: dict[str, str]) -> None:
    """Print a line for each fact: its name, then its text."""
    _print([(name, printable(fact)) for name, fact in lines.items()], left=2)


def explanation(found: dict[str, Any], labels: Sequence[str]) -> None:
    """Print a row for each term of an explained network, with a number for each of the first `MOST_LABELS` labels."""
    shown = [printable(label) for label in labels[:MOST_LABELS]]
    if len(labels) > MOST_LABELS:
        shown.append(f"and {len(labels) - MOST_LABELS} more, see --json")
    rows = [
        (printable(name), *(f"{value:.6g}" for value in values[:MOST_LABELS]), *([""] * (len(labels) > MOST_LABELS)))
        for name, values in found["rows"].items()
    ]
    _print((("", *shown), *rows), left=1)


def graph(figures: dict[str, Any]) -> None:
    """Print the number of a network's ONNX nodes as converted, in the file, and fused by onnxruntime.

    On a terminal, each type of node is a row; elsewhere, one line has the totals. `figures` are those of the gate
    `onnx_lint`.
    """
    stages = {"tf2onnx": figures["converted"], "file": figures["file"], "fused": figures["fused"]}
    totals = {stage: sum(nodes.values()) for stage, nodes in stages.items()}
    transposes = f"Transposes: {figures['transposes']}, expected for this network: {figures['transposes_asked_for']}"
    if not sys.stdout.isatty():
        click.echo(
            f"ONNX nodes: {totals['tf2onnx']} as converted, {totals['file']} in the file, "
            f"{totals['fused']} as onnxruntime fuses them; {transposes}"
        )
        return
    counts = {
        op_type: [nodes.get(op_type, 0) for nodes in stages.values()] for nodes in stages.values() for op_type in nodes
    }
    rows = [*sorted(counts.items(), key=lambda row: [-max(row[1]), row[0]]), ("all", list(totals.values()))]
    click.echo()
    _print(
        (
            ("ONNX nodes", *stages),
            *((op_type, *(str(number or "") for number in numbers)) for op_type, numbers in rows),
        ),
        left=1,
    )
    click.echo(f"fused: the graph that onnxruntime's extended optimizations leave\n{transposes}\n")


def training_speeds(found: InputSpeed) -> None:
    """Print the speeds of a training, and whether it waits for its input."""
    header = (
        "network",
        "data",
        "batch",
        "batches alone, examples/s",
        "steps alone, examples/s",
        "training, examples/s",
    )
    speeds = (f"{speed:,.4g}" for speed in (found.input, found.steps, found.training))
    _print((header, (found.network, printable(found.source), str(found.batch_size), *speeds)), left=2)
    reached = f"a training reaches {1 - found.lost:.0%} of the speed of its steps"
    if not found.waits:
        click.echo(f"{reached}: it does not wait for its input")
    elif found.input < found.steps:
        click.echo(f"{reached}: it waits for its input, which is slower than the steps")
    else:
        click.echo(f"{reached}: its input is fast enough, but takes processor time from the steps")


def networks(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a row for each trained network: its cost, its score with the interval, and its latency if it has one.

    Below the rows, a line has the reason for each network that is not exported.
    """
    metric = rows[0]["metric"]
    header = ["network", "parameters", "multiply-adds (M)", "training (s)", f"test {metric}", "95 % interval"]
    reasons = {row["name"]: row["not_exported"] for row in rows if row.get("not_exported")}
    measured = bool(reasons) or any(row.get("latency") for row in rows)
    cells = []
    for row in rows:
        latency = row.get("latency")
        cells.append(
            [
                row["name"],
                f"{row['parameters']:,}",
                millions(row["multiply_adds"]),
                f"{row['train_seconds']:,.1f}",
                f"{row['score']:.4f}",
                f"{row['score_low']:.4f} to {row['score_high']:.4f}",
                *([f"{latency['p50_ms']:.3g}" if latency else "—"] if measured else []),
            ]
        )
    _print([[*header, *(["ONNX, 1 thread (ms)"] if measured else [])], *cells], left=1)
    for name, reason in reasons.items():
        click.echo(f"{name} is not exported: {printable(reason)}")


def law(found: Mapping[str, Any]) -> None:
    """Print a fitted power law, and the error that it predicts for twice the multiply-adds."""
    floor = f" + {found['floor']:.4g}" if found["floor"] else ""
    (low, high), doubling = found["exponent_interval"], found["doubling"]
    error, gain = doubling["error"], doubling["gain"]
    click.echo(
        f"\nerror = {found['scale']:.4g} · multiply-adds^{-found['exponent']:.4g}{floor}, "
        f"exponent {low:.4g} to {high:.4g}, from {found['networks']} networks\n"
        f"twice the multiply-adds of the largest: error {error:.4f} ({_span(doubling['error_interval'])}), "
        f"lower by {gain:.4f} ({_span(doubling['gain_interval'])})\n"
        f"the 95 % intervals cover the {' and the '.join(found['covers'])}, not the seed of the training"
    )
    if high < 0:
        click.echo("the interval of the exponent is below 0: larger networks are worse on these data")
    elif low <= 0:
        click.echo("the interval of the exponent contains 0: these data do not show that larger networks are better")


def _span(interval: Sequence[float]) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}"


def trials(made: Sequence[Trial], metric: str, best: Trial) -> None:
    """Print the best trial of a study and the first one, key by key, and how many trials ended early or failed."""
    rows = [("", f"val {metric}", *best.params)]
    for name, trial in (("best", best), ("unchanged recipe", made[0])):
        value = "—" if trial.value is None else f"{trial.value:.4f}"
        params = (_param(trial.params.get(key, "—")) for key in best.params)
        rows.append((f"trial {trial.place}, {name}", value, *params))
    _print([*zip(*rows, strict=True)], left=1)
    early, failed = sum(trial.ended_early for trial in made), sum(trial.failed for trial in made)
    click.echo(f"{len(made)} trials: {early} ended early, {failed} failed")


def _param(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def gates(checked: Iterable[Gate]) -> Table:
    """Return a table with a row for each gate: its status, and its figures or, if it failed, its first problems."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("gate", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("figures", overflow="fold")
    for gate in checked:
        status = Text("passed", style="green") if gate.passed else Text("FAILED", style="bold red")
        table.add_row(printable(gate.name), status, printable(_figures(gate)))
    return table


def _figures(gate: Gate) -> str:
    problems = gate.figures.get("problems")
    if problems:
        more = f"; and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
        return "; ".join(problems[:MOST_PROBLEMS]) + more
    return ", ".join(f"{key} {_brief(value)}" for key, value in gate.figures.items() if value not in ([], {}, None))


def _brief(value: Any) -> str:
    """Return a figure as text; for a list that is too long for a line, its length. The manifest has all figures."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        text = ", ".join(f"{key} {_brief(figure)}" for key, figure in value.items())
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= LONGEST_FIGURE or not isinstance(value, dict | list | tuple) else f"({len(value)})"


def _print(rows: Iterable[Sequence[str]], left: int) -> None:
    """Print rows with aligned cells, the first `left` columns to the left."""
    click.echo("\n".join(columns([*rows], left)))
