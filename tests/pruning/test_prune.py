"""Pruning: the channels that are removed, the records of a run, and every use of a pruned run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

import zoo
from tests.conformance import untrained_run
from tests.conftest import Answer
from tests.training.test_training import train
from tests.trainings import SINGLE
from zoo import factory, run, weights_file
from zoo.errors import ZooError
from zoo.pruning.channel_map import channel_map
from zoo.pruning.choice import chosen
from zoo.pruning.importance import importance
from zoo.training import start

FEW = ("epochs=1", "batch_size=8", "schedule.warmup_epochs=0")


class Stop(keras.callbacks.Callback):
    """An interruption in the second batch."""

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        if batch == 1:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, images_folder: Path) -> Path:
    return untrained_run(tmp_path_factory.mktemp("source") / "first", images_folder, "cnn", "small", 8)


def pruned(folder: Path, weights: Path, images: Path, *settings: str, callbacks: object = ()) -> Path:
    return train(
        folder, *FEW, *settings, family=None, size=None, source=f"folder:{images}", weights=weights, callbacks=callbacks
    )


def test_the_least_important_channels_go_until_the_share_is_reached() -> None:
    model = zoo.create("cnn", size="base", classes=3, input_shape=(8, 8, 1))
    arrays = {name: variable.numpy() for name, variable in weights_file.weights(model).items()}
    arrays["conv1/kernel"][..., 8:16] *= 1e-3
    arrays["conv2/kernel"][:, :, 8:16] *= 1e-3
    channels = channel_map(model)

    kept = chosen(model, channels, importance(channels, arrays), share=0.9, multiple=8)

    assert np.flatnonzero(~kept[channels.made["conv1"]]).tolist() == list(range(8, 16))
    assert channels.widths(kept)["conv1"] == 24


@pytest.mark.parametrize(("share", "multiple"), [(0.5, 4), (0.3, 16)])
def test_the_share_the_multiple_and_the_floor_hold(share: float, multiple: int) -> None:
    from zoo.complexity import multiply_adds

    model = zoo.create("keyword", size="base", classes=3)
    arrays = {name: variable.numpy() for name, variable in weights_file.weights(model).items()}
    channels = channel_map(model)
    kept = chosen(model, channels, importance(channels, arrays), share, multiple)
    smaller = zoo.create("keyword", size="base", classes=3, widths=channels.widths(kept))

    assert 0.85 * share < multiply_adds(smaller) / multiply_adds(model) <= share
    for group in channels.groups:
        left = int(kept[group].sum())
        assert left == len(group) or left % multiple == 0
        assert left >= max(8, multiple, len(group) // 8)


def test_a_share_that_cannot_be_reached_says_the_least() -> None:
    model = zoo.create("cnn", classes=3, input_shape=(8, 8, 1))
    channels = channel_map(model)
    with pytest.raises(ZooError, match=r"cannot be pruned to 0.01 of its multiply-adds: ask for 0\.\d+ or more"):
        chosen(model, channels, np.ones(channels.count), 0.01, 8)
    line = zoo.create("linear", classes=3)
    with pytest.raises(ZooError, match="name another network"):
        chosen(line, channel_map(line), np.ones(20), 0.5, 8)


def test_a_pruned_run_says_what_it_came_from_and_goes_on_from_a_stop(
    tmp_path: Path, source: Path, images_folder: Path, zoo_command: Callable[..., Answer]
) -> None:
    alone = pruned(tmp_path / "alone", source, images_folder, "prune.share=0.5")
    with pytest.raises(KeyboardInterrupt):
        pruned(tmp_path / "stopped", source, images_folder, "prune.share=0.5", callbacks=[Stop()])
    start.resume(tmp_path / "stopped", None, SINGLE)
    one, other = (load_file(tmp_path / name / run.WEIGHTS) for name in ("alone", "stopped"))
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(other[name], value)

    before, made = run.read_finished(source).model, run.read_finished(alone)
    assert made.initial is not None
    record = made.initial.pruning
    assert record is not None
    assert record.share == 0.5
    assert record.reached == made.model.multiply_adds / before.multiply_adds <= 0.5
    assert (record.multiply_adds_before, record.multiply_adds_after) == (before.multiply_adds, made.model.multiply_adds)
    assert (record.parameters_before, record.parameters_after) == (before.parameters, made.model.parameters)
    assert made.initial.run == "first"
    assert made.model.widths
    told = zoo_command("info", alone)
    assert told.status == 0
    assert "0.5 requested" in told.out
    assert (alone / run.WEIGHTS).stat().st_size < 0.7 * (source / run.WEIGHTS).stat().st_size
    whole, started = load_file(source / run.WEIGHTS), load_file(alone / run.INITIAL)
    filters = {kernel.tobytes() for kernel in np.moveaxis(whole["conv1/kernel"], 3, 0)}
    kept = [kernel.tobytes() for kernel in np.moveaxis(started["conv1/kernel"], 3, 0)]
    assert set(kept) <= filters
    assert len(kept) == made.model.widths.get("conv1", len(filters))


@pytest.mark.full
def test_a_pruned_run_is_fine_tuned_and_pruned_again(tmp_path: Path, source: Path, images_folder: Path) -> None:
    once = pruned(tmp_path / "once", source, images_folder, "prune.share=0.7")
    tuned = pruned(tmp_path / "tuned", once, images_folder)
    twice = pruned(tmp_path / "twice", once, images_folder, "prune.share=0.7")
    models = [run.read_finished(folder).model for folder in (source, once, tuned, twice)]
    assert models[2].widths == models[1].widths != models[3].widths
    assert run.read(tuned).initial.pruning is None  # type: ignore[union-attr]
    assert models[3].multiply_adds <= 0.7 * models[1].multiply_adds <= 0.49 * models[0].multiply_adds
    factory.load(twice)


def test_what_makes_no_sense_is_refused(tmp_path: Path, source: Path, images_folder: Path) -> None:
    with pytest.raises(ZooError, match="name the run to take --weights from"):
        train(tmp_path / "no", "prune.share=0.5")
    with pytest.raises(ZooError, match="leave one out"):
        pruned(tmp_path / "no", source, images_folder, "prune.share=0.5", "freeze=true")
    with pytest.raises(ZooError, match="ask for"):
        pruned(tmp_path / "no", source, images_folder, "prune.share=0.001")
    for share in (0.0, 1.0, -1, float("nan")):
        with pytest.raises(ZooError, match="a share above 0 and below 1"):
            zoo.train(weights=source, prune=share)
    with pytest.raises(ZooError, match="leave --prune out"):
        zoo.train(resume=source, prune=0.5)
    with pytest.raises(ZooError, match="leave widths out"):
        zoo.create("resnet", pretrained=True, widths={"stem": 8})
    assert not (tmp_path / "no").exists()
