"""Decisions about requested trainings: what weights decide, recipe files, and run folders that are written whole."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import zoo
from tests.trainings import SINGLE, passes
from zoo import files, migration, provenance, run, schema
from zoo.description import Data, InitialWeights, Model, Weights
from zoo.errors import ZooError
from zoo.input import kinds
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.named_recipe import read_if_file
from zoo.recipe import Split
from zoo.registry import matching, resolve
from zoo.schema import keys
from zoo.training import decision, start
from zoo.training.decision import decide
from zoo.training.effect import TURNED_OFF, check_effect
from zoo.training.request import DataRequest, TrainingRequest
from zoo.tuning.trial import StudyRequest
from zoo.verbs import series
from zoo.verbs.series import Point

DIGITS = DataRequest("digits")
KEPT = [(kind, key) for kind, record in kinds().items() for key in sorted(record.kept_by_weights)]


@pytest.mark.parametrize(("kind", "key"), KEPT)
def test_what_weights_decide_cannot_be_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, key: str
) -> None:
    assert key in keys(kinds()[kind].settings)
    family, size = next(found for found in matching() if found[0].input == kind)
    monkeypatch.setattr(decision.fine_tuning, "family_and_size", lambda *asked: (family, size))
    value = schema.to_dict(family.recipe_of(size).input)[key]
    (tmp_path / "recipe.json").write_text(json.dumps({kind: {key: value}}))
    text = ",".join(value) if isinstance(value, list) else value
    for asked in ({"settings": [f"{kind}.{key}={text}"]}, {"recipe": tmp_path / "recipe.json"}):
        with pytest.raises(ZooError, match=f"{kind}.{key} follows from the weights that training starts from"):
            decide(TrainingRequest(weights=tmp_path, **asked))


@pytest.mark.parametrize("width", [0.5, 1])
def test_weights_decide_the_width_whatever_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: float
) -> None:
    monkeypatch.setattr(decision.fine_tuning, "family_and_size", lambda *asked: resolve("mlp"))
    (tmp_path / "recipe.json").write_text(json.dumps({"network": {"width": width}}))
    both: list[dict[str, Any]] = [{"settings": [f"network.width={width}"]}, {"recipe": tmp_path / "recipe.json"}]
    for asked in both:
        with pytest.raises(ZooError, match=r"network.width follows from the weights that training starts from: leave"):
            decide(TrainingRequest(weights=tmp_path, **asked))


def test_a_run_records_what_its_weights_decided(tmp_path: Path) -> None:
    settings = ["epochs=1", "network.width=0.5", "table.ignore=sepal length (cm)"]
    first = zoo.train("mlp", data="iris", set=settings, out=tmp_path / "first")
    second = zoo.train(weights=first.folder, set=["epochs=1"], out=tmp_path / "second")
    third = zoo.train(weights=second.folder, set=["epochs=1"], out=tmp_path / "third")
    for one in (first, second, third):
        this = run.read_finished(one.folder)
        assert this.recipe is not None
        assert this.recipe.network.width == 0.5
        assert this.recipe.input.ignore == ("sepal length (cm)",)
        assert this.model.widths == run.read_finished(first.folder).model.widths != {}


def test_a_multiple_of_channels_needs_a_pruning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(decision.fine_tuning, "family_and_size", lambda *asked: resolve("cnn"))
    monkeypatch.setattr(
        decision.run, "read_finished", lambda folder: SimpleNamespace(recipe=None, weights=None, initial=None)
    )
    with pytest.raises(ZooError, match=r"prune.multiple is about pruning: name the share to keep with --prune"):
        decide(TrainingRequest(weights=tmp_path, data=DIGITS, settings=["prune.multiple=8"]))
    assert decide(TrainingRequest(weights=tmp_path, data=DIGITS, settings=["prune.multiple=8", "prune.share=0.5"]))


def finished(folder: Path, family: str, size: str, **more: Any) -> Path:
    """A finished run of which there is only the description."""
    preprocessing = Preprocessing(224, 224, 3, (0.5,) * 3, (0.5,) * 3)
    model = Model(family, size, ("a", "b"), preprocessing, parameters=0, multiply_adds=0)
    made = dataclasses.replace(provenance.here(0), finished=provenance.now())
    folder.mkdir()
    described: dict[str, Any] = {"data": None, "recipe": None, **more}
    run.write(folder, run.Run(migration.SCHEMA, model, provenance=made, **described))
    return folder


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(("publisher", "allowed"), [("keras", False), ("timm", True), (None, True)])
def test_batch_normalizations_that_the_weights_do_without_are_not_trained(
    again: bool, publisher: str | None, allowed: bool, tmp_path: Path
) -> None:
    """With `again`, the run is not the pulled one, but one that was fine-tuned from it."""
    if again:
        origin: Any = {"initial": InitialWeights("pulled", "0", "vgg", "base", "MIT", True, source=publisher)}
    else:
        origin = {"weights": Weights(publisher, None, None, None, "x.keras", "0", "MIT")} if publisher else {}
    weights = finished(tmp_path / "run", "vgg", "base", **origin)
    assert decide(TrainingRequest(weights=weights, data=DIGITS, settings=["freeze=true"])).recipe.freeze
    request = TrainingRequest(weights=weights, data=DIGITS)
    if allowed:
        decide(request)
        return
    with pytest.raises(ZooError, match=r"of Keras' VGG16, which has no batch normalization.*--freeze.*timm's weights"):
        decide(request)


@pytest.mark.parametrize(
    ("content", "split"),
    [
        ("epochs = 3\n", Split(test=0.3, seed=4)),
        ("[split]\ntest = 0.2\n", Split(test=0.2, copies_together=True)),
        ("[split]\ntest = 0.25\n", Split(test=0.25, copies_together=True)),
    ],
)
def test_the_split_of_a_recipe_file_replaces_that_of_the_weights(tmp_path: Path, content: str, split: Split) -> None:
    """0.2 is the default share, which a file may state because the run has another one."""
    family, size = resolve("cnn")
    drawn = dataclasses.replace(family.recipe_of(size), split=Split(test=0.3, seed=4))
    data = Data("digits", None, "0" * 64, {}, (), "")
    weights = finished(tmp_path / "run", family.name, size.name, data=data, recipe=drawn)
    (tmp_path / "mine.toml").write_text(content)
    assert decide(TrainingRequest(weights=weights, recipe=tmp_path / "mine.toml")).recipe.split == split


@pytest.mark.parametrize("name", ["original", "deit"])
def test_frozen_layers_do_without_the_dropout_of_a_recipe(tmp_path: Path, name: str) -> None:
    family, size = resolve("vit")
    weights = finished(tmp_path / "run", family.name, size.name)
    used = family.recipe_of(size, name).network
    assert max(used.dropout, used.drop_path) > 0
    network = decide(
        TrainingRequest(weights=weights, data=DIGITS, recipe=name, settings=["freeze=true"])
    ).recipe.network
    assert max(network.dropout, network.drop_path) <= 0
    trained = decide(TrainingRequest(weights=weights, data=DIGITS, recipe=name)).recipe.network
    assert (trained.dropout, trained.drop_path) == (used.dropout, used.drop_path)
    (tmp_path / "mine.toml").write_text("freeze = true\n[network]\ndrop_path = 0.3\n")
    with pytest.raises(ZooError, match=r"freeze switches dropout off: leave freeze or network\.drop_path out$"):
        decide(TrainingRequest(weights=weights, data=DIGITS, recipe=tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("settings", "warmup", "hold"),
    [
        (("epochs=3",), 1.5, 0),
        (("epochs=10",), 5, 0),
        (("epochs=60",), 5, 0),
        (("epochs=3", "schedule.warmup_epochs=3"), 3, 0),
        (("epochs=4", "schedule.hold_epochs=1"), 1, 1),
        (("epochs=4", "schedule.hold_epochs=3"), 0, 3),
        (("epochs=2", "schedule.shape=one_cycle"), 5, 0),
        (("epochs=10", "schedule.shape=step", "schedule.hold_epochs=4"), 5, 4),
        (("epochs=10", "schedule.shape=constant", "schedule.hold_epochs=40"), 5, 40),
    ],
)
def test_a_short_training_shortens_the_warm_up_that_nobody_set(
    settings: tuple[str, ...], warmup: float, hold: float
) -> None:
    assert resolve("vit")[0].recipe_of(resolve("vit")[1]).schedule.warmup_epochs == 5
    schedule = decide(TrainingRequest(family="vit", data=DIGITS, settings=settings)).recipe.schedule
    assert (schedule.warmup_epochs, schedule.hold_epochs) == (warmup, hold)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("schedule.warmup_epochs=4",), "schedule.warmup_epochs=4 is longer than the training: set it to at most the"),
        (("schedule.hold_epochs=4",), "schedule.hold_epochs=4 is longer than the training: set it to at most the"),
        (
            ("schedule.warmup_epochs=2", "schedule.hold_epochs=2"),
            "schedule.warmup_epochs=2 and schedule.hold_epochs=2 are together longer than the training: "
            "set their sum to at most the 3 epochs",
        ),
    ],
)
def test_a_schedule_that_the_user_sets_fits_the_training(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(ZooError, match=message):
        decide(TrainingRequest(family="vit", data=DIGITS, settings=("epochs=3", *settings)))


def test_a_series_and_a_study_keep_the_content_of_a_recipe_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("epochs = 3\n[optimizer]\nlr = 0.25\n")
    asked = series.asked("mlp", {"recipe": file})
    study = StudyRequest("mlp", None, "iris", None, {}, "error", (), 3, read_if_file(file))
    file.unlink()
    (request, decided), _ = series.decisions(asked, [Point("small"), Point("base")])
    again = schema.parse(StudyRequest, schema.to_dict(study), "study")
    for made in (decided, decide(request), decide(again.training())):
        assert made.recipe_name == "mine.toml"
        assert (made.recipe.epochs, made.recipe.optimizer.lr) == (3, 0.25)


def test_sizes_with_another_content_of_a_recipe_file_are_another_call(tmp_path: Path) -> None:
    file, out = tmp_path / "mine.toml", tmp_path / "sizes"
    file.write_text("epochs = 1\n")
    made = zoo.train_sizes("linear", size=["small", "base"], data="iris", recipe=file, out=out)
    assert [one.run.recipe_name for one in made.runs] == ["mine.toml", "mine.toml"]
    assert zoo.train_sizes("linear", size=["small", "base"], data="iris", recipe=file, out=out).rows == made.rows
    file.write_text("epochs = 2\n")
    with pytest.raises(ZooError, match="belongs to a call with other recipe"):
        zoo.train_sizes("linear", size=["small", "base"], data="iris", recipe=file, out=out)
    file.unlink()
    assert zoo.train_sizes(resume=out).rows == made.rows


def test_a_run_folder_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*ignored: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(start.run, "write", full)
    request = TrainingRequest(
        family="linear", data=DataRequest("iris"), settings=["epochs=1"], out=tmp_path / "runs" / "a"
    )
    with pytest.raises(OSError, match="No space left"):
        start.start(request, SINGLE, passes)
    assert files.files_below(tmp_path) == []
    assert [*(tmp_path / "runs").iterdir()] == []


def test_a_default_folder_that_cannot_be_made_is_refused_before_the_data_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()
    request = TrainingRequest(family="linear", data=DataRequest(f"csv:{tmp_path / 'none.csv'}", None, {"target": "y"}))
    with pytest.raises(ZooError, match=r"^runs/linear-small cannot be made in \S+/runs: it is a file: choose another"):
        start.start(request, SINGLE, passes)


SWITCHES = [
    ("label_seed=1", "label_fraction=0.5"),
    ("schedule.warmup_epochs=2", "schedule.shape=one_cycle"),
    ("schedule.hold_epochs=2", "schedule.shape=constant"),
    ("schedule.drop_epochs=2", "schedule.shape=step"),
    ("schedule.drop=0.5", "schedule.shape=step"),
    ("image.size_stages=2", "image.first_size=8"),
    ("image.policy_operations=1", "image.policy=randaugment"),
    ("image.policy_magnitude=5", "image.policy=randaugment"),
    ("image.erase_with=mean", "image.erase=0.5"),
    ("audio.frequency_masks=2", "audio.front=waveform"),
    ("audio.time_masks=2", "audio.front=waveform"),
    ("audio.frequency_width=0.3", "audio.frequency_masks=0"),
    ("audio.time_width=0.3", "audio.time_masks=0"),
]
"""Keys, and a setting that turns each on or off: the other way round than the default recipe."""

OFF_BY_DEFAULT = ("label_seed", "schedule.drop", "image.")


def test_every_key_that_can_be_turned_off_is_tried() -> None:
    known = {*TURNED_OFF, *(f"{kind}.{key}" for kind, record in kinds().items() for key in record.turned_off)}
    assert known == {setting.partition("=")[0] for setting, _ in SWITCHES}


@pytest.mark.parametrize(("setting", "switch"), SWITCHES)
def test_a_key_without_effect_is_refused(setting: str, switch: str) -> None:
    family = "keyword" if setting.startswith("audio.") else "cnn"
    key = setting.partition("=")[0]
    off, on = ([setting, switch], [setting]) if not key.startswith(OFF_BY_DEFAULT) else ([setting], [setting, switch])
    with pytest.raises(ZooError, match=rf"{key} has no effect with {switch.partition('=')[0]}=") as refused:
        check_effect(decide(TrainingRequest(family=family, settings=off)))
    assert "\n" not in str(refused.value)
    check_effect(decide(TrainingRequest(family=family, settings=on)))


def test_masks_of_a_spectrogram_are_refused_for_a_network_of_waveforms() -> None:
    with pytest.raises(ZooError, match=r"audio\.time_masks has no effect with audio\.front=waveform"):
        check_effect(decide(TrainingRequest(family="wav2vec2", settings=["audio.time_masks=1"])))


@pytest.mark.parametrize("setting", ["image.policy_operations=1", "image.policy_magnitude=5"])
def test_a_key_of_the_policy_of_strong_views_has_an_effect(setting: str) -> None:
    def check(*settings: str, unlabeled: str | None = "rest") -> None:
        asked = ("label_fraction=0.1", setting, *settings)
        check_effect(decide(TrainingRequest(family="cnn", settings=asked, unlabeled=unlabeled)))

    check()
    with pytest.raises(ZooError, match=rf"{setting.partition('=')[0]} has no effect with image.policy=none"):
        check(unlabeled=None)
    with pytest.raises(ZooError, match=rf"{setting.partition('=')[0]} has no effect with image.policy=trivialaugment"):
        check("image.policy=trivialaugment")
