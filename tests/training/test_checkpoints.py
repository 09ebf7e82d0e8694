"""Checkpoints: the last two survive any failure of the disk, and those of earlier versions can be read."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.test_training import SignalAt, train
from tests.trainings import SINGLE
from zoo import recipe as recipes
from zoo import run, weights_file
from zoo.data.share import Share
from zoo.errors import ZooError
from zoo.recipe import Recipe
from zoo.training import loop, start
from zoo.training.batches import check_replicas
from zoo.training.checkpoint import NEXT, Checkpoints, State

NEW_FIELDS = ("steps_done", "sums", "seconds", "stopped")
SETTINGS = ("epochs=2", "batch_size=64", "image.shift=0.1")


@pytest.fixture(scope="module")
def model() -> Any:
    made = keras.Sequential([keras.layers.Input((100,)), keras.layers.Dense(50, name="dense")])
    made.compile(optimizer=keras.optimizers.SGD(momentum=0.9))
    made.optimizer.build(made.trainable_variables)
    return made


def checkpoints(folder: Path, model: Any) -> Checkpoints:
    named = {f"model/{name}": variable for name, variable in weights_file.variables(model).items()}
    named |= {f"optimizer/{number}": variable for number, variable in enumerate(model.optimizer.variables)}
    return Checkpoints(folder, named, minutes=10)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Limit files of this process to a kilobyte within the block, in which pytest must not write its own output."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


@pytest.fixture
def three(tmp_path: Path, model: Any) -> Path:
    """A run after 3 steps with its last two checkpoints; all weights of a checkpoint are its number of steps."""
    saving = checkpoints(tmp_path, model)
    for steps in (1, 2, 3):
        for variable in model.variables:
            variable.assign(np.full(variable.shape, steps, variable.dtype))
        saving.save(State(steps_done=steps))
    saving.wait()
    return tmp_path


@pytest.mark.parametrize(
    "killed", ["before it is written", "before it replaces the last one", "before it is the last one"]
)
def test_the_best_weights_are_those_of_the_last_checkpoint(
    killed: str, tmp_path: Path, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Simulates that the process is killed."""

    def best(epoch: int) -> dict[str, np.ndarray]:
        return {"dense/kernel": np.full((2, 2), epoch, np.float32)}

    saving = checkpoints(tmp_path, model)
    saving.save(State(epochs_done=1, best_epoch=1), best(1))
    saving.wait()
    replace, save = Path.replace, weights_file.save

    def killing_save(path: Path, *values: Any) -> None:
        if killed == "before it is written" and path.name == Path(NEXT).name:
            raise Killed
        save(path, *values)

    def killing_replace(path: Path, target: Path) -> Path:
        if killed == "before it replaces the last one" and path.name == Path(run.LAST).name:
            raise Killed
        if killed == "before it is the last one" and path.name == Path(NEXT).name:
            raise Killed
        return replace(path, target)

    monkeypatch.setattr(weights_file, "save", killing_save)
    monkeypatch.setattr(Path, "replace", killing_replace)
    saving.save(State(epochs_done=2, best_epoch=2), best(2))
    with pytest.raises(Killed):
        saving.wait()
    monkeypatch.undo()
    state = checkpoints(tmp_path, model).restore(lambda line: None)
    assert state is not None
    assert state.best_epoch == (1 if killed == "before it is written" else 2)
    kept, _ = weights_file.read(tmp_path / run.BEST)
    assert (kept["dense/kernel"] == state.best_epoch).all()
    assert {*content(tmp_path)} <= {"best.safetensors", "last.safetensors", "previous.safetensors"}


def test_the_last_two_are_kept(three: Path, model: Any) -> None:
    assert sorted(content(three)) == ["last.safetensors", "previous.safetensors"]
    assert weights_file.read(three / run.PREVIOUS)[0]["model/dense/bias"][0] == 2
    assert checkpoints(three, model).restore(print) == State(steps_done=3)


def test_the_same_state_is_not_saved_twice(three: Path, model: Any) -> None:
    before, saving = content(three), checkpoints(three, model)
    state = saving.restore(print)
    assert state is not None
    saving.save(state)
    saving.wait()
    assert content(three) == before


def test_a_disk_that_fills_up_loses_nothing(three: Path, model: Any) -> None:
    before, saving = content(three), checkpoints(three, model)
    with full_disk():
        saving.save(State(steps_done=4))
        with pytest.raises(OSError, match="File too large"):
            saving.wait()
    assert content(three) == before


def test_a_checkpoint_that_cannot_be_written_is_said_at_the_next_step_and_written_later(
    three: Path, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *values: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    saving = checkpoints(three, model)
    with monkeypatch.context() as patched:
        patched.setattr(weights_file, "save", full)
        assert not saving.due()
        saving.save(State(steps_done=4))
        saving._thread.submit(lambda: None).result()
        assert saving.due(), "the training asks at every step"
        with pytest.raises(OSError, match="No space left"):
            saving.save(State(steps_done=5))
        saving.save(State(steps_done=5))
        with pytest.raises(OSError, match="No space left"), saving:
            pass
    saving = checkpoints(three, model)
    saving.save(State(steps_done=5))
    assert saving.restore(print) == State(steps_done=5), "restore waits for it"


def test_a_training_goes_on_while_a_checkpoint_is_written(
    tmp_path: Path, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, save = threading.Event(), weights_file.save

    def slow(path: Path, *values: Any) -> None:
        assert goes_on.wait(60)
        save(path, *values)

    monkeypatch.setattr(weights_file, "save", slow)
    (variable, *_) = model.variables
    variable.assign(np.full(variable.shape, 1, variable.dtype))
    with checkpoints(tmp_path, model) as saving:
        saving.save(State(steps_done=1), {"best": variable})
        variable.assign(np.full(variable.shape, 2, variable.dtype))
        saving.save(State(steps_done=1))
        assert saving.writing(), "the state that is being written is not waited for"
        assert not (tmp_path / run.LAST).exists()
        goes_on.set()
    written, text = weights_file.read(tmp_path / run.LAST)
    assert json.loads(text["state"])["steps_done"] == 1
    assert any((array == 1).all() for array in written.values())
    assert not any((array == 2).any() for array in written.values()), "the step after it changed the variable"
    assert (weights_file.read(tmp_path / run.BEST)[0]["best"] == 1).all()


def test_a_damaged_checkpoint_gives_way_to_the_one_before_it(three: Path, model: Any) -> None:
    (three / run.LAST).write_bytes(content(three)["last.safetensors"][:-10])
    said: list[str] = []
    assert checkpoints(three, model).restore(said.append) == State(steps_done=2)
    assert len(said) == 1
    assert "last.safetensors is damaged: previous.safetensors" in said[0]
    assert model.get_layer("dense").bias.numpy()[0] == 2
    assert [*content(three)] == ["last.safetensors"]
    (three / run.LAST).write_bytes(b"{}")
    with pytest.raises(ZooError, match=r"last.safetensors is damaged"):
        checkpoints(three, model).restore(print)


@pytest.mark.parametrize("moved", [False, True])
def test_a_checkpoint_that_was_not_moved_yet_is_the_last(moved: bool, three: Path, model: Any) -> None:
    (three / run.LAST).replace(three / NEXT)
    if not moved:
        (three / run.PREVIOUS).replace(three / run.LAST)
    (three / "checkpoints/.1234-next.safetensors").write_bytes(b"half")
    assert checkpoints(three, model).restore(print) == State(steps_done=3)
    assert sorted(content(three)) == ["last.safetensors", "previous.safetensors"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    return train(tmp_path_factory.mktemp("alone") / "run", *SETTINGS)


def test_a_checkpoint_of_an_earlier_version_is_continued(alone: Path, tmp_path: Path) -> None:
    """Earlier versions wrote checkpoints only after an epoch."""
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        train(folder, *SETTINGS, callbacks=[SignalAt(4)])
    arrays, text = weights_file.read(folder / run.PREVIOUS)
    state = json.loads(text["state"])
    earlier = {name: value for name, value in state.items() if name not in NEW_FIELDS}
    assert earlier.keys() == {"epochs_done", "history", "best_score", "best_epoch"}
    weights_file.save(folder / run.LAST, arrays, {"state": json.dumps(earlier)})
    (folder / run.PREVIOUS).unlink()

    start.resume(folder, None, SINGLE)

    assert (alone / run.WEIGHTS).read_bytes() == (folder / run.WEIGHTS).read_bytes()


def test_metrics_without_their_checkpoint_do_not_stay(tmp_path: Path) -> None:
    """As if a power failure had come after the metrics of the first epoch, while its checkpoint was written."""
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(folder, "epochs=2", family="linear", source="iris", callbacks=[Ends()])
    assert (folder / run.METRICS).exists()
    for path in (folder / run.CHECKPOINTS).glob("*.safetensors"):
        path.unlink()
    found: list[bool] = []
    begins = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: found.append((folder / run.METRICS).exists()))
    start.resume(folder, None, dataclasses.replace(SINGLE, callbacks=[begins]))
    assert found == [False]


def test_a_training_whose_disk_fills_up_goes_on_when_there_is_space(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sixth checkpoint is cut off after half of it, within the first epoch."""
    folder = tmp_path / "stopped"
    write, before, sizes = Path.write_bytes, {}, []

    def full(path: Path, data: bytes) -> int:
        if path.name.endswith("-next.safetensors"):
            sizes.append(len(data))
            if len(sizes) == 6:
                before.update(content(folder))
                write(path, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space left"):
        patched.setattr(Path, "write_bytes", full)
        train(folder, *SETTINGS, checkpoint_minutes=1e-9)
    assert before.keys() == {"last.safetensors", "previous.safetensors", "lock"}
    assert content(folder) == before
    start.resume(folder, None, SINGLE)
    assert (alone / run.WEIGHTS).read_bytes() == (folder / run.WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    ("settings", "replicas", "workers", "line"),
    [
        (["batch_size=9"], 2, 1, "batch of 9 cannot be shared by 2 replicas: .*--strategy single.* that divides 9$"),
        (["batch_size=12", "accumulate=4"], 2, 1, "12 is computed in 4 parts, which cannot .* that divides 3$"),
        (["batch_size=18", "mixup=0.2"], 2, 2, "mixup mixes pairs, .* odd on each of 2 workers: .* that divides 9$"),
        (["batch_size=9"], 3, 1, None),
        (["batch_size=12", "accumulate=4"], 3, 1, None),
        (["batch_size=18", "mixup=0.2"], 2, 1, None),
        (["batch_size=18", "mixup=0.2"], 9, 3, None),
    ],
)
def test_devices_that_cannot_share_the_batch_of_a_run(
    settings: list[str], replicas: int, workers: int, line: str | None
) -> None:
    recipe = recipes.override(Recipe(), settings)
    if line is None:
        check_replicas(recipe, replicas, Share(0, workers))
        return
    with pytest.raises(ZooError, match=line):
        check_replicas(recipe, replicas, Share(0, workers))


class Ends(keras.callbacks.Callback):
    """Ends a training after its first epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        raise KeyboardInterrupt


def test_a_run_whose_batch_two_devices_cannot_share_says_how_it_can_be_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(folder, "epochs=2", "batch_size=9", family="linear", source="iris", callbacks=[Ends()])
    two = SimpleNamespace(num_replicas_in_sync=2, extended=SimpleNamespace(worker_devices=("CPU:0", "CPU:1")))
    with (
        monkeypatch.context() as patched,
        pytest.raises(ZooError, match=r"one device \(--strategy single\)") as refused,
    ):
        patched.setattr(start.strategies, "choose", lambda *arguments: two)
        start.resume(folder, None, SINGLE)
    assert "--set" not in str(refused.value)
    start.resume(folder, None, SINGLE)
    assert run.read_finished(folder).results["epochs"] == 2


class Stops(keras.callbacks.Callback):
    """Stops a training after the third step of its first epoch, or at its end."""

    def __init__(self, within: bool) -> None:
        super().__init__()
        self.within = within

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.stop_training = self.within and batch == 2

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = True


class Interrupts(keras.callbacks.Callback):
    """Sends a signal to this process when the validation of an epoch begins."""

    def on_test_begin(self, logs: Any = None) -> None:
        signal.raise_signal(signal.SIGINT)


STOPPED = ("epochs=3", "batch_size=10", "optimizer.lr=0.1", "schedule.shape=linear", "schedule.warmup_epochs=0")


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / run.METRICS).read_text().splitlines()]


@pytest.mark.parametrize("within", [False, True])
def test_a_training_that_a_callback_stopped_stays_stopped_when_its_test_is_interrupted(
    within: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "_finish", interrupted)
        train(folder, *STOPPED, family="linear", source="iris", callbacks=[Stops(within)])
    before = rows(folder)
    start.resume(folder, None, SINGLE)
    assert run.read_finished(folder).results["epochs"] == 1
    assert rows(folder) == before


def test_an_epoch_that_a_callback_stopped_is_evaluated_after_an_interruption(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(folder, *STOPPED, family="linear", source="iris", callbacks=[Stops(within=True), Interrupts()])
    start.resume(folder, None, SINGLE)
    assert run.read_finished(folder).results["epochs"] == 1
    (row,) = rows(folder)
    this = run.read(folder)
    assert this.data is not None
    steps = 3 * (this.data.counts["train"] // 10)
    assert row["learning_rate"] == pytest.approx(0.1 * (1 - 2 / steps)), (
        "the rate of the third step, which was the last"
    )
