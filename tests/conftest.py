"""Fixtures and helpers of all tests: real images, the command line in this process, the switch for the full sweep."""

from __future__ import annotations

import dataclasses
import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The same examples every time, and no deadline: a test of ours must not fail because a machine is busy.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run what takes hours: every network at 224 pixels")


def slow_tests() -> set[str]:
    """The modules and test functions of tests/slow.txt, as pytest names them."""
    lines = (Path(__file__).parent / "slow.txt").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


@pytest.hookimpl(tryfirst=True)  # before pytest asks for markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that tests/slow.txt names as slow, and leave out the full sweep where --full does not ask for it.

    The sweep is another test run, not a part of this one that is skipped.
    """
    slow = slow_tests()
    for item in items:
        function = item.nodeid.partition("[")[0]
        if function in slow or function.partition("::")[0] in slow:
            item.add_marker("slow")
    if not config.getoption("--full"):
        full = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=full)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """TensorFlow's graphs refer to themselves, and the full sweep's hold gigabytes: none waits for the collector."""
    if item.get_closest_marker("full"):
        gc.collect()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of this process, so that no test depends on what the user's holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@dataclasses.dataclass(frozen=True)
class Answer:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


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
    """A folder of classes: crops of scikit-learn's two photographs, tinted by class so that they can be told apart."""
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
