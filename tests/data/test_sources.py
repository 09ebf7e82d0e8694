"""A data source is one module with one record, and shared code names no source."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Answer
from tests.test_extending import through_every_verb
from tests.test_plugins import bring
from zoo import run
from zoo.data import source as data_source
from zoo.data.load import load
from zoo.data.source import Source, moved, parse, short_name, sources, without_folders
from zoo.errors import ZooError
from zoo.recipe import Split

ROOT = Path(__file__).parents[2]
Command = Callable[..., Answer]

STRIPES = '''
"""Images of stripes: a source that is one file outside of zoo."""

import hashlib

import numpy as np
from PIL import Image

from zoo.data.example import Example, RawDataset, Unreadable
from zoo.inputs.image.labeled_image import ImageTraits, encode_png
from zoo.data.source import Source
from zoo.errors import ZooError


def read(argument, say, kind, data_dir=None):
    if not argument.isdecimal():
        raise ZooError(f"'{argument}' is not a number of images: write stripes:COUNT, such as stripes:20")
    say(f"drawing {argument} images a class" + (f" for {data_dir}" if data_dir else ""))
    images = []
    for number in range(2 * int(argument)):
        pixels = np.random.default_rng(number).integers(0, 99, (8, 8), np.uint8)
        pixels[:: 2 + number % 2] = 255
        encoded, digest = encode_png(Image.fromarray(pixels)), hashlib.sha256(pixels.tobytes()).digest()
        traits = ImageTraits(8, 8, gray=True)
        images.append(Example("train", number % 2, f"{number}", encoded, len(encoded), digest, traits))
    unreadable = (Unreadable("train", 0, "torn", "torn in two"),) if argument == "31" else ()
    where = data_dir and str(data_dir)
    return RawDataset("image", ("two", "three"), images, unreadable, argument=argument, data_dir=where)


SOURCE = Source(
    scheme="stripes",
    kinds=("image",),
    argument="COUNT",
    summary="stripes two or three rows apart",
    read=read,
    options={"data_dir": "the name of a wall"},
    short_name=lambda argument: f"{argument}/stripes",
    license="CC0",
)
'''


@pytest.fixture
def stripes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with a source, for this process and those that it starts; its folder."""
    folder = tmp_path / "installed"
    folder.mkdir()
    (folder / "my_stripes.py").write_text(STRIPES)
    bring(folder, "zoo.data.sources", {"stripes": "my_stripes"})
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    yield folder
    sys.modules.pop("my_stripes", None)


@pytest.mark.usefixtures("no_trial_export")
def test_a_source_from_one_file_goes_all_the_way(stripes: Path, tmp_path: Path, zoo_command: Command) -> None:
    example = tmp_path / "example.png"
    Image.new("L", (8, 8)).save(example)
    through_every_verb(zoo_command, tmp_path, example, "cnn", "--data", "stripes:20", formats=("--onnx",))
    data = run.read_finished(tmp_path / "run").data
    assert data is not None
    assert (data.source, data.license, data.data_dir) == ("stripes:20", "CC0", None)
    assert data.counts == {"train": 28, "validation": 4, "test": 8}
    for target in ("run", "artifact"):
        answer = zoo_command("evaluate", tmp_path / target, "--out", tmp_path / f"own-{target}")
        assert answer.status == 0, answer.err
        more = ("--data", "stripes:30", "--out", tmp_path / f"more-{target}")
        answer = zoo_command("evaluate", tmp_path / target, *more)
        assert answer.status == 0, answer.err
        assert "drawing 30 images a class" in answer.err
        assert "the model has seen 32 of the 60 examples" in answer.err


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_help_names_every_source(stripes: Path, verb: str) -> None:
    code = (
        f"import sys; sys.argv = ['zoo', '{verb}', '--help']\nfrom zoo.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'tensorflow', 'tensorflow_datasets', 'keras', 'sklearn', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    words = " ".join(done.stdout.split())
    for text in (
        "digits (the handwritten digits",
        "folder:PATH (your own files",
        "stripes:COUNT (stripes two or three rows apart)",
        "for stripes: the name of a wall",
    ):
        assert text in words
    assert re.search(r"tfds:NAME\[:VERSION\] \(a dataset", words)
    assert words.endswith("[]")


def test_a_source_parses_its_own_argument_and_options(stripes: Path) -> None:
    with pytest.raises(ZooError, match="'many' is not a number of images"):
        load("stripes:many", "image", split=Split())
    said: list[str] = []
    data = load("stripes:5", "image", split=Split(), data_dir=Path("north"), say=said.append)
    assert said == ["drawing 5 images a class for north"]
    assert data.data_dir == "north"
    assert short_name("stripes:5") == "5-stripes"


def test_unreadable_images_of_any_source_are_an_error_or_left_out(stripes: Path) -> None:
    with pytest.raises(ZooError, match=r"^1 of 63 images of stripes:31 cannot be read: torn: torn in two: fix or"):
        load("stripes:31", "image", split=Split())
    assert load("stripes:31", "image", split=Split(), bad_examples="skip").skipped == ("torn: torn in two",)


@pytest.mark.parametrize(("text", "form"), [("digits", "digits"), ("folder:images", "folder:PATH")])
def test_options_that_a_source_does_not_take_are_refused(text: str, form: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError) as refused:
        load(text, "image", split=Split(), data_dir=tmp_path)
    assert str(refused.value) == f"--data {form} takes no such option: leave --data-dir out"


def test_a_module_without_its_record_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(tmp_path, "zoo.data.sources", {"other": "zoo.data.names"})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ZooError, match=r"zoo\.data\.names is not a data source: .* scheme 'other'"):
        sources()


def test_names_of_run_folders() -> None:
    for text, name in (
        ("digits", "digits"),
        ("tfds:fashion_mnist:3.0.1", "fashion_mnist"),
        ("tfds:imagenet/small", "imagenet-small"),
        ("folder:/data/cats", "cats"),
        ("csv:/data/shop/train.csv,/data/shop/test.csv", "shop"),
        ("csv:train.csv", "train"),
        ("csv:/data/sales.csv.gz", "sales"),
        ("folder:/", "folder"),
    ):
        assert short_name(text) == name


def test_a_source_is_named_without_its_folder() -> None:
    for text, name in (
        ("digits", "digits"),
        ("tfds:imagenet/small", "tfds:imagenet/small"),
        ("csv:/data/shop/train.csv,/data/shop/test.csv", "csv:train.csv,test.csv"),
        ("folder:/data/cats", "folder:cats"),
        ("csv:/data/a.csv,/data/b.csv", "csv:a.csv,b.csv"),
        ("folder:s3://bucket/cats", "folder:s3://bucket/cats"),
        (many_files("/data/"), many_files("")),
    ):
        assert without_folders(text) == name


def many_files(folder: str) -> str:
    """A list of files that is too long for a path."""
    return "csv:" + ",".join(f"{folder}part-{number:05}.csv" for number in range(300))


def test_data_that_were_moved_are_found(tmp_path: Path) -> None:
    assert moved("digits", None, None) == ("digits", None)
    assert moved("tfds:mnist:3.0.1", "/old", None) == ("tfds:mnist:3.0.1", Path("/old"))
    assert moved("tfds:mnist:3.0.1", "/old", tmp_path) == ("tfds:mnist:3.0.1", tmp_path)
    assert moved(f"folder:{tmp_path}", None, None) == (f"folder:{tmp_path}", None)
    assert moved("folder:/nowhere", None, tmp_path) == (f"folder:{tmp_path}", None)
    with pytest.raises(ZooError, match="the data are not in /nowhere: say with --data-dir"):
        moved("folder:/nowhere", None, None)


def test_every_source_says_what_it_is() -> None:
    assert {"digits", "folder", "tfds", "csv", "iris", "wine", "breast_cancer", "diabetes"} <= set(sources())
    for scheme, source in sources().items():
        assert isinstance(source, Source)
        assert not source.summary[0].isupper()
        assert not source.summary.endswith(".")
        assert parse(source.form) == (source, source.argument)
        assert (ROOT / "zoo/data/sources" / f"{scheme}.py").is_file()


def test_shared_code_names_no_source() -> None:
    """Shared code neither imports the module of a source nor compares anything with a scheme."""
    scheme = r"[\"'](?:tfds|folder|digits)[\"']"
    named = re.compile(
        rf"zoo\.data\.sources\.\w+|[\"'](?:tfds|folder|digits):|(?:[=!]=|\bin) {scheme}|{scheme} (?:[=!]=|in)\b"
    )
    shared = [
        path
        for wing in ("zoo", "export", "serving")
        for path in (ROOT / wing).rglob("*.py")
        if path.parent.name != "sources"
    ]
    found = {str(path.relative_to(ROOT)): named.findall(path.read_text(encoding="utf-8")) for path in shared}
    assert not {name: names for name, names in found.items() if names}
    assert data_source.PACKAGE == "zoo.data.sources"
