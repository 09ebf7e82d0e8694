"""The networks that zoo and its peers share, from `models.tsv`. This module needs only Python's standard library."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("models.tsv")


@dataclass(frozen=True)
class Peer:
    """One row: a network of zoo and what timm and keras.applications call the same network.

    `keras_applications` is empty if it lacks the network. `parameters` counts trainable parameters with 1000 classes.
    """

    family: str
    size: str
    timm: str
    keras_applications: str
    parameters: int

    @property
    def name(self) -> str:
        """FAMILY-SIZE, the stem of the network's files."""
        return f"{self.family}-{self.size}"


def peers(only: Collection[str] = ()) -> list[Peer]:
    """The rows in the order of the table; with `only`, those whose family or FAMILY-SIZE is among them."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = [
            Peer(row["family"], row["size"], row["timm"], row["keras_applications"], int(row["parameters"]))
            for row in csv.DictReader(file, delimiter="\t")
        ]
    return [row for row in rows if not only or {row.family, row.name} & set(only)]


def with_weights(folder: Path) -> list[Peer]:
    """The rows whose FAMILY-SIZE.safetensors is in a folder.

    Raises:
        SystemExit: none is.
    """
    found = [peer for peer in peers() if (folder / f"{peer.name}.safetensors").exists()]
    if not found:
        raise SystemExit(f"{folder} has no FAMILY-SIZE.safetensors: make them with export_timm --weights")
    return found


def add_only(parser: argparse.ArgumentParser) -> None:
    """Add the option `--only`, which refuses names that are not in the table."""
    parser.add_argument(
        "--only", nargs="+", default=[], type=_known, metavar="NAME", help="families or FAMILY-SIZE; all when not given"
    )


def _known(name: str) -> str:
    if not peers([name]):
        raise argparse.ArgumentTypeError(f"no network is called '{name}': {TABLE.name} lists them")
    return name
