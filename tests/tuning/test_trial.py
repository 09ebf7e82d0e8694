"""A trial in this process: the checks before it, the examples that it uses, and the evaluation of the best trial."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.inputs.audio.sounds import encoded, noise
from tests.trainings import SINGLE, passes
from zoo import run
from zoo.data.load import load
from zoo.errors import ZooError
from zoo.named_recipe import NamedRecipe
from zoo.recipe import WIDTH, override
from zoo.registry import families, resolve
from zoo.training.describe import deciding, describe
from zoo.training.request import DataRequest, TrainingRequest
from zoo.training.start import start
from zoo.tuning import space as spaces
from zoo.tuning import trial
from zoo.tuning.process import StudyEnds
from zoo.tuning.trial import StudyRequest
from zoo.weights_file import read

REQUEST = StudyRequest("mlp", None, "iris", None, {}, "error", ("epochs=2",), trials=3)


def test_the_default_space_suits_the_data() -> None:
    settled = trial.check(REQUEST, lambda model: None)
    assert (settled.metric, settled.higher_is_better, settled.name) == ("accuracy", True, "mlp-iris")
    assert WIDTH in settled.space
    assert settled.usual["batch_size"] == 16
    linear = trial.check(dataclasses.replace(REQUEST, family="linear"), lambda model: None)
    assert WIDTH not in linear.space
    values = trial.check(dataclasses.replace(REQUEST, data="diabetes"), lambda model: None)
    assert (values.metric, values.higher_is_better) == ("rmse", False)
    assert "label_smoothing" not in values.space


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": "iriss"}, "did you mean"),
        ({"family": "linear", "data": "digits"}, "digits"),
        ({"space": {"batch_size": [8, 5000]}}, "a batch of 5000 is more than the"),
        ({"space": {"accumulate": [1, 5]}}, "cannot be computed in 5 equal parts"),
        ({"family": "linear", "space": {WIDTH: [0.5, 1.0]}}, "has no layers of other widths"),
        (
            {"data": "diabetes", "settings": ("class_weights=balanced",)},
            "class_weights=balanced weighs classes, and the",
        ),
        (
            {"data": "diabetes", "space": {"class_weights": ["none", "balanced"]}},
            "the space: class_weights=balanced: class_weights=balanced weighs classes",
        ),
        (
            {"family": "linear", "space": {"optimizer.layer_decay": [0.5, 1.0]}},
            r"the space: optimizer\.layer_decay=0\.5: optimizer\.layer_decay counts feature maps",
        ),
        (
            {"family": "cnn", "data": "digits", "settings": (), "space": {"xla": [False, True]}},
            "the space: xla=True: XLA cannot compile the gradient of max pooling",
        ),
        (
            {
                "family": "resnet",
                "data": "digits",
                "settings": ("image.size=12", "image.first_size=8"),
                "space": {"epochs": [2, 8]},
            },
            "the space: epochs=2: image.size_stages=4 is more than the epochs, 2",
        ),
    ],
)
def test_what_the_data_or_the_network_do_not_take_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ZooError, match=said):
        trial.check(dataclasses.replace(REQUEST, **changes), lambda model: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("recipe", "searched"), [(None, True), ("original", False)])
def test_only_sizes_that_the_recipe_is_for_are_searched(recipe: str | None, searched: bool) -> None:
    mlp, _ = resolve("mlp")
    original = NamedRecipe(title="", source="", cost="", keys={"epochs": 2}, sizes=("small", "large"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(families(), "mlp", dataclasses.replace(mlp, recipes={"original": original}))
        settled = trial.check(dataclasses.replace(REQUEST, recipe=recipe), lambda model: None)
    assert ("size" in settled.space) == searched
    assert "optimizer.lr" in settled.space


def test_keys_of_the_network_are_tried_with_the_sizes_of_the_space(tmp_path: Path) -> None:
    """Keyword networks have residual branches at base and large, but not at small, the default size."""
    for number in range(20):
        path = tmp_path / f"class{number % 2}" / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(noise(3_200, seed=number)))
    settings = ("epochs=2", "audio.seconds=0.2")
    keyword = dataclasses.replace(REQUEST, family="keyword", data=f"folder:{tmp_path}", settings=settings)
    space: dict[str, Any] = {"size": ["base"], "network.drop_path": [0.1]}
    assert trial.check(dataclasses.replace(keyword, space=space), lambda model: None).space == space
    space["size"] = ["small"]
    with pytest.raises(ZooError, match=r"size=small, network\.drop_path=0\.1: keyword small has no residual branches"):
        trial.check(dataclasses.replace(keyword, space=space), lambda model: None)


def test_networks_are_described_once_for_each_change_that_concerns_them(monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[tuple[str, float]] = []

    def counted(family: Any, size: Any, dataset: Any, recipe: Any) -> Any:
        described.append((size.name, recipe.network.width))
        return describe(family, size, dataset, recipe)

    monkeypatch.setattr("zoo.training.describe.describe", counted)
    rate = {"low": 1e-4, "high": 0.1, "log": True}
    space = {"size": ["small", "base"], "optimizer.lr": rate, "batch_size": [8, 16], WIDTH: [1.0, 0.5]}
    trial.check(dataclasses.replace(REQUEST, space=space), lambda model: None)
    assert sorted(described) == [("base", 0.5), ("base", 1.0), ("small", 0.5), ("small", 1.0)]


def test_no_other_part_of_a_recipe_decides_the_network() -> None:
    family, size = resolve("cnn")
    settings = ["xla=true", "freeze=true", "optimizer.layer_decay=0.5"]
    recipe = override(family.recipe_of(size), settings)

    class Recorded:
        """The recipe, or its section `optimizer`, whose parts that are read are noted."""

        def __init__(self, whole: Any) -> None:
            self.whole = whole

        def __getattr__(self, name: str) -> Any:
            if name == "optimizer":
                return Recorded(self.whole.optimizer)
            noted.add(name)
            return getattr(self.whole, name)

    noted: set[str] = set()
    described: Any = Recorded(recipe)
    describe(family, size, load("digits", "image", split=recipe.split), described)
    of_describe = noted.copy()
    noted.clear()
    deciding(described)
    assert noted == of_describe


def test_a_trial_is_an_ordinary_training_that_has_not_seen_the_test_examples(tmp_path: Path) -> None:
    settled = trial.check(REQUEST, lambda model: None)
    asked = []

    def ends(epoch: int, value: float) -> bool:
        asked.append((epoch, value))
        return False

    for name in ("first", "second"):
        figures = trial.train(
            REQUEST, settled, tmp_path / name, "base", ["optimizer.lr=0.02", f"{WIDTH}=0.5"], lambda model: None, ends
        )
    assert [epoch for epoch, _ in asked] == [1, 2, 1, 2]
    assert asked[:2] == asked[2:], "a process that has trained before trains the same"
    this = run.read(tmp_path / "first")
    assert not this.finished
    assert not this.results
    assert this.model.widths == {"hidden1": 64, "hidden2": 64}
    assert figures["parameters"] == this.model.parameters
    trial.test(tmp_path / "first", None)

    settings = ["epochs=2", "optimizer.lr=0.02", f"{WIDTH}=0.5"]
    request = TrainingRequest(
        family="mlp", size="base", data=DataRequest("iris"), settings=settings, out=tmp_path / "alone"
    )
    start(request, SINGLE, passes)
    first, alone = run.read_finished(tmp_path / "first"), run.read_finished(tmp_path / "alone")
    timing = {"train_seconds"}
    assert {key: first.results[key] for key in first.results.keys() - timing} == {
        key: alone.results[key] for key in alone.results.keys() - timing
    }
    assert figures["value"] == first.results["val_accuracy"]
    for name, array in read(tmp_path / "first" / run.WEIGHTS)[0].items():
        np.testing.assert_array_equal(array, read(tmp_path / "alone" / run.WEIGHTS)[0][name])


def test_a_trial_ends_when_it_is_told_to(tmp_path: Path) -> None:
    settled = trial.check(REQUEST, lambda model: None)
    figures = trial.train(REQUEST, settled, tmp_path / "run", None, [], lambda model: None, lambda epoch, value: True)
    assert figures["ended"]
    assert len((tmp_path / "run" / run.METRICS).read_text().splitlines()) == 1


def test_data_that_are_gone_or_others_end_the_study(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("x,y\n" + "".join(f"{number},{'ab'[number % 2]}\n" for number in range(60)))
    request = dataclasses.replace(REQUEST, data=f"csv:{table}", options={"target": "y"})
    settled = trial.check(request, lambda model: None)
    content = table.read_text()

    def train(name: str) -> None:
        trial.train(request, settled, tmp_path / name, None, [], lambda model: None, lambda epoch, value: False)

    table.unlink()
    with pytest.raises(StudyEnds, match="there is no file"):
        train("gone")
    table.write_text(content.replace("7,b", "7.5,b"))
    with pytest.raises(StudyEnds, match="the data have changed since the study began"):
        train("changed")
    table.write_text(content)
    train("back")


def test_a_default_space_has_batches_that_the_recipe_takes() -> None:
    family, size = resolve("cnn")
    for settings, expected in (((), [64, 128, 153]), (("mixup=0.2",), [64, 128, 152]), (("accumulate=3",), [153])):
        recipe = override(family.recipe_of(size), settings)
        space = spaces.default(family, "small", recipe, settings, examples=153, classes=True, scales=False, drops=False)
        assert space["batch_size"] == expected
