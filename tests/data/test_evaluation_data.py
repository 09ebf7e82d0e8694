"""Data that a model is evaluated on: their targets are read as the model's are, whatever the values alone suggest."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zoo
from tests.conftest import Answer, write_images
from tests.inputs.text.vocabularies import preprocessing
from zoo import run
from zoo.data.evaluation_data import load_for_evaluation
from zoo.description import Model, Part, Scale, labels_of
from zoo.errors import ZooError
from zoo.inputs.table.columns import Column
from zoo.inputs.table.preprocessing import TablePreprocessing
from zoo.verbs import evaluate as evaluation

Command = Callable[..., Answer]

TABLE = TablePreprocessing((Column("x", "number", knots=(0.0, 1.0)),))
STARS = Model("linear", "small", ("1", "2", "3", "4", "5"), TABLE, 12, 10)
RINGS = Model("linear", "small", ("y",), TABLE, 2, 1, task="values", scales=(Scale(9.0, 3.0),))


def rows(place: Path, *targets: object, name: str = "y") -> str:
    path = place / "rows.csv"
    path.write_text(f"x,{name}\n" + "".join(f"{number / 7},{target}\n" for number, target in enumerate(targets)))
    return f"csv:{path}"


def targets(model: Model, source: str, target: str = "y") -> list[Any]:
    found: list[Any] = load_for_evaluation(model, source, options={"target": target})[0].targets.tolist()
    return found


def test_few_integers_are_values_for_a_model_of_values(tmp_path: Path) -> None:
    source = rows(tmp_path, *[4, 5, 6] * 20)
    assert targets(RINGS, source)[:3] == [[4.0], [5.0], [6.0]]
    with pytest.raises(ZooError, match=r"labels of .* are not among the model's"):
        targets(STARS, source)


def test_integers_are_classes_for_a_model_of_classes(tmp_path: Path) -> None:
    assert targets(STARS, rows(tmp_path, 5, 1, 4, 2)) == [4, 0, 3, 1]
    assert targets(STARS, rows(tmp_path, 3, 3, 3)) == [2, 2, 2]


def test_booleans_are_the_same_classes_in_every_spelling(tmp_path: Path) -> None:
    for labels in (("False", "True"), ("false", "true")):
        model = Model("linear", "small", labels, TABLE, 4, 2)
        for spelled in (str, lambda value: str(value).lower(), lambda value: str(value).upper()):
            assert targets(model, rows(tmp_path, *map(spelled, (True, False, True)))) == [1, 0, 1]
    with pytest.raises(ZooError, match="'yes'"):
        targets(model, rows(tmp_path, "yes", "no"))


def test_the_only_value_may_have_another_name(tmp_path: Path) -> None:
    assert targets(RINGS, rows(tmp_path, 0.5, 7.25, name="rings of the shell"), "rings of the shell") == [[0.5], [7.25]]


def test_several_targets_are_read_as_those_of_the_model(tmp_path: Path) -> None:
    parts = (Part("stars", "classes", ("1", "2", "3")), Part("rings", "values", ("rings",)))
    model = Model(
        "linear", "small", labels_of(parts), TABLE, 8, 4, task="several", parts=parts, scales=(Scale(0, 1),) * 4
    )
    path = tmp_path / "rows.csv"
    path.write_text("x,rings,stars\n" + "0.5,7,2\n" * 3)
    assert targets(model, f"csv:{path}", "rings,stars") == [[1.0, 7.0]] * 3


def test_words_are_no_values(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="has no numbers"):
        targets(RINGS, rows(tmp_path, "red", "green"))


def test_a_folder_of_one_class_can_be_measured(digits_made: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "new", classes=1, each=3, side=12)
    folder = tmp_path / "new" / "class0"
    model = run.read(digits_made / "runs/cnn-small-digits").model
    folder.rename(folder.with_name(model.labels[2]))
    examples, _ = load_for_evaluation(model, f"folder:{tmp_path / 'new'}")
    assert examples.targets.tolist() == [2, 2, 2]


def test_options_of_the_training_are_those_of_its_source_only(tmp_path: Path) -> None:
    source = rows(tmp_path, *["yes", "no"] * 20, name="bought")
    zoo.train("linear", data=source, target_column="bought", epochs=1, out=tmp_path / "run")
    with pytest.raises(ZooError, match=r"the 3 labels of iris are not among the model's"):
        zoo.evaluate(tmp_path / "run", data="iris", out=tmp_path / "iris")
    with pytest.raises(ZooError, match=r"^--target, --text: only for other data: name them with --data"):
        zoo.evaluate(tmp_path / "run", target_column="bought", text_column="x")
    found = zoo.evaluate(tmp_path / "run", data=source, include_training=True, out=tmp_path / "again")
    assert found.overlap.of == 40


def test_rows_that_do_not_fit_at_all_are_refused(tmp_path: Path) -> None:
    source = rows(tmp_path, *["yes", "no"] * 20)
    zoo.train("linear", data=source, target_column="y", epochs=1, out=tmp_path / "run")
    (tmp_path / "wrong.csv").write_text("x,y\n" + "long,yes\nshort,no\n" * 4)
    with pytest.raises(ZooError, match=r"no example of .* fits the network's input"):
        zoo.evaluate(tmp_path / "run", data=f"csv:{tmp_path / 'wrong.csv'}", bad_examples="skip", out=tmp_path / "out")


def test_data_that_were_moved_are_recorded_by_their_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows(tmp_path, *["yes", "no"] * 20)
    monkeypatch.chdir(tmp_path.parent)
    made = zoo.train(
        "linear", data="csv:/gone/rows.csv", data_dir=tmp_path.name, target_column="y", epochs=1, out=tmp_path / "run"
    )
    monkeypatch.chdir(tmp_path)
    assert zoo.evaluate(made.folder, out=tmp_path / "out").overlap.examples == 0


def test_a_name_that_is_taken_while_answers_are_computed_costs_no_results(
    digits_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    compute = evaluation._measured_outputs

    def meanwhile(*arguments: Any) -> np.ndarray:
        (tmp_path / "evaluations/cnn-small-digits").mkdir(parents=True)
        return compute(*arguments)

    monkeypatch.setattr(evaluation, "_measured_outputs", meanwhile)
    done = zoo.evaluate(digits_made / "artifacts/cnn-small-digits")
    assert done.folder == Path("evaluations/cnn-small-digits-2")
    assert (done.folder / "report.json").exists()


def test_a_missing_library_of_the_figures_is_named_before_the_answers_are_computed(
    digits_made: Path, tmp_path: Path, zoo_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sklearn", "sklearn.metrics"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(evaluation, "load_again", lambda *arguments: pytest.fail("the data are loaded"))
    for made in ("artifacts", "runs"):
        answer = zoo_command("evaluate", digits_made / made / "cnn-small-digits")
        assert answer.status == 2
        assert answer.err.endswith(" is not installed: pip install 'scikit-learn>=1.7'\n")


def test_missing_classes_are_skipped_as_in_training(tmp_path: Path) -> None:
    source, known = rows(tmp_path, 1, "NA", 2), Model("linear", "small", ("1", "2"), TABLE, 12, 10)
    examples, data = load_for_evaluation(known, source, options={"target": "y"}, bad_examples="skip")
    assert examples.targets.tolist() == [0, 1]
    assert data.skipped == ("rows.csv line 3: column 'y', the target, is empty",)


def test_data_of_another_task_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    model = Model("lstm", "small", ("a", "b"), preprocessing("trained", False), 12, 10)
    with pytest.raises(ZooError, match=r"^files:\S+ has no labels, and the model answers with classes: name other"):
        load_for_evaluation(model, f"files:{tmp_path}")
    (tmp_path / "t.csv").write_text("text,y,z\n" + "a,1.5,2.5\n" * 3)
    with pytest.raises(ZooError, match=r"has several targets, and the model answers with classes: name other"):
        load_for_evaluation(model, f"csv:{tmp_path}/t.csv", options={"text": "text", "target": "y,z"})
