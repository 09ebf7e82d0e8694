"""Extensions: one file outside the package, found through an entry point, adds a part that every verb then supports.

Each test installs a package with one module (`brought`), and uses the new part in all verbs (`through_every_verb`).
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Answer
from tests.docs.doc_blocks import ROOT, blocks
from tests.test_plugins import bring
from zoo import complexity, create, registry
from zoo.errors import ZooError

Verbs = Callable[..., Answer]
Bring = Callable[[str, str], None]

FAMILY = next(block.text for block in blocks(ROOT / "docs" / "extend.md") if "FAMILY = " in block.text)
"""The family that the document prints, in ten lines."""

SIZE = """
    from zoo.family import Size

    SIZES = {"resnet": (Size("10", ("resnet10",), {"block": "basic", "blocks": (1, 1, 1, 1)}, 5_418_792, 889_229_312),)}
"""

SMALL = ("--set", "image.size=16")


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bring]:
    """A function that installs a module with an entry point of a group; it is gone after the test."""
    modules: list[str] = []

    def install(group: str, text: str) -> None:
        module = f"brought_{len(modules)}"
        folder = tmp_path / "installed" / module
        bring(folder, group, {module: module})
        (folder / f"{module}.py").write_text(textwrap.dedent(text))
        monkeypatch.syspath_prepend(str(folder))
        modules.append(module)
        registry.forget()

    yield install
    monkeypatch.undo()
    for module in modules:
        sys.modules.pop(module, None)
    registry.forget()


def through_every_verb(
    verbs: Verbs, out: Path, example: Path, *train: object, formats: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Train with the given arguments, export, verify, predict an example and measure; return what `train` printed."""
    run, artifact = out / "run", out / "artifact"

    def done(*arguments: object) -> Any:
        answer = verbs(*arguments, "--json")
        assert answer.status == 0, answer.err
        return json.loads(answer.out)

    trained = done("train", *train, "--epochs", 1, "--set", "batch_size=8", "--out", run)
    done("export", run, *formats, "--out", artifact)
    done("verify", artifact)
    assert done("predict", artifact, example)["predictions"][0]["labels"]
    assert done("benchmark", artifact, "--runtime", "onnx", "--batch", 1, "--threads", 1, "--seconds", 0.1)
    made: dict[str, Any] = trained
    return made


def test_a_family_of_ten_lines(brought: Bring, zoo_command: Verbs, tmp_path: Path, images_folder: Path) -> None:
    assert len([line for line in FAMILY.splitlines() if line.strip()]) <= 10
    brought("zoo.models", FAMILY)
    rows = json.loads(zoo_command("list", "tenlines", "--json").out)
    assert [row["size"] for row in rows] == ["small", "base", "large"]
    assert "Ten lines" in zoo_command("info", "tenlines").out
    example = images_folder / "class0" / "0.png"
    trained = through_every_verb(
        zoo_command, tmp_path, example, "tenlines", "--size", "base", "--data", f"folder:{images_folder}", *SMALL
    )
    assert (trained["model"]["family"], trained["model"]["size"]) == ("tenlines", "base")


@pytest.mark.usefixtures("no_trial_export")
def test_a_size_of_a_family_that_is_there(
    brought: Bring, zoo_command: Verbs, tmp_path: Path, images_folder: Path
) -> None:
    brought("zoo.models", SIZE)
    rows = json.loads(zoo_command("list", "resnet", "--json").out)
    assert [row["size"] for row in rows] == ["10", "small", "34", "base", "large"]
    model, row = create("resnet10"), registry.resolve("resnet10")[1]
    assert (complexity.parameters(model), complexity.multiply_adds(model)) == (row.parameters, row.multiply_adds)
    example = images_folder / "class0" / "0.png"
    arguments = ("resnet", "--size", "10", "--data", f"folder:{images_folder}", *SMALL)
    trained = through_every_verb(zoo_command, tmp_path, example, *arguments, formats=("--onnx",))
    assert trained["model"]["size"] == "10"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("X = 1", "holds neither FAMILY nor SIZES"),
        (SIZE.replace('"resnet":', '"resnt":'), "the size 10 is for a family 'resnt': did you mean 'resnet'?"),
        (SIZE.replace('"resnet10"', '"resnet50"'), "more than one family or size is called resnet50"),
        (SIZE.replace('Size("10"', 'Size("base"'), "more than one family or size is called resnet base"),
        (FAMILY.replace('"tenlines"', '"vgg"'), "more than one family or size is called vgg"),
        (FAMILY.replace('("large", 8)', '("huge", 8)'), "the family tenlines lacks large"),
    ],
)
def test_an_addition_that_cannot_be_is_refused_with_one_line(text: str, message: str, brought: Bring) -> None:
    brought("zoo.models", text)
    with pytest.raises(ZooError) as said:
        registry.families()
    assert message in str(said.value)
    assert "\n" not in str(said.value)
