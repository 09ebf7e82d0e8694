"""The documents, and the place of each table in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.tables import accuracies, exported_files, methods
from benchmarks.tables.figures import ROOT

PLACE = re.compile(r"(<!-- table: (?P<name>[a-z0-9-]+) -->\n).*?(\n<!-- end of table -->)", re.DOTALL)


def documents() -> Iterator[Path]:
    """The documents that may hold tables."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").glob("*.md"))


def filled(text: str) -> str:
    """A document whose tables are generated from the present figures."""
    return PLACE.sub(lambda place: f"{place[1]}\n{TABLES[place['name']]()}\n{place[3]}", text)


TABLES: dict[str, Callable[[], str]] = {
    "latency-short": lambda: exported_files.latency(exported_files.README_NETWORKS),
    "latency": exported_files.latency,
    "settings": exported_files.settings,
    "sequences": exported_files.sequences,
    "int8-stock": exported_files.stock,
    "parity": exported_files.parity,
    "exports": exported_files.exports,
    "demo": exported_files.demo,
    "families": exported_files.families,
    "accuracy": accuracies.accuracy,
    "trainings": accuracies.trainings,
    "fashion-mnist": accuracies.fashion_mnist,
    "fine-tuning": accuracies.fine_tuning,
    "tables-accuracy": accuracies.tables_accuracy,
    "tables-large": accuracies.tables_large,
    "audio-synthetic": accuracies.audio_synthetic,
    "training-speed": methods.training_speed,
    "equivalence": methods.equivalence,
    "distillation": methods.distillation,
    "pruning": methods.pruning,
    "label-fraction": methods.label_fraction,
    "several-tasks": methods.several_tasks,
    "ingredients": methods.ingredients,
    "scale": methods.scale,
    "scale-laws": methods.scale_laws,
}
"""Every table by the name that documents use."""
