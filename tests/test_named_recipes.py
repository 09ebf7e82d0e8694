"""Recipes by name and from files: each is valid, fits its family, and states its source."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.conformance import described, inputs
from tests.conftest import Answer
from tests.training.test_training import train
from zoo import factory, keys_file, run, weights_file
from zoo import recipe as recipes
from zoo.data.load import load
from zoo.errors import ZooError
from zoo.family import Size
from zoo.input import find
from zoo.named_recipe import DEFAULT, choose
from zoo.recipe import Recipe, Split, flat
from zoo.registry import families, resolve
from zoo.schema import parse, to_dict
from zoo.training import mixing
from zoo.training.optimizer import optimizer

EVERY = [(family.name, name) for family in families().values() for name in family.named_recipes]
RESULTS = Path(__file__).parents[1] / "results"
CHEAP = 80_000
"""Parameters of the largest networks that are built in every run of the tests."""

PUBLISHED = [(family.name, name) for family in families().values() for name in family.recipes]


@pytest.mark.parametrize(("family", "name"), EVERY)
def test_a_recipe_suits_its_family_and_says_where_it_comes_from(family: str, name: str) -> None:
    found = families()[family]
    record = found.named_recipes[name]
    assert name != DEFAULT
    assert record.title
    assert record.source
    assert record.cost
    assert record.expected
    for size in record.sizes or [row.name for row in found.sizes]:
        row = found.size(size)
        made = found.recipe_of(row, name)
        assert made.input.kind == found.input
        assert getattr(made.input, "front", None) == getattr(found.recipe_of(row).input, "front", None)
        assert parse(Recipe, json.loads(json.dumps(to_dict(made))), "recipe") == made
        assert {key: flat(made)[key] for key in record.keys} == dict(record.keys), "each key is spelled as it is read"
        assert set(mixing.asked(made)) <= find(found.input).mixed_by
        assert made.batch_size % 2 == 0 or not mixing.asked(made)
        assert made.schedule.warmup_epochs + made.schedule.hold_epochs < made.epochs
        assert made.schedule.shape != "step" or made.schedule.drop_epochs < made.epochs


def test_every_family_of_published_networks_has_an_original_recipe() -> None:
    own = {family for family, name in PUBLISHED if name == "original"}
    assert set(families()) - own == {"linear", "lstm", "mlp"}, "these networks have no single paper"
    assert all(family.recipes for family in families().values())
    one = {family.name for family in families().values() if set(family.recipes) == {"original"}}
    assert one == {"cnn", "convnext", "efficientnet"}, "AlexNet is not trained any more, and the others are recent"
    assert all("small-images" in family.named_recipes for family in families().values() if family.input == "image")


def test_figures_of_recipes_are_those_of_the_results_that_they_name() -> None:
    rows = [row for row in zoo.recipes() if "results/" in row["expected"]]
    assert {row["family"] for row in rows if row["recipe"] == DEFAULT} >= {"cnn", "resnet", "bert", "lstm", "mlp"}
    for row in rows:
        text, wrong = row["expected"], []
        files = re.findall(r"results/(\w+\.json)", text)
        recorded = " ".join((RESULTS / name).read_text(encoding="utf-8") for name in files)
        known = [float(number) for number in re.findall(r"(?<![\d.])\d\.\d+", recorded)]
        figures = re.findall(r"[01]\.\d\d+(?= (?:on|at|in|with|after|and)|,)", text.partition(": ")[2])
        assert figures or "%" in text, (row["family"], row["recipe"])
        for figure in figures:
            half = 0.51 * 10 ** -len(figure.partition(".")[2])
            wrong += [figure] if min(abs(float(figure) - number) for number in known) > half else []
        assert not wrong, (row["family"], row["recipe"])


def built(family: str, name: str) -> Size:
    """The smallest size that a recipe is for."""
    found = families()[family]
    sizes = found.named_recipes[name].sizes
    return min((row for row in found.sizes if row.name in (sizes or (row.name,))), key=lambda row: row.parameters)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        pytest.param(*each, marks=() if built(*each).parameters < CHEAP else pytest.mark.full, id=" ".join(each))
        for each in EVERY
    ],
)
def test_a_recipe_builds_its_network_and_makes_an_update(family: str, name: str, images_folder: Path) -> None:
    found, row = families()[family], built(family, name)
    made = found.recipe_of(row, name)
    description, _, _ = described(images_folder, family, row.name, side=32)
    model = factory.build(description, rates=made.network)
    update = optimizer(made, model, 10, {}, found.undecayed)
    update.apply([tf.ones(one.shape) for one in model.trainable_variables], model.trainable_variables)
    assert np.isfinite(factory.apply(model, inputs(description), training=True)).all()


def test_a_published_recipe_does_not_depend_on_the_familys_default() -> None:
    family, row = resolve("resnet18")
    assert family.recipe_of(row).label_smoothing == 0.1
    assert family.recipe_of(row, "a2").label_smoothing == 0
    assert family.recipe_of(row, "small-images").optimizer == family.recipe_of(row).optimizer


@pytest.mark.usefixtures("no_trial_export")
def test_the_penalty_of_scikit_learn_gives_its_coefficients(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    rows = load("wine", "table", split=Split(copies_together=True)).train
    settings = {"optimizer.l2": 0.5 / len(rows)}  # three classes
    zoo.train("linear", data="wine", recipe="sklearn", set=settings, out=tmp_path / "run")
    kernel = weights_file.read(tmp_path / "run" / run.WEIGHTS)[0]["logits/kernel"]
    features = np.array([rows.read(number) for number in range(len(rows))], np.float64)
    standardized = (features - features.mean(0)) / features.std(0)
    wanted = LogisticRegression().fit(standardized, np.squeeze(rows.targets)).coef_.T
    assert np.abs(wanted).max() > 1
    np.testing.assert_allclose(kernel, wanted, rtol=0, atol=0.05)


def test_a_run_records_its_recipe_by_name(tmp_path: Path) -> None:
    settings = ("epochs=1", "batch_size=600", "image.erase=0.0")
    done = run.read_finished(train(tmp_path / "named", *settings, recipe="small-images"))
    assert done.recipe_name == "small-images"
    assert done.recipe is not None
    assert (done.recipe.epochs, done.recipe.ema_decay, done.recipe.input.erase) == (1, 0.995, 0.0)
    assert zoo.describe(tmp_path / "named")["recipe_name"] == "small-images"
    file = tmp_path / "mine.toml"
    file.write_text("epochs = 1\nbatch_size = 600\n[optimizer]\nlr = 0.003\n[image]\nshift = 0.2\n")
    done = run.read_finished(train(tmp_path / "file", recipe=file))
    assert done.recipe_name == "mine.toml"
    assert done.recipe == recipes.override(
        families()["cnn"].recipe_of(families()["cnn"].size("small")),
        ["epochs=1", "batch_size=600", "optimizer.lr=0.003", "image.shift=0.2"],
    )


def test_a_run_without_the_name_of_its_recipe_is_read(tmp_path: Path) -> None:
    folder = train(tmp_path / "run", "epochs=1", "batch_size=1200")
    values = json.loads((folder / run.DESCRIPTION).read_text())
    assert values["recipe_name"] == DEFAULT
    del values["recipe_name"], values["recipe"]["network"]
    (folder / run.DESCRIPTION).write_text(json.dumps(values))
    assert run.read_finished(folder).recipe_name == ""


def test_toml_and_json_files_say_the_same(tmp_path: Path) -> None:
    family, row = resolve("cnn")
    (tmp_path / "a.toml").write_text('epochs = 7\noptimizer.name = "lamb"\n[image]\nflip = true\n')
    (tmp_path / "a.json").write_text('{"epochs": 7, "optimizer.name": "lamb", "image": {"flip": true}}')
    made = [choose(family, row, tmp_path / name, from_weights=False)[1] for name in ("a.toml", "a.json")]
    assert made[0] == made[1]
    assert (made[0].epochs, made[0].optimizer.name, made[0].input.flip) == (7, "lamb", True)


WRONG: list[tuple[str, bytes, str]] = [
    ("a.toml", b"epochs = ", "a.toml cannot be read"),
    ("a.toml", b"epoch = 3", "a.toml: no recipe has the key 'epoch': did you mean 'epochs'?"),
    ("a.toml", b"epochs = 0", "a.toml: epochs should be greater than or equal to 1"),
    ("a.toml", b"[image]\nerase = 2.0", "a.toml: image: erase should be less than or equal to 1"),
    ("a.toml", b"[audio]\nshift = 0.1", "a.toml: no recipe has the key 'audio.shift'"),
    ("a.toml", b"[optimizer.lr]\nx = 1", "a.toml: no recipe has the key 'optimizer.lr.x'"),
    ("a.toml", b"optimizer = 3", "a.toml: no recipe has the key 'optimizer'"),
    ("a.toml", b"epochs = nan", "a.toml: epochs should be"),
    ("a.toml", b"\xff\xfe", "a.toml cannot be read"),
    ("a.json", b"[1]", "a.json is not a recipe: write an object"),
    ("a.json", b'{"epochs": NaN}', "a.json: epochs should be"),
    ("a.json", b"[" * 50_000, "a.json cannot be read"),
    ("a.toml", b"#" * 70_000, "a.toml is too large for a recipe"),
]


@pytest.mark.parametrize(("name", "content", "line"), WRONG, ids=[line for _, _, line in WRONG])
def test_a_wrong_file_is_refused_in_one_line(name: str, content: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ZooError) as caught:
        choose(*resolve("cnn"), tmp_path / name, from_weights=False)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2500


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path / "nothing.toml", tmp_path / "folder.json", tmp_path / "pipe.toml"):
        if place.stem == "folder":
            place.mkdir()
        if place.stem == "pipe":
            os.mkfifo(place)
        with pytest.raises(ZooError, match="there is no recipe file at"):
            keys_file.read(place, "recipe")


def test_other_wishes_that_make_no_sense_are_refused() -> None:
    for name, asked, line in (
        ("resnet", "a4", "resnet has no recipe 'a4': known: a1, a2, a3, default"),
        ("cnn", "original", "cnn's recipe original is for large, not for small"),
        ("resnet", "fine-tune", "starts from weights: choose another, or name the run to take --weights from"),
    ):
        with pytest.raises(ZooError, match=line):
            zoo.train(name, recipe=asked)
    with pytest.raises(ZooError, match="leave --recipe out"):
        zoo.train(resume="runs/a", recipe="a2")


def test_recipes_are_listed_and_shown(zoo_command: Callable[..., Answer]) -> None:
    listed = zoo_command("recipes")
    assert listed.status == 0
    assert all(f"{family} " in listed.out and f" {name} " in listed.out for family, name in EVERY)
    shown = zoo_command("recipes", "resnet50", "--recipe", "a3")
    assert "arXiv:2110.00476" in shown.out
    assert 'optimizer.name = "lamb"' in shown.out
    rows = json.loads(zoo_command("recipes", "vit", "--json").out)
    assert [row["recipe"] for row in rows] == [DEFAULT, "original", "deit", "small-images", "fine-tune"]
    assert rows == zoo.recipes("vit")
    assert zoo_command("recipes", "vit", "--recipe", "a2").status == 2
    assert zoo_command("recipes", "--recipe", "a2").status == 2
    assert [row["recipe"] for row in zoo.recipes("cnn", size="small")] == [DEFAULT, "small-images", "fine-tune"]
    assert zoo.recipes("cnn", recipe="original")[0]["size"] == "large"


def test_what_is_shown_is_a_recipe_file(zoo_command: Callable[..., Answer], tmp_path: Path) -> None:
    family, row = resolve("vit_tiny")
    shown = zoo_command("recipes", "vit_tiny", "--recipe", "deit").out
    (tmp_path / "deit.toml").write_text(shown.partition("\n\n")[2])
    _, made = choose(family, row, tmp_path / "deit.toml", from_weights=False)
    assert made == family.recipe_of(row, "deit")
