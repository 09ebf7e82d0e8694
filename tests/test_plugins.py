"""Modules that installed packages add through entry points."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zoo import plugins
from zoo.errors import ZooError


def bring(folder: Path, group: str, points: dict[str, str]) -> None:
    """Write an installed package that has entry points."""
    info = folder / "brought-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
    lines = [f"[{group}]", *(f"{name} = {module}" for name, module in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def test_a_module_is_found_in_the_package_and_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (
        ("parts/__init__", ""),
        ("parts/first", "A = 1\n"),
        ("parts/_hidden", ""),
        ("outside", "A = 2\n"),
    ):
        (tmp_path / f"{name}.py").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(text)
    bring(tmp_path, "parts", {"second": "outside", "first": "outside"})
    monkeypatch.syspath_prepend(str(tmp_path))
    assert plugins.names("parts") == {"first": "parts.first", "second": "outside"}
    assert "outside" not in sys.modules
    assert {name: module.A for name, module in plugins.modules("parts").items()} == {"first": 1, "second": 2}
    for name in ("parts", "parts.first", "outside"):
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("text", ["import nothing_of_this_name", "1 / 0", "def f(:"])
def test_a_broken_module_of_an_installed_package_is_named(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_module.py").write_text(text)
    bring(tmp_path, "zoo.models", {"broken": "broken_module"})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        ZooError, match=r"adds broken_module to zoo\.models, and it cannot be imported \(\w+Error: .*fix or"
    ):
        plugins.modules("zoo.models")
