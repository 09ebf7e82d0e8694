"""The tables of the documents match the recorded figures, and the documents cover every recipe key, verb and family."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.tables.documents import PLACE, filled
from tests.docs.doc_blocks import ROOT, pages
from zoo.cli import VERBS
from zoo.input import kinds
from zoo.recipe import Recipe
from zoo.registry import families
from zoo.schema import keys

LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def text(name: str) -> str:
    """A document."""
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_tables_are_what_the_script_makes_of_the_results(page: Path) -> None:
    found = page.read_text(encoding="utf-8")
    assert filled(found) == found, "run python -m benchmarks.tables --write"


def test_the_readme_has_the_table_that_the_script_prints() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks.tables"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    places = [place[0] for place in PLACE.finditer(text("README.md"))]
    assert places
    assert all(place in printed for place in places)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "results/README.md"])
def test_links_of_documents_outside_the_site_lead_somewhere(name: str) -> None:
    for link in LINK.findall(text(name)):
        assert ((ROOT / name).parent / link).exists(), f"{name} links to {link}"


def test_the_keys_of_a_recipe_are_explained() -> None:
    section = text("docs/train.md").partition("## The recipe\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `([a-z0-9_.]+)` \|", section, re.MULTILINE)) == sorted(recipe_keys())


def recipe_keys() -> Iterator[str]:
    """Every key that --set takes, with those of the kinds of input."""
    yield from (key for key in keys(Recipe) if key != "input")
    for name, kind in kinds().items():
        yield from (f"{name}.{key}" for key in keys(kind.settings) if key != "kind")


def test_every_verb_shows_its_help() -> None:
    assert not [verb for verb in VERBS if f"{{verb-help}} {verb}" not in text("docs/command-line.md")]


def test_every_family_is_introduced() -> None:
    assert not [name for name in families() if f"`{name}`" not in text("docs/families.md")]
