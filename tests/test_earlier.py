"""Runs and artifacts of earlier versions (tests/earlier, by schema and commit) work with every verb.

Each was made by `zoo train cnn --size small --data digits --set epochs=3 --out run` and
`zoo export run --out artifact`; checkpoints and drawings are left out.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Answer
from zoo import artifact, migration, run

EARLIER = sorted((Path(__file__).parent / "earlier").iterdir())


@pytest.fixture(params=EARLIER, ids=lambda folder: folder.name)
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the committed folder, which no verb may change."""
    return Path(shutil.copytree(request.param, tmp_path / "earlier"))


def accuracy_of(folder: Path) -> float:
    """The accuracy of the ONNX file, in the manifest's schema of that version."""
    return float(json.loads((folder / "artifact" / artifact.MANIFEST).read_text())["accuracy"]["onnx"]["accuracy"])


def test_the_artifact_is_verified(earlier: Path, zoo_command: Callable[..., Answer]) -> None:
    done = zoo_command("verify", earlier / "artifact", "--json")
    assert (done.status, json.loads(done.out)["passed"]) == (0, True)


@pytest.mark.parametrize("kind", ["run", "artifact"])
def test_it_says_what_it_is(kind: str, earlier: Path, zoo_command: Callable[..., Answer]) -> None:
    done = zoo_command("info", earlier / kind)
    assert done.status == 0
    assert "29,066" in done.out


@pytest.mark.parametrize("kind", ["run", "artifact"])
def test_its_accuracy_is_what_it_was(
    kind: str, earlier: Path, tmp_path: Path, zoo_command: Callable[..., Answer]
) -> None:
    done = zoo_command("evaluate", earlier / kind, "--out", tmp_path / "evaluation", "--json")
    assert done.status == 0
    assert json.loads(done.out)["accuracy"] == accuracy_of(earlier)


def test_it_is_published(earlier: Path, tmp_path: Path, zoo_command: Callable[..., Answer]) -> None:
    assert zoo_command("publish", earlier / "artifact", tmp_path / "base").status == 0
    assert zoo_command("verify", tmp_path / "base").status == 0


def test_the_run_is_exported_and_the_artifact_predicts(
    earlier: Path, tmp_path: Path, zoo_command: Callable[..., Answer]
) -> None:
    from PIL import Image

    Image.linear_gradient("L").save(tmp_path / "image.png")
    made = tmp_path / "made"
    assert zoo_command("export", earlier / "run", "--onnx", "--out", made).status == 0
    manifest = artifact.read(made)
    assert manifest.schema == migration.SCHEMA
    assert manifest.score["onnx"].value == accuracy_of(earlier)
    before, after = (zoo_command("predict", folder, tmp_path / "image.png") for folder in (earlier / "artifact", made))
    assert (before.status, before.out) == (0, after.out)


@pytest.mark.usefixtures("no_trial_export")
def test_training_goes_on_from_the_run(earlier: Path, tmp_path: Path, zoo_command: Callable[..., Answer]) -> None:
    done = zoo_command(
        "train", "--weights", earlier / "run", "--data", "digits", "--set", "epochs=1", "--out", tmp_path / "tuned"
    )
    assert done.status == 0


def test_the_run_has_a_score(earlier: Path) -> None:
    score = run.read(earlier / "run").score
    assert score is not None
    assert score.value == accuracy_of(earlier)
