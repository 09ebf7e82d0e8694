"""Tables that people read."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from zoo.text import printable

if TYPE_CHECKING:
    from zoo.evaluation import Evaluation


def models(rows: list[dict[str, Any]]) -> None:
    """A line a network, in columns; plain text, for rich takes longer to import than the whole answer may."""
    columns = ("family", "size", "alias", "parameters", "multiply-adds", "at", "classes", "weights at", "license")
    cells = [
        (
            row["family"],
            row["size"],
            ", ".join(row["aliases"]),
            f"{row['parameters']:,}",
            f"{row['multiply_adds'] / 1e6:,.1f} M",
            "×".join(map(str, row["input_shape"])),
            str(row["classes"]),
            ", ".join(map(str, row["input_sizes"]["weights"])) or "—",
            row["license"] or "—",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in (columns, *cells)) for column in range(len(columns))]
    for line in (columns, *cells):
        left = [text.ljust(width) for text, width in zip(line[:3], widths[:3], strict=True)]
        right = [text.rjust(width) for text, width in zip(line[3:], widths[3:], strict=True)]
        click.echo("  ".join((*left, *right)).rstrip())


def tags(rows: list[dict[str, Any]]) -> None:
    """A line for each of the weights that can be pulled."""
    cells = [
        (row["size"], tag["tag"], f"{tag['input_size']} pixels", tag["license"], tag["repository"])
        for row in rows
        for tag in row["tags"]
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def evaluation(result: Evaluation) -> None:
    """The figures of an evaluation: the whole, then a line a class."""
    top5 = "" if result.top5 is None else f"  top-5 {result.top5:.4f}"
    click.echo(
        f"accuracy {result.accuracy:.4f} (95 % interval {result.low:.4f} to {result.high:.4f}, "
        f"{result.correct} of {result.images}){top5}"
    )
    rows = [(printable(one.label), one.precision, one.recall, one.f1, one.images) for one in result.classes]
    rows.append(("macro average", result.macro_precision, result.macro_recall, result.macro_f1, result.images))
    width = max(len(label) for label, *_ in rows)
    click.echo(f"\n{'class'.ljust(width)}  precision  recall      f1  images")
    for label, precision, recall, f1, images in rows:
        click.echo(f"{label.ljust(width)}  {precision:9.4f}  {recall:6.4f}  {f1:6.4f}  {images:8d}")


def graph(figures: dict[str, Any]) -> None:
    """What became of a network on its way to ONNX: a line a kind of node on a terminal, else the sums in one line.

    `figures` are those of the gate `onnx_lint`.
    """
    stages = {"tf2onnx": figures["converted"], "file": figures["file"], "fused": figures["fused"]}
    sums = {stage: sum(nodes.values()) for stage, nodes in stages.items()}
    asked_for = f"Transposes: {figures['transposes']}, asked for by the network: {figures['transposes_asked_for']}"
    if not sys.stdout.isatty():
        click.echo(
            f"ONNX nodes: {sums['tf2onnx']} as converted, {sums['file']} in the file, "
            f"{sums['fused']} as onnxruntime fuses them; {asked_for}"
        )
        return
    kinds = {kind: [nodes.get(kind, 0) for nodes in stages.values()] for nodes in stages.values() for kind in nodes}
    rows = [*sorted(kinds.items(), key=lambda row: [-max(row[1]), row[0]]), ("all", list(sums.values()))]
    width = max(len(kind) for kind, _ in rows)
    click.echo(f"\n{'ONNX nodes'.ljust(width)}" + "".join(f"{stage:>9}" for stage in stages))
    for kind, counts in rows:
        click.echo(kind.ljust(width) + "".join(f"{count or '':>9}" for count in counts))
    click.echo(f"{asked_for}; fused is as onnxruntime's extended level makes it of the file\n")
