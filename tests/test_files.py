"""Nothing is half-written: files and folders appear complete or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo import array_file, files, recipe, schema, weights_file
from zoo.errors import ZooError
from zoo.inputs.image.settings import ImageSettings
from zoo.recipe import Recipe
from zoo.registry import matching


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), files.staged_folder(tmp_path / "made") as staging:
        (staging / "half").write_text("half")
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with files.staged_folder(tmp_path / "made") as staging:
        (staging / "whole").write_text("whole")
        assert not (tmp_path / "made").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["made", "whole"]
    with pytest.raises(ZooError, match="exists already"), files.staged_folder(tmp_path / "made"):
        pass


def test_a_name_is_taken_while_its_folder_is_staged(tmp_path: Path) -> None:
    with files.staged_folder(tmp_path / "run[1]"):
        other = files.unused(tmp_path, "run[1]")
        assert other == tmp_path / "run[1]-2"
        with files.staged_folder(other):
            assert files.unused(tmp_path, "run[1]") == tmp_path / "run[1]-3"
    assert files.unused(tmp_path, "run[1]") == tmp_path / "run[1]-3"
    assert files.unused(tmp_path / "none", "run") == tmp_path / "none/run"


def test_a_file_keeps_its_old_content_when_writing_fails(tmp_path: Path) -> None:
    files.write_text(tmp_path / "file", "old")
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "file", float("nan"))
    with pytest.raises(RuntimeError), files.staged_file(tmp_path / "file") as staging:
        staging.write_text("half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path)
    with pytest.raises(ZooError, match="symbolic link"):
        files.files_below(tmp_path / "folder")
    assert files.files_below(tmp_path / "folder", without=["link"]) == []


def test_json_of_any_depth_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 200_000)
    with pytest.raises(ZooError, match="cannot be read"):
        files.read_json(tmp_path / "deep.json", "fix it")


def test_arrays_that_do_not_fit_are_all_named(tmp_path: Path) -> None:
    class Variable:
        shape = (2,)

        def assign(self, value: object) -> None:
            raise AssertionError("nothing is assigned unless all fit")

    named = {"kernel": Variable(), "bias": Variable()}
    arrays = {"bias": np.zeros(3, np.float32), "other": np.zeros(1, np.float32)}
    with pytest.raises(ZooError) as refused:
        weights_file.assign(named, arrays, "x.safetensors")
    for part in ("missing: kernel", "left over: other", "bias is [3], not [2]"):
        assert part in str(refused.value)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_weights_file_is_refused(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    weights_file.save(path, {"kernel": np.arange(12, dtype=np.float32)})
    data = bytearray(path.read_bytes())
    header = int.from_bytes(data[:8], "little") + 8
    data[place % header] = value
    path.write_bytes(bytes(data))
    with contextlib.suppress(ZooError):
        arrays, _ = weights_file.read(path)
        assert all(isinstance(array, np.ndarray) for array in arrays.values())


def test_recipes_go_through_json_unchanged() -> None:
    for family, size in matching():
        made = family.recipe_of(size)
        assert schema.parse(Recipe, json.loads(json.dumps(schema.to_dict(made))), "recipe") == made


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("optimizer.lrr=1", "did you mean 'optimizer.lr'"),
        ("optimizer.lr", "write KEY=VALUE"),
        ("optimizer.lr=fast", "optimizer.lr should be a valid number"),
        ("optimizer.lr=-1", "optimizer.lr should be greater than 0"),
        ("optimizer.lr=nan", "optimizer.lr should be a finite number"),
        ("epochs=0", "epochs should be greater than or equal to 1"),
        ("epochs=2.5", "epochs should be a valid integer"),
        ("image.flip=maybe", "flip should be a valid boolean"),
        ("precision=mixed_bfloat16", "precision should be 'float32', 'bfloat16', 'float16' or 'float64'"),
    ],
)
def test_a_setting_that_no_recipe_takes_is_refused(setting: str, complaint: str) -> None:
    with pytest.raises(ZooError, match=complaint.replace(".", r"\.")):
        recipe.override(Recipe(input=ImageSettings()), [setting])


def test_settings_are_typed() -> None:
    made = recipe.override(Recipe(input=ImageSettings()), ["optimizer.lr=0.1", "image.flip=true", "epochs=3"])
    assert made.optimizer.lr == 0.1
    assert made.input.flip is True
    assert made.epochs == 3


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device", "nothing"):
        with pytest.raises(ZooError, match=f"{name} is missing: train again"):
            files.read_json(tmp_path / name, "train again")
        with pytest.raises(FileNotFoundError):
            array_file.read(tmp_path / name, 2**20)


def test_json_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(files.LARGEST_JSON + 1)
    with pytest.raises(ZooError, match="large has more than 64 MiB: train again"):
        files.read_json(tmp_path / "large", "train again")


def test_no_weights_at_all_are_read_again(tmp_path: Path) -> None:
    weights_file.save(tmp_path / "none.safetensors", {})
    assert weights_file.read(tmp_path / "none.safetensors") == ({}, {})
