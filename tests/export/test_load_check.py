"""A version folder that is still being copied does not load, in any order of copying; a complete one does."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

import zoo
from tests.described import described
from zoo.export.graph import trace
from zoo.export.tf_serving.load_check import FOREIGN, MISSING
from zoo.export.tf_serving.saved_model import write_saved_model
from zoo.export.tf_serving.server_check import libraries
from zoo.inputs.image.preprocessing import Preprocessing

NEEDED = {"saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"}
SIDE = 8

LOAD = """
import json, os, sys
from zoo.export.tf_serving.server_loader import AnswerError, Server
document = os.dup(1)
os.dup2(2, 1)
errors = {}
for folder in sys.argv[2:]:
    try:
        Server(json.loads(sys.argv[1]), folder, "serve", {}).close()
    except AnswerError as error:
        errors[folder] = str(error)
os.write(document, json.dumps(errors).encode())
"""


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("saved") / "1")


def write(folder: Path) -> Path:
    model = zoo.create("cnn", classes=3, input_shape=(SIDE, SIDE, 1))
    write_saved_model(trace(model, described(Preprocessing(SIDE, SIDE, 1, (0.5,), (0.5,)))), folder)
    return folder


def load_errors(folders: list[Path]) -> dict[str, str]:
    """Load folders through TensorFlow's C API in one fresh process, and return the errors by folder."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, json.dumps(libraries()), *map(str, folders)], capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return {Path(folder).name: error for folder, error in json.loads(done.stdout).items()}


def some_of(version: Path, place: Path, names: set[str], cut: dict[str, bytes] | None = None) -> Path:
    """Create a folder with some of the version's files, with other contents for some of them."""
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(version / name, place / name)
    for name, content in (cut or {}).items():
        (place / name).write_bytes(content)
    return place


def test_no_order_of_copying_makes_a_version_load_before_it_is_whole(version: Path, tmp_path: Path) -> None:
    files = sorted(path.relative_to(version).as_posix() for path in version.rglob("*") if path.is_file())
    assert set(files) > NEEDED
    expected = {}
    for number, chosen in enumerate(itertools.product([False, True], repeat=len(files))):
        names = set(itertools.compress(files, chosen))
        place = tmp_path / str(number)
        place.mkdir()
        some_of(version, place, names)
        expected[place] = names >= NEEDED
    errors = load_errors(list(expected))
    assert {place.name for place, whole in expected.items() if not whole} == errors.keys()


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_no_part_of_a_file_is_taken_for_the_whole(version: Path, tmp_path: Path, name: str) -> None:
    content = (version / name).read_bytes()
    lengths = sorted({0, 1, len(content) // 3, len(content) // 2, len(content) - 100, len(content) - 1})
    folders = [
        some_of(version, tmp_path / f"{kind}-{length}", NEEDED, {name: content[:length] + rest})
        for length in lengths
        # Some programs copy into a file that has its full length from the beginning.
        for kind, rest in (("cut", b""), ("noughts", bytes(len(content) - length)))
        if content[:length] + rest != content
        # The last byte of the protobuf is one of Python's object graph, which no server reads.
        and (kind, name, length) != ("noughts", "saved_model.pb", len(content) - 1)
    ]
    whole = some_of(version, tmp_path / "whole", NEEDED)
    assert load_errors([*folders, whole]).keys() == {folder.name for folder in folders}


def test_a_version_that_is_copied_over_another_never_answers_with_its_weights(version: Path, tmp_path: Path) -> None:
    """The two versions have the same files and shapes, but other weights."""
    other = write(tmp_path / "other")
    whole: list[Path] = []
    mixed: list[Path] = []
    for sources in itertools.product([version, other], repeat=len(NEEDED)):
        place = tmp_path / str(len(whole) + len(mixed))
        for source, name in zip(sources, sorted(NEEDED), strict=True):
            some_of(source, place, {name})
        (whole if len(set(sources)) == 1 else mixed).append(place)
    errors = load_errors([*whole, *mixed])
    assert errors.keys() == {place.name for place in mixed}
    assert sum(FOREIGN in error for error in errors.values()) == 2


def test_the_error_says_what_is_missing_and_the_same_folder_loads_later(version: Path, tmp_path: Path) -> None:
    place = some_of(version, tmp_path / "1", {"saved_model.pb"})
    assert MISSING in load_errors([place])["1"]
    with pytest.raises((OSError, ValueError, tf.errors.OpError)):
        tf.saved_model.load(str(place))
    some_of(version, place, NEEDED)
    assert load_errors([place]) == {}
    loaded = tf.saved_model.load(str(place))
    assert loaded.signatures["serving_default"](image=tf.zeros([2, SIDE, SIDE, 1], tf.uint8))["logits"].shape == (2, 3)
