"""Fixtures and helpers of all tests: real images, the command line in this process, the switch for the full sweep."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import gc
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Variables of the user's shell that decide about workers, Keras, kernels and requests; TensorFlow is not imported yet.
FOREIGN = ("TF_CONFIG", "TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
for variable in [name for name in os.environ if name.upper() in FOREIGN or name.startswith(("SLURM_", "AWS_"))]:
    del os.environ[variable]
os.environ["NO_PROXY"] = "127.0.0.1,localhost"  # proxies that the system itself names
# The same examples every time, and no deadline: a test of ours must not fail because a machine is busy.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run what takes hours: every network at 224 pixels")


LONGEST = (
    "models/test_conformance.py",
    "docs/test_doc_commands.py",
    "training/test_processes.py",
    "training/test_training.py",
    "training/test_fine_tuning.py",
    "export/test_server_check.py",
    "models/test_structure.py",
    "cli/test_text.py",
    "cli/test_wrong_requests.py",
    "weights/test_pull.py",
    "test_surroundings.py",
    "test_architecture.py",
    "weights/test_timm_reader.py",
    "weights/test_keras_reader.py",
    "export/test_recorded_graphs.py",
    "cli/test_terminal.py",
    "test_extending.py",
)
"""The modules that take longest, longest first. They begin first, because a process that begins one late ends late."""


def slow_tests() -> set[str]:
    """The modules and test functions of tests/slow.txt, as pytest names them."""
    lines = (Path(__file__).parent / "slow.txt").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


@pytest.hookimpl(tryfirst=True)  # before pytest asks for markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that tests/slow.txt names as slow, put the longest modules first, and leave out the full sweep.

    The sweep, for which --full asks, is another test run and not a part of this one that is skipped.
    """
    slow = slow_tests()
    for item in items:
        function = item.nodeid.partition("[")[0]
        if function in slow or function.partition("::")[0] in slow:
            item.add_marker("slow")
    ranks = {f"tests/{module}": rank for rank, module in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0], len(ranks)))
    if not config.getoption("--full"):
        full = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=full)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Collect garbage at once: TensorFlow's graphs are reference cycles, and those of the full sweep hold gigabytes."""
    if item.get_closest_marker("full"):
        gc.collect()


def shared_place(factory: pytest.TempPathFactory) -> Path:
    """A temporary folder of this session that all of its processes see."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first process to ask for it fills; tests change only copies."""
    folder = shared_place(factory) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            half = folder.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            make(half)
            half.rename(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of this session, so that no test depends on the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE_DIR", str(shared_place(tmp_path_factory) / "cache"))
        yield


@dataclasses.dataclass(frozen=True)
class Answer:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


def call_zoo(*arguments: object, folder: Path) -> Answer:
    """Call `zoo` with arguments in this process, in a folder; for fixtures that the tests of a module share."""
    from zoo.cli import main

    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["zoo", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
    assert stop.value.code == 0, err.getvalue()
    return Answer(0, out.getvalue(), err.getvalue())


@pytest.fixture
def zoo_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """`zoo` with arguments, in this process."""
    from zoo.cli import main

    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["zoo", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        status = stop.value.code
        assert isinstance(status, int)
        return Answer(status, captured.out, captured.err)

    return call


def write_images(folder: Path, *, classes: int = 3, each: int = 20, side: int = 32, seed: int = 0) -> Path:
    """Write a folder per class: crops of scikit-learn's photographs, with a tint that tells the classes apart."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    random = np.random.default_rng(seed)
    for label in range(classes):
        place = folder / f"class{label}"
        place.mkdir(parents=True)
        for number in range(each):
            photograph = photographs[number % len(photographs)]
            top, left = (int(random.integers(0, length - side)) for length in photograph.shape[:2])
            crop = photograph[top : top + side, left : left + side].astype(np.int16)
            crop[..., label % 3] += 60
            Image.fromarray(crop.clip(0, 255).astype(np.uint8)).save(place / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def images_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of twenty 32×32 crops each."""
    return write_images(tmp_path_factory.mktemp("images") / "crops")


@pytest.fixture(scope="session")
def digits_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/cnn-small-digits, of four epochs, and artifacts/cnn-small-digits, its ONNX file."""

    def make(folder: Path) -> None:
        call_zoo("train", "cnn", "--epochs", 4, folder=folder)
        call_zoo("export", "--onnx", folder=folder)

    return made_once(tmp_path_factory, "digits", make)


def leave_trial_exports_out(patch: pytest.MonkeyPatch) -> None:
    """Let trainings begin without a trial export, which takes as long as `zoo export`.

    These tests cover the trial export: tests/export/test_preflight.py; for images, tests/test_extending.py, with a
    family of another package; for the other kinds of input, the first trainings of tests/cli/test_audio.py,
    test_tables.py and test_text.py.
    """
    from zoo.export import preflight

    patch.setattr(preflight, "preflight", lambda description: None)


@pytest.fixture
def no_trial_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of a test begin without a trial export."""
    leave_trial_exports_out(monkeypatch)


@dataclasses.dataclass
class HostileRequests:
    """The switch by which the gate `server` sends hostile requests."""

    sent: bool


@pytest.fixture(scope="session", autouse=True)
def few_hostile_requests(request: pytest.FixtureRequest) -> Iterator[HostileRequests]:
    """Send hostile requests only with --full and in tests that use `every_hostile_request`.

    They take most of the time of the gate `server`, and what they try depends on the kind of input alone.
    """
    from zoo.export.tf_serving import server_check

    every, wanted = server_check.hostile_requests, HostileRequests(sent=request.config.getoption("--full"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_check, "hostile_requests", lambda *of: every(*of) if wanted.sent else [])
        yield wanted


@pytest.fixture
def every_hostile_request(few_hostile_requests: HostileRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_hostile_requests, "sent", True)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set weights to ones instead of random values, for tests that build large networks and read none of the weights.

    Drawing a hundred million numbers takes seconds.
    """
    import tensorflow as tf
    from keras.src import backend

    def ones(shape: tuple[int, ...], *arguments: object, dtype: str | None = None, **others: object) -> tf.Tensor:
        return tf.ones(shape, dtype or "float32")

    for name in ("normal", "truncated_normal", "uniform"):
        monkeypatch.setattr(backend.random, name, ones)
