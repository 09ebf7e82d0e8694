"""Tables by the command line: from a CSV file to answers, and wrong requests."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import zoo
from tests import processes
from tests.conftest import Answer
from zoo.tasks.classes import balanced

Command = Callable[..., Answer]
COLUMNS = ("age", "city", "since", "member", "bought")
ROW = ("33", "Bern", "2020-01-01", "yes")
DRIVER = Path(__file__).parents[1] / "training" / "driver.py"


def write(path: Path, *rows: tuple[object, ...]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def shop(folder: Path) -> Path:
    """A table of numbers, words, dates and booleans with missing values, one class of which is rare."""
    draw = random.Random(0)
    rows = []
    for _ in range(200):
        age, city, member = draw.randint(18, 80), draw.choice(["Bern", "Köln", "Lyon"]), draw.choice(["yes", "no"])
        since = f"20{draw.randint(10, 24)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
        often = member == "yes" and city == "Bern"
        shown = [value if draw.random() > 0.1 else "" for value in (age, city)]
        rows.append((*shown, since, member, "often" if often else "rarely"))
    return write(folder / "shop.csv", COLUMNS, *rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table, a run of it and an artifact; the tests leave them alone."""
    folder = tmp_path_factory.mktemp("tables")
    said: list[str] = []
    settings = {"class_weights": "balanced", "optimizer.l2": 1e-3, "epochs": 20}
    source = f"csv:{shop(folder)}"
    zoo.train("linear", data=source, target_column="bought", set=settings, out=folder / "run", say=said.append)
    assert any(line.startswith("class weights: often 3.1") for line in said), said
    assert "column since: dates from" in "\n".join(said)
    zoo.export_run(folder / "run", out=folder / "artifact")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_csv_file_becomes_an_artifact_that_answers_rows(made: Path, place: Path, zoo_command: Command) -> None:
    rows = write(place / "rows.csv", COLUMNS[:4], ROW, ("", "Paris", "2021-05-06", "no"))
    answer = zoo_command("predict", made / "artifact", rows, "--out", "answers.csv")
    assert answer.status == 0, answer.err
    first, second = csv.DictReader((place / "answers.csv").open(encoding="utf-8"))
    assert (first["name"], first["label"], second["label"]) == (f"{rows} line 2", "often", "rarely")
    verified = zoo_command("verify", made / "artifact")
    assert verified.status == 0, verified.err


def test_the_order_of_columns_does_not_matter_and_new_ones_are_named(
    made: Path, place: Path, zoo_command: Command
) -> None:
    plain = write(place / "plain.csv", COLUMNS[:4], ROW)
    mixed = write(place / "mixed.csv", ("new", *COLUMNS[3::-1]), ("1", *ROW[::-1]))
    found = [zoo_command("predict", made / "artifact", path, "--json") for path in (plain, mixed)]
    answers = [json.loads(one.out)["predictions"][0]["labels"] for one in found]
    assert answers[0] == answers[1]
    assert "columns that the network does not take: 'new'" in found[1].err


def test_coefficients_have_the_names_of_columns_and_words(made: Path) -> None:
    model = zoo.describe(made / "run")["explanation"]["rows"]
    assert {"intercept", "age", "age missing", "city missing", "city = Bern", "since", "member"} <= model.keys()


def test_examples_of_the_model_card_run(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    card = (made / "artifact" / "README.md").read_text()
    blocks = [part.partition("```")[0] for part in card.split("```python\n")[1:]]
    assert len(blocks) == 6
    for block in blocks:
        exec(block, {"__name__": "__main__"})


@pytest.mark.usefixtures("no_trial_export")
@pytest.mark.parametrize("settings", [(), ("--set", "optimizer.momentum=0")], ids=["default", "plain descent"])
def test_coefficients_of_y_equals_2x_are_printed_in_the_units_of_the_data(
    settings: tuple[str, ...], place: Path, zoo_command: Command
) -> None:
    write(place / "line.csv", ("x", "y"), (1, 2), (2, 4), (3, 6))
    trained = zoo_command("train", "linear", "--size", "small", "--data", "csv:line.csv", "--target", "y", *settings)
    assert trained.status == 0, trained.err
    shown = zoo_command("info", "runs/linear-small-line", "--json")
    rows = json.loads(shown.out)["explanation"]["rows"]
    assert abs(rows["x"][0] - 2) < 0.01
    assert abs(rows["intercept"][0]) < 0.01
    assert "coefficients in the units of the data" in zoo_command("info", "runs/linear-small-line").out


@pytest.mark.usefixtures("no_trial_export")
def test_metrics_have_the_names_of_scikit_learn(place: Path, zoo_command: Command) -> None:
    for family, data, wanted in (
        ("mlp", "iris", {"accuracy", "log_loss", "roc_auc"}),
        ("linear", "diabetes", {"r2", "rmse", "mae"}),
    ):
        assert zoo_command("train", family, "--data", data, "--epochs", 1, "--out", data).status == 0
        answer = zoo_command("evaluate", data, "--json")
        assert wanted <= json.loads(answer.out).keys(), answer.out
        drawings = {path.name for path in (place / "evaluations" / data).glob("*.png")}
        assert drawings == {{"iris": "confusion.png", "diabetes": "residuals.png"}[data]}
        answer = zoo_command("export", place / "evaluations" / data)
        assert_refused(answer, f"evaluations/{data} is an evaluation, not a run")


def test_a_task_that_no_package_brings_is_refused_in_one_line(made: Path, place: Path, zoo_command: Command) -> None:
    manifest = json.loads((made / "artifact/manifest.json").read_text(encoding="utf-8"))
    manifest["model"]["task"] = "ranking"
    (place / "other").mkdir()
    (place / "other/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    answer = zoo_command("verify", place / "other")
    assert answer.status == 1, answer.err
    (line,) = [line for line in answer.err.splitlines() if line.startswith("zoo: ")]
    assert "manifest.json: model.task should be one of classes, " in line
    assert ", values, not 'ranking'" in line


def test_penalties_and_class_weights_are_equal_on_one_and_two_replicas(made: Path, place: Path) -> None:
    settings = ["epochs=2", "batch_size=8", "precision=float64", "optimizer.weight_decay=0", "class_weights=balanced"]
    weights = {}
    for name, devices, penalties in (
        ("one", "1", ["optimizer.l1=0.01", "optimizer.l2=0.1"]),
        ("two", "2", ["optimizer.l1=0.01", "optimizer.l2=0.1"]),
        ("none", "1", []),
    ):
        done = processes.run(DRIVER, name, devices, "never", "inf", "mlp-small", "iris", *settings, *penalties)
        assert done.returncode == 0, done.stderr
        weights[name] = load_file(place / name / "weights.safetensors")
    for key, value in weights["one"].items():
        np.testing.assert_allclose(weights["two"][key], value, rtol=1e-9, atol=1e-12)
    sums = {name: np.abs(arrays["hidden1/kernel"]).sum() for name, arrays in weights.items()}
    assert sums["one"] < 0.95 * sums["none"]


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    targets = np.array([0, 0, 0, 2, 2, 1])
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    np.testing.assert_allclose(balanced(targets, 3), wanted, rtol=1e-6)
    assert balanced(targets, 4)[3] == 1


WRONG_ROWS = {
    "a missing column": (("age", "city", "since"), ROW[:3], "rows.csv: there is no column 'member'"),
    "no number": (
        COLUMNS[:4],
        ("old", *ROW[1:]),
        "rows.csv line 2 cannot be read as a row: column 'age' takes numbers, not 'old'",
    ),
    "no date": (COLUMNS[:4], ("33", "Bern", "2020-13-01", "yes"), "has a word that is not a date"),
    "no boolean": (COLUMNS[:4], (*ROW[:3], "maybe"), "neither true nor false"),
    "ragged": (COLUMNS[:4], (*ROW, "1"), "line 2 has 5 values, not the 4"),
    "infinite": (COLUMNS[:4], ("1e999", *ROW[1:]), "too large for float32"),
    "NUL": (COLUMNS[:4], ("33", "B\0", *ROW[2:]), "line 2 has a NUL byte"),
    "a column twice": ((*COLUMNS[:4], "age"), (*ROW, "1"), "two columns 'age'"),
    "a long name": ((*COLUMNS[:4], "x" * 300), (*ROW, "1"), "300 characters, more than 200"),
}

WRONG_FILES = {
    "an empty file": ("rows.csv", b"", "is empty"),
    "only a header": ("rows.csv", b"age,city,since,member\n", "no rows"),
    "Latin-1": (
        "rows.csv",
        "age,city,since,member\n1,K\xf6ln,2020-01-01,no\n".encode("latin-1"),
        "line 2 is not UTF-8",
    ),
    "an open quote": ("rows.csv", b'age,city,since,member\n1,"Bern,2020-01-01,no\n', "is not CSV"),
    "no header": ("rows.csv", b"1,2,3,4\n5,6,7,8\n", "begins with numbers"),
    "an endless name": ("rows.csv", b"a" * (2**21 + 1), "first line of more than"),
    "a damaged gzip": ("rows.csv.gz", b"\x1f\x8b" + bytes(20), "cannot be read"),
    "a damaged Parquet": ("rows.parquet", b"PAR1" + bytes(60), "damaged Parquet"),
    "an image": ("rows.csv", b"\x89PNG\r\n\x1a\n" + bytes(60), "has a NUL byte"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_files_are_refused_in_one_line(made: Path, place: Path, zoo_command: Command, case: str) -> None:
    name, content, reason = WRONG_FILES[case]
    (place / name).write_bytes(content)
    assert_refused(zoo_command("predict", made / "artifact", place / name, "--out", "answers.csv"), reason)
    assert not (place / "answers.csv").exists()


def test_what_is_no_file_of_rows_is_refused(made: Path, place: Path, zoo_command: Command) -> None:
    assert_refused(zoo_command("predict", made / "artifact", "none.csv"), "there is no file")
    assert_refused(zoo_command("predict", made / "artifact", place), "is a folder")


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_wrong_rows_are_refused_in_one_line(made: Path, place: Path, zoo_command: Command, case: str) -> None:
    header, row, reason = WRONG_ROWS[case]
    path = place / "rows.csv"
    path.write_text("\n".join(",".join(cells) for cells in (header, row)) + "\n", encoding="utf-8")
    answer = zoo_command("predict", made / "artifact", path, "--out", "answers.csv")
    assert_refused(answer, reason)
    assert not (place / "answers.csv").exists()


def assert_refused(answer: Answer, reason: str) -> None:
    assert answer.status == 2, answer.err
    (line,) = [line for line in answer.err.splitlines() if line.startswith("zoo: ")]
    assert reason in line
    assert "Traceback" not in answer.err


WRONG_REQUESTS = {
    "no target": (["linear", "--data", "csv:{shop}"], "--target"),
    "an unknown target": (["linear", "--data", "csv:{shop}", "--target", "bougt"], "did you mean 'bought'?"),
    "a missing file": (["linear", "--data", "csv:none.csv", "--target", "y"], "there is no file"),
    "an empty file": (["linear", "--data", "csv:{empty}", "--target", "y"], "is empty"),
    "a folder": (["linear", "--data", "csv:.", "--target", "y"], "is a folder"),
    "identifiers": (["linear", "--data", "csv:{named}", "--target", "y"], "--set table.ignore=name"),
    "an unknown column to ignore": (
        ["linear", "--data", "csv:{shop}", "--target", "bought", "--set", "table.ignore=cty"],
        "did you mean 'city'?",
    ),
    "a table for a network of images": (["cnn", "--data", "iris"], "iris"),
    "images for a network of tables": (["mlp", "--data", "digits"], "digits"),
    "weights of classes for values": (
        ["linear", "--data", "diabetes", "--set", "class_weights=balanced"],
        "class_weights=balanced weighs classes",
    ),
    "a penalty below 0": (["linear", "--data", "iris", "--set", "optimizer.l1=-1"], "optimizer.l1 should be"),
}


@pytest.mark.parametrize("case", WRONG_REQUESTS)
def test_wrong_requests_are_refused_in_one_line(made: Path, place: Path, zoo_command: Command, case: str) -> None:
    arguments, reason = WRONG_REQUESTS[case]
    files = {
        "shop": made / "shop.csv",
        "empty": write(place / "empty.csv"),
        "named": write(place / "named.csv", ("name", "x", "y"), *((f"n{i}", i % 7, "ab"[i % 2]) for i in range(40))),
    }
    answer = zoo_command("train", *(text.format(**files) for text in arguments), "--out", "run")
    assert_refused(answer, reason)
    assert not (place / "run").exists()


@pytest.mark.parametrize("unit", [1e26, 1e-27])
def test_values_of_any_magnitude_have_an_error(place: Path, unit: float) -> None:
    rows = [(number / 7, (number + 0.5) * unit) for number in range(60)]
    data = f"csv:{write(place / 'rows.csv', ('x', 'y'), *rows)}"
    run = zoo.train("linear", data=data, target_column="y", epochs=2, out=place / "run")
    assert 0 < run.run.results["val_rmse"] / unit < 100


@pytest.mark.full
def test_words_as_vectors_go_through_every_gate_in_every_format(made: Path, place: Path, zoo_command: Command) -> None:
    source = ("--data", f"csv:{made / 'shop.csv'}", "--target", "bought")
    trained = zoo_command("train", "mlp", "--size", "large", *source, "--epochs", 2, "--out", "run")
    assert trained.status == 0, trained.err
    exported = zoo_command("export", "run", "--out", "artifact", "--onnx", "--saved-model", "--fp16")
    assert exported.status == 0, exported.err
    assert zoo_command("verify", "artifact").status == 0


@pytest.mark.full
def test_values_beyond_float16_have_an_fp16_file(place: Path, zoo_command: Command) -> None:
    draw = random.Random(0)
    rows = [(1e6 + draw.gauss(0, 1e5), draw.random()) for _ in range(200)]
    write(place / "income.csv", ("income", "share", "price"), *((x, s, 3e5 + 0.5 * x + 1e4 * s) for x, s in rows))
    source = ("--data", "csv:income.csv", "--target", "price")
    trained = zoo_command("train", "mlp", *source, "--epochs", 5, "--out", "run")
    assert trained.status == 0, trained.err
    exported = zoo_command("export", "run", "--out", "artifact", "--onnx", "--fp16")
    assert exported.status == 0, exported.err
    answers = []
    for runtime in ("onnx", "onnx_fp16"):
        found = zoo_command("predict", "artifact", "income.csv", "--runtime", runtime, "--json")
        answers.append([one["values"]["price"] for one in json.loads(found.out)["predictions"]])
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-2)


@pytest.mark.usefixtures("no_trial_export")
def test_years_go_through_every_gate_in_every_format(place: Path, zoo_command: Command) -> None:
    draw = random.Random(0)
    rows = [(draw.gauss(0, 1), draw.gauss(0, 1)) for _ in range(300)]
    write(place / "wines.csv", ("sugar", "acid", "year"), *((s, a, 2000 + 10 * s - 4 * abs(a)) for s, a in rows))
    source = ("--data", "csv:wines.csv", "--target", "year")
    trained = zoo_command("train", "mlp", *source, "--epochs", 3, "--out", "run")
    assert trained.status == 0, trained.err
    chosen = ("--onnx", "--saved-model", "--fp16", "--int8", "--force")
    exported = zoo_command("export", "run", "--out", "artifact", *chosen)
    assert exported.status == 0, exported.err
    assert zoo_command("verify", "artifact").status == 0
