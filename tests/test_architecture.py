"""The rules of the architecture: allowed imports, functions that must not import a framework, content of the wheel."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import slow_tests

ROOT = Path(__file__).parent.parent
WINGS = {"zoo": "zoo", "export": "zoo.export", "serving": "zoo.serving"}
FRAMEWORKS = (
    "tensorflow",
    "keras",
    "onnx",
    "onnxruntime",
    "tf2onnx",
    "tensorflow_datasets",
    "sklearn",
    "matplotlib",
    "huggingface_hub",
)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names in an import statement, at any place in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(module: str) -> set[str]:
    """The files of the three wings that import `module` or a module below it."""
    return {
        path.relative_to(ROOT).as_posix()
        for wing in WINGS
        for path in (ROOT / wing).rglob("*.py")
        if any(name == module or name.startswith(f"{module}.") for name in imports(path))
    }


def test_the_zoo_imports_no_other_wing_but_in_its_verbs_and_its_command_line() -> None:
    outside = importers("zoo.export") | importers("zoo.serving")
    assert not [path for path in outside if path.startswith("zoo/") and not path.startswith(("zoo/cli/", "zoo/verbs/"))]


def test_only_the_command_line_and_the_public_names_know_the_verbs() -> None:
    outside = {path for path in importers("zoo.verbs") if not path.startswith(("zoo/cli/", "zoo/verbs/"))}
    assert outside == {"zoo/__init__.py"}


def test_the_export_and_the_serving_do_not_know_each_other() -> None:
    assert not [path for path in importers("zoo.serving") if path.startswith("export/")]
    assert not [path for path in importers("zoo.export") if path.startswith("serving/")]


def test_the_onnx_export_knows_neither_int8_nor_tf_serving() -> None:
    outside = importers("zoo.export.int8") | importers("zoo.export.tf_serving")
    assert not [path for path in outside if path.startswith("export/onnx/")]


@pytest.mark.parametrize(
    ("module", "home"),
    [
        ("onnxruntime", "zoo/formats/onnx.py"),
        ("tf2onnx", "export/onnx/conversion.py"),
        ("tensorflow_datasets", "zoo/data/sources/tfds.py"),
        ("huggingface_hub", "zoo/weights/hub.py"),
        ("grpc", "zoo/training/data_service.py"),
        ("fsspec", "zoo/stores.py"),
        ("matplotlib", "zoo/drawing.py"),
    ],
)
def test_some_libraries_have_one_home(module: str, home: str) -> None:
    assert importers(module) == {home}


def awake(code: str) -> set[str]:
    """The frameworks that a fresh process has imported after `code`."""
    program = f"import sys\n{code}\nprint('modules:', *(m for m in {FRAMEWORKS!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.rpartition("modules:")[2].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list"],
        ["list", "res*", "--json"],
        ["info", "vgg"],
        ["train", "-h"],
        ["pull", "-h"],
        ["publish", "-h"],
        ["doctor", "-h"],
    ],
)
def test_looking_wakes_no_framework(arguments: list[str]) -> None:
    code = f"sys.argv = ['zoo', *{arguments!r}]\nfrom zoo.cli import main\ntry: main()\nexcept SystemExit: pass"
    assert awake(code) == set()


def test_importing_zoo_imports_nothing_else() -> None:
    code = (
        "import sys, zoo; print(*(m for m in sys.modules if m.startswith('zoo.') or m in ('numpy', 'click', 'rich')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_looking_up_the_public_names_wakes_no_framework() -> None:
    assert (
        awake("import zoo; [getattr(zoo, name) for name in zoo.__all__]; zoo.list_models(); zoo.info('vgg')") == set()
    )


def test_deciding_about_a_training_wakes_no_framework() -> None:
    code = """
from zoo.training.decision import decide
from zoo.training.request import TrainingRequest
decide(TrainingRequest(family='cnn', method='simclr'))
decide(TrainingRequest(family='cnn', unlabeled='rest'))
decide(TrainingRequest(family='bert', method='mlm'))
"""
    assert awake(code) == set()


def test_the_public_api_is_all_there() -> None:
    import zoo

    for name in zoo.__all__:
        assert getattr(zoo, name) is not None
    assert zoo.__all__ == sorted(zoo._HOMES)
    assert set(zoo.__all__) <= set(dir(zoo))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = zoo.nothing


def test_every_slow_test_exists() -> None:
    for name in slow_tests():
        path, _, function = name.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {function}(" in text or not function, f"tests/slow.txt names {name}, which is not there"


def test_the_wheel_has_one_top_level_name_and_all_modules(tmp_path: Path) -> None:
    """It is built from a copy: setuptools packs whatever an earlier build left in the folder build of a checkout."""
    copy = tmp_path / "copy"
    for wing in WINGS:
        shutil.copytree(ROOT / wing, copy / wing, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "copy"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name.startswith("keras_zoo-")
    modules = {
        "/".join((*package.split("."), *path.relative_to(ROOT / wing).parts))
        for wing, package in WINGS.items()
        for path in (ROOT / wing).rglob("*.py")
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == {*modules, "zoo/py.typed", "zoo/data/imagenet.tsv"}
