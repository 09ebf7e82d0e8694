"""`make docs` builds the whole site without a network, and fails on a broken link or an undocumented public name."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.doc_blocks import ROOT

FETCHED = re.compile(
    r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"(?:https?:)?//|@import\s+[\"']?http|url\([\"']?http"
)
"""Addresses that a browser would fetch from elsewhere."""


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """The command of the Makefile's target."""
    options = ("--fail-on-warning", "--keep-going", "--quiet", "-d", str(site) + ".doctrees")
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(source), str(site)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the site's sources and of the files that its pages include."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / "docs", copy / "docs")
    for path in (*ROOT.glob("*.md"), ROOT / "results" / "README.md", ROOT / "export" / "tf_serving" / "README.md"):
        (copy / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy / path.relative_to(ROOT))
    return copy / "docs"


def test_the_site_is_whole_and_fetches_nothing(sources: Path, tmp_path: Path) -> None:
    done = build(sources, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    for path in (tmp_path / "site").rglob("*"):
        if path.suffix in (".html", ".css"):
            assert not FETCHED.search(path.read_text(encoding="utf-8")), f"{path} wants the network"


def test_a_broken_link_and_an_undocumented_name_fail(sources: Path, tmp_path: Path) -> None:
    index, reference = sources / "index.md", sources / "api.md"
    index.write_text(index.read_text() + "\n[nowhere](nowhere.md) and [no heading](train.md#no-heading)\n")
    reference.write_text(reference.read_text().replace("zoo.create\n", "zoo.load\n"))
    done = build(sources, tmp_path / "site")
    assert done.returncode == 1
    for problem in ("nowhere", "no-heading", "zoo.create is public, and docs/api.md does not list it"):
        assert problem in done.stderr
