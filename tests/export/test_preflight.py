"""The trial export before a training is made once for each network, version and source code."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from tests.test_plugins import bring
from tests.training.tiny import described
from zoo import provenance, registry
from zoo.description import Model
from zoo.errors import Refused
from zoo.export import preflight


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The sizes of the networks that were tried, with an empty cache."""
    found: list[str] = []

    def try_export(description: Model) -> None:
        found.append(description.size)
        if description.size == "large":
            raise Refused("it cannot be exported")

    monkeypatch.setattr(preflight, "try_export", try_export)
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    return found


def test_a_success_is_remembered(tried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    small = described()
    for description in (small, small, dataclasses.replace(small, size="base"), small):
        preflight.preflight(description)
    assert tried == ["small", "base"]
    monkeypatch.setattr(provenance, "versions", lambda: {"tensorflow": "3.0"})
    preflight.preflight(small)
    assert tried == ["small", "base", "small"]


def test_a_failure_is_not_remembered(tried: list[str]) -> None:
    large = dataclasses.replace(described(), size="large")
    for _ in range(2):
        with pytest.raises(Refused, match="cannot be exported"):
            preflight.preflight(large)
    assert tried == ["large", "large"]


def test_no_more_than_so_many_are_remembered(tried: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "MOST", 2)
    for count in range(2, 7):
        preflight.preflight(dataclasses.replace(described(), labels=tuple(map(str, range(count)))))
        assert len([*(tmp_path / "cache" / "preflights").iterdir()]) <= 2


def test_a_cache_that_cannot_be_written_is_done_without(tried: list[str], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    for _ in range(2):
        preflight.preflight(described())
    assert tried == ["small", "small"]


@pytest.mark.parametrize("part", ["builder", "zoo.inputs", "zoo.tasks", "zoo.formats"])
def test_a_change_of_any_file_of_an_installed_package_is_tried(
    part: str, tried: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = described()
    package = tmp_path / "brought"
    (package / "parts").mkdir(parents=True)
    for path in ("__init__.py", "parts/__init__.py", "parts/mine.py", "blocks.py"):
        (package / path).write_text("")
    (package / ".#blocks.py").symlink_to("a link that an editor makes")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("brought", "brought.parts", "brought.parts.mine"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    if part == "builder":
        family = dataclasses.replace(registry.families()["cnn"], builder="brought.parts.mine")
        monkeypatch.setitem(registry.families(), "cnn", family)
    else:
        bring(tmp_path, part, {"mine": "brought.parts.mine"})
    for _ in range(2):
        preflight.preflight(description)
    assert tried == ["small"]
    os.utime(package / "blocks.py", (0, 0))
    preflight.preflight(description)
    assert tried == ["small", "small"]


def test_a_cache_that_cannot_be_read_is_done_without(
    tried: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / ("x" * 300)))
    for _ in range(2):
        preflight.preflight(described())
    assert tried == ["small", "small"]
