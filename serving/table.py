"""The rows of a benchmark as tables on a terminal, as CSV and as JSON."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.description import Provenance
from zoo.files import staged_file
from zoo.serving.benchmark import Row

if TYPE_CHECKING:
    from rich.table import Table

NARROWEST = 120
"""The least width in characters: a narrower terminal wraps lines, which is better than figures that are cut."""

LONGEST_NAME = 40
"""The longest name of an artifact that is not folded where standard output is not a terminal."""


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows as dictionaries that JSON takes, with the names of `Row`."""
    return [dataclasses.asdict(row) for row in rows]


def write_csv(path: Path, rows: Sequence[Row], provenance: Provenance) -> None:
    """Write the rows as CSV with a header, whole or not at all; the last columns say how each was measured.

    All versions and the whole machine are JSON. Those that figures depend on most have columns of their own, too.
    """
    provenance_columns = {
        "command": provenance.command,
        "seed": provenance.seed,
        "started": provenance.started,
        "processor": provenance.machine.get("processor"),
        "cpus": provenance.machine.get("cpus"),
        "onnxruntime": provenance.versions.get("onnxruntime"),
        "tensorflow": provenance.versions.get("tensorflow"),
        "versions": json.dumps(provenance.versions),
        "machine": json.dumps(provenance.machine),
    }
    columns = [field.name for field in dataclasses.fields(Row)]
    with staged_file(path) as staging, staging.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*columns, *provenance_columns])
        writer.writeheader()
        writer.writerows({**row, **provenance_columns} for row in as_json(rows))


def width(rows: Sequence[Row]) -> int:
    """Return the width at which neither names of up to `LONGEST_NAME` characters nor figures need two lines."""
    return NARROWEST + min(LONGEST_NAME, max(map(len, _short_names(rows).values())))


def tables(rows: Sequence[Row]) -> list[Table]:
    """Return a table of the measurements and one of the measured files, for terminals of `NARROWEST` or more."""
    names = _short_names(rows)
    measurements = _table(
        "p50 ms with the 95 % interval of the median; first ms: from the start of a process to its first answer;\n"
        "peak MiB: the most memory that the process held"
    )
    times = ("p50 ms", "p90 ms", "p99 ms", "runs", "examples/s", "load ms", "first ms")
    for title in ("batch", "threads", *times, "peak MiB"):
        measurements.add_column(title, justify="right", no_wrap=True)
    files = _table()
    for title in ("file MB", "parameters", "multiply-adds", "score (95 % interval)", "test examples"):
        files.add_column(title, justify="right", no_wrap=True)
    seen = set()
    block = None
    for row in rows:
        if block is not None and block != (row.threads, row.batch):
            measurements.add_section()
        block = row.threads, row.batch
        measurements.add_row(
            names[row.artifact],
            row.runtime,
            str(row.batch),
            str(row.threads),
            f"{_short(row.p50_ms)} ({_short(row.median_low_ms)}-{_short(row.median_high_ms)})",
            _short(row.p90_ms),
            _short(row.p99_ms),
            str(row.runs),
            _short(row.examples_per_second),
            _short(row.load_ms),
            _short(row.first_answer_ms),
            _short(row.peak_memory_mib),
        )
        if (row.artifact, row.runtime) not in seen:
            seen.add((row.artifact, row.runtime))
            files.add_row(
                names[row.artifact],
                row.runtime,
                _short(row.file_bytes / 1e6),
                f"{row.parameters:,}",
                f"{row.multiply_adds:,}",
                _score(row),
                "—" if row.test_examples is None else f"{row.test_examples:,}",
            )
    return [measurements, files]


def _table(caption: str | None = None) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        caption=caption,
        caption_justify="left",
    )
    table.add_column("artifact", overflow="fold", min_width=9)
    table.add_column("runtime", no_wrap=True)
    return table


def _short_names(rows: Sequence[Row]) -> dict[str, str]:
    """Return the name of each artifact's folder, or the whole path where two folders have the same name."""
    names = {path: Path(path).absolute().name for path in {row.artifact for row in rows}}
    folder_names = [*names.values()]
    return {path: path if folder_names.count(name) > 1 else name for path, name in names.items()}


def _score(row: Row) -> str:
    if row.score is None:
        return "not measured"
    return f"{row.metric} {row.score:.4f} ({row.score_low:.4f} to {row.score_high:.4f})"


def _short(value: float) -> str:
    """Format a number with three significant digits, or with all digits before the decimal point."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{decimals}f}"
