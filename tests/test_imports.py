"""Imports at module level: no cycles, no framework before it is needed, no family or kind of input in shared code."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.test_architecture import FRAMEWORKS, ROOT, WINGS
from zoo.input import kinds
from zoo.registry import families


def modules() -> dict[str, Path]:
    """Every module of the three wings, by its dotted name."""
    found = {}
    for wing, package in WINGS.items():
        for path in (ROOT / wing).rglob("*.py"):
            parts = path.relative_to(ROOT / wing).with_suffix("").parts
            found[".".join((package, *(part for part in parts if part != "__init__")))] = path
    return found


def loaded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement that runs when a module is imported: not those in functions or for type checkers."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from loaded(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from loaded(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from loaded(handler.body)


def imports(tree: ast.Module, known: set[str]) -> set[str]:
    """The modules of the wings that are imported when a module is imported."""
    names: set[str] = set()
    for node in loaded(tree.body):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in known else node.module for name in whole}
    return names & known


def test_no_module_imports_itself_by_way_of_others() -> None:
    known = modules()
    graph = {name: imports(ast.parse(path.read_text(encoding="utf-8")), set(known)) for name, path in known.items()}
    assert graph["zoo.registry"] >= {"zoo.family", "zoo.plugins"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_builders_import_what_they_build_with_at_their_top() -> None:
    for name in families():
        path = ROOT / "zoo" / "models" / name / "network.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = [
            node
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert not inside, f"{path} imports in a function"
        assert any("zoo.layers" in ast.unparse(node) or "layers" in ast.unparse(node) for node in tree.body)


def test_shared_code_names_no_family() -> None:
    """Neither as a string nor in an import, except in the families' own folders."""
    # "linear" is a word that is used for another thing, too: a shape of the learning rate.
    names = ({*families()} - {"linear"}) | {f"zoo.models.{name}" for name in families()}
    for module, path in modules().items():
        if module.startswith("zoo.models."):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant):
                assert node.value not in names, f"{path}:{node.lineno} names {node.value}"
            elif isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("zoo.models"), f"{path}:{node.lineno} imports a family"


def test_no_help_wakes_a_framework() -> None:
    """All help texts run in one process, because starting one for each would take long."""
    program = f"""
import sys, click
from click.testing import CliRunner
from zoo.cli import cli as group
names = group.list_commands(click.Context(group))
assert len(names) > 8, names
for name in [None, *names]:
    answer = CliRunner().invoke(group, [*([name] if name else []), "--help"])
    assert answer.exit_code == 0 and "Usage" in answer.output, answer.output
print("woken:", *(module for module in {FRAMEWORKS!r} if module in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.rpartition("woken:")[2].split() == []


def test_listing_the_models_wakes_no_framework() -> None:
    program = f"import sys, zoo; zoo.list_models(); print('woken:', *(m for m in {FRAMEWORKS!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["woken:"]


SHARED = ("zoo.inputs.", "zoo.models.", "zoo.data.sources.", "zoo.weights.")
"""Modules of one kind of input or of one publisher begin so; all others are shared by all kinds."""


def test_shared_code_names_no_kind_of_input() -> None:
    """Neither as a string nor in an import, except the default kind of families and runs that name none."""
    # "text" is a word that is used for other things, too: an encoding, a column.
    names = {*kinds(), *(f"zoo.inputs.{name}" for name in kinds())} - {"text"}
    for module, path in modules().items():
        if module.startswith(SHARED) or module in ("zoo.family", "zoo.migration"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant):
                assert node.value not in names, f"{path}:{node.lineno} names {node.value}"
            elif isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith(tuple(names)), f"{path}:{node.lineno} imports a kind"
