"""The verbs on the command line: their standard output, standard error and exit status."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serving.handmade import make_artifact, manifest, sign, write_saved_model_stub
from zoo import artifact, schema

Command = Callable[..., Any]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with two artifacts below `artifacts`, of which `new` is the newer one."""
    for name, finished in (("old", "2026-01-01T00:00:01"), ("new", "2026-01-02T00:00:01")):
        folder = make_artifact(tmp_path / "artifacts" / name)
        sign(folder, export={**schema.to_dict(manifest(()).export), "finished": finished})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_verify_passes_and_says_what_it_looked_at(house: Path, zoo_command: Command) -> None:
    answer = zoo_command("verify", "artifacts/old")
    assert (answer.status, answer.err) == (0, "")
    assert "onnx_golden" in answer.out
    assert "FAILED" not in answer.out
    answer = zoo_command("verify", "artifacts/old", "--json")
    document = json.loads(answer.out)
    assert (document["artifact"], document["passed"]) == ("artifacts/old", True)
    assert all(gate["passed"] for gate in document["gates"])


def test_verify_says_if_no_answer_was_computed(
    house: Path, zoo_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_artifact(house / "artifacts/served", ("saved_model",))
    write_saved_model_stub(folder)
    sign(folder)
    monkeypatch.setattr("zoo.formats.is_installed", lambda row: False)
    answer = zoo_command("verify", folder, "--json")
    assert (answer.status, json.loads(answer.out)["passed"]) == (0, True), answer.err
    assert answer.err == "the golden answers were not computed: install tensorflow for that\n"


def test_verify_takes_the_newest_and_says_so(house: Path, zoo_command: Command) -> None:
    answer = zoo_command("verify", "--json")
    assert answer.status == 0
    assert json.loads(answer.out)["artifact"] == "artifacts/new"
    assert "artifacts/new" in answer.err


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_verify_refuses_with_the_names_of_the_gates(house: Path, zoo_command: Command, as_json: list[str]) -> None:
    with (house / "artifacts/new/labels.txt").open("a") as labels:
        labels.write("dog\n")
    answer = zoo_command("verify", "artifacts/new", *as_json)
    assert answer.status == 1
    assert answer.err.count("\n") == 1
    assert "files, labels" in answer.err
    if as_json:
        assert json.loads(answer.out)["passed"] is False
    else:
        assert re.search(r"FAILED +labels\.txt: 17 bytes, not 13", answer.out)


@pytest.mark.parametrize("arguments", [("verify",), ("predict", "x.png"), ("benchmark",)])
def test_no_artifact_at_all_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zoo_command: Command, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = zoo_command(*arguments)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "zoo export" in answer.err


def test_predict_prints_labels_with_probabilities(house: Path, images: Path, zoo_command: Command) -> None:
    answer = zoo_command("predict", "artifacts/old", images, "--top", 2)
    assert answer.status == 0
    assert answer.err.startswith("left out: 2: ")
    assert answer.err.count("\n") == 1
    assert "notes.txt" in answer.err
    assert "within (a folder)" in answer.err
    lines = answer.out.splitlines()
    assert [Path(line).name for line in lines[::3]] == ["1.gif", "2.JPG", "10.png"]
    assert all(line.split()[1] == "%" and line.split()[2] in ("ant", "bee", "crow") for line in lines[1::3])


def test_predict_as_json_by_the_newest(house: Path, images: Path, zoo_command: Command) -> None:
    answer = zoo_command("predict", images / "1.gif", images / "10.png", "--json")
    document = json.loads(answer.out)
    assert document["artifact"] == "artifacts/new"
    assert "artifacts/new" in answer.err
    assert [Path(one["name"]).name for one in document["predictions"]] == ["1.gif", "10.png"]
    assert sum(one["probability"] for one in document["predictions"][0]["labels"]) == pytest.approx(1, abs=1e-5)


def test_predict_writes_a_row_for_each_example(house: Path, images: Path, zoo_command: Command) -> None:
    labels = ["=1+1", '@"bee', "cr\now"]
    folder = house / "artifacts/old"
    sign(folder, model={**schema.to_dict(artifact.read(folder).model), "labels": labels})
    (images / "10.png").rename(images / "+10.png")
    (images / "2.JPG").rename(images / os.fsdecode(b"caf\xe9.jpg"))
    answer = zoo_command("predict", folder, images, "--top", 2, "--out", "answers.csv")
    assert (answer.status, answer.out) == (0, "")
    assert answer.err.splitlines()[0] == "wrote answers.csv"
    with Path("answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["name", "label", "probability", "label_2", "probability_2"]
    wanted = json.loads(zoo_command("predict", folder, images, "--json").out)["predictions"]
    assert {Path(row["name"]).name for row in rows} == {"1.gif", "+10.png", "caf\\udce9.jpg"}
    for row, one in zip(rows, wanted, strict=True):
        assert row["name"] == one["name"].replace("\udce9", "\\udce9")
        assert (row["label"], row["label_2"]) == tuple(label["label"] for label in one["labels"][:2])
        assert float(row["probability"]) == pytest.approx(one["labels"][0]["probability"])
    assert {row["label"] for row in rows} <= set(labels)


def test_predict_writes_answers_whole_or_not_at_all(house: Path, images: Path, zoo_command: Command) -> None:
    (images / "99.png").write_bytes((images / "10.png").read_bytes()[:60])
    before = sorted(house.iterdir())
    answer = zoo_command("predict", "artifacts/old", images, "--out", "answers.csv")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert sorted(house.iterdir()) == before
    (house / "answers.csv").write_text("kept", encoding="utf-8")
    answer = zoo_command("predict", "artifacts/old", images / "1.gif", "--out", "answers.csv")
    assert (answer.status, answer.err) == (
        2, "zoo: answers.csv exists already: choose another place, or remove it first\n",
    )  # fmt: skip
    assert (house / "answers.csv").read_text(encoding="utf-8") == "kept"


def test_predict_answers_nothing_when_an_image_is_damaged(house: Path, images: Path, zoo_command: Command) -> None:
    (images / "99.png").write_bytes((images / "10.png").read_bytes()[:60])
    answer = zoo_command("predict", "artifacts/old", images)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "99.png" in answer.err


def test_labels_cannot_paint_the_terminal(house: Path, images: Path, zoo_command: Command) -> None:
    labels = ["\x1b[31mred", "[bold]bee[/bold]", ":smile:"]
    folder = house / "artifacts/old"
    sign(folder, model={**schema.to_dict(artifact.read(folder).model), "labels": labels})
    answer = zoo_command("predict", folder, images / "1.gif")
    assert answer.status == 0
    assert "\x1b" not in answer.out
    assert "[bold]bee[/bold]" in answer.out
    assert ":smile:" in answer.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "nowhere"),
        ("predict", "artifacts/old"),
        ("predict", "artifacts/old", "nothing.png"),
        ("predict",),
        ("predict", "artifacts/old", "nothing.png", "--top", "0"),
        ("predict", "artifacts/old", "nothing.png", "--top", "many"),
        ("benchmark", "nowhere"),
        ("benchmark", "artifacts/old", "--batch", "1,x"),
        ("benchmark", "artifacts/old", "--batch", ""),
        ("benchmark", "artifacts/old", "--batch", "0"),
        ("benchmark", "artifacts/old", "--threads", "100000"),
        ("benchmark", "artifacts/old", "--runtime", "tflite"),
        ("benchmark", "artifacts/old", "--runtime", "saved_model"),
        ("benchmark", "artifacts/old", "--seconds", "-1"),
        ("benchmark", "artifacts/old", "--csv", "taken.csv"),
    ],
    ids=" ".join,
)
def test_wrong_requests_end_with_one_line(house: Path, zoo_command: Command, arguments: tuple[str, ...]) -> None:
    (house / "taken.csv").write_text("kept", encoding="utf-8")
    answer = zoo_command(*arguments)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert (house / "taken.csv").read_text(encoding="utf-8") == "kept"


_NO_TENSORFLOW = 'raise RuntimeError("TensorFlow was imported")\n'


def test_no_verb_on_onnx_wakes_a_framework(house: Path, images: Path) -> None:
    """The test runs fresh processes in which importing TensorFlow, Keras, onnx or scikit-learn raises an error."""
    barred = house / "barred"
    for name in ("tensorflow", "keras", "sklearn", "onnx"):
        (barred / name).mkdir(parents=True)
        (barred / name / "__init__.py").write_text(_NO_TENSORFLOW, encoding="utf-8")

    def zoo(*arguments: object) -> str:
        code = "import sys; from zoo.cli import main; sys.argv[0] = 'zoo'; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=house,
            env=os.environ | {"PYTHONPATH": str(barred)},
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(zoo("verify", "artifacts/old", "--json"))["passed"]
    assert zoo("predict", "artifacts/old", images)
    csv_file = house / "rows.csv"
    measured = ["--batch", "1", "--threads", "1", "--seconds", "0.01", "--runtime", "onnx", "--json", "--csv", csv_file]
    document = json.loads(zoo("benchmark", "artifacts/old", "artifacts/new", *measured))
    assert [row["artifact"] for row in document["rows"]] == ["artifacts/old", "artifacts/new"]
    assert document["provenance"]["versions"]["onnxruntime"]
    assert document["provenance"]["command"].startswith("zoo benchmark artifacts/old")
    with csv_file.open(encoding="utf-8", newline="") as file:
        assert [row["artifact"] for row in csv.DictReader(file)] == ["artifacts/old", "artifacts/new"]
    assert "examples/s" in zoo("benchmark", *measured[:-3])


def test_a_missing_library_is_not_a_damaged_artifact(
    house: Path, zoo_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    answer = zoo_command("verify", "artifacts/new")
    assert answer.status == 2
    assert answer.err == "zoo: onnx needs onnxruntime, which is not installed: install it, or use another runtime\n"


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    house: Path, zoo_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (house / "image.png").write_bytes(b"")
    for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("zoo.inputs.image")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    answer = zoo_command("predict", "artifacts/new", "image.png")
    assert answer.status == 2
    assert "is not installed: pip install 'pillow" in answer.err
    assert "unexpected" not in answer.err


def test_info_of_an_artifact_has_its_scores_and_a_folder_hides_no_family(house: Path, zoo_command: Command) -> None:
    (house / "resnet").mkdir()
    assert "He et al." in zoo_command("info", "resnet").out
    shown = zoo_command("info", "artifacts/new").out
    assert "score of onnx" in shown
    assert "accuracy 0.9500 (0.7600 to 0.9900)" in shown
