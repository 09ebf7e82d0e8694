"""Data in an object store equal the same files on disk, and `zoo copy` copies folders to a store and back."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

import zoo
from tests.conftest import Answer, write_images
from tests.test_surroundings import described, finished_run
from zoo import run, stores
from zoo.data import store_copy
from zoo.data.dataset import Dataset
from zoo.data.load import load
from zoo.data.reload import load_again
from zoo.errors import ZooError
from zoo.folder_copy import download, upload
from zoo.recipe import Split
from zoo.stores import Store


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """A server with the S3 protocol and a bucket, which zoo finds through environment variables."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3").mkdir("bucket")
        yield
    running.stop()
    fsspec.filesystem("s3").clear_instance_cache()


@pytest.fixture
def gs(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process's memory in place of Google Cloud Storage, for which there is no local server."""
    memory = fsspec.filesystem("memory")
    monkeypatch.setattr(Store, "_system", memory)
    monkeypatch.setattr(Store, "at", staticmethod(lambda url: Store(url, "gs", f"/{url.partition('://')[2]}")))


@pytest.fixture(params=["s3", "gs"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place in a store, and an empty cache."""
    request.getfixturevalue("server" if request.param == "s3" else "gs")
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    return f"{request.param}://bucket/{tmp_path.name}"


def put(folder: Path, url: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            Store.at(url).send(path, path.relative_to(folder).as_posix())


def remove(url: str) -> None:
    store = Store.at(url)
    store._system.rm(store.path)


def read(source: str, kind: str, **options: Any) -> tuple[Dataset, list[str]]:
    said: list[str] = []
    return load(source, kind, split=Split(), say=said.append, **options), [one for one in said if "copying" in one]


def test_a_folder_in_a_store_is_the_folder(bucket: str, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", classes=2, each=12, side=16)
    url = f"{bucket}/images"
    put(images, url)
    here, _ = read(f"folder:{images}", "image")
    there, said = read(f"folder:{url}", "image")
    assert there.fingerprint == here.fingerprint
    assert there.source == f"folder:{url}"
    assert said[0].startswith("copying 24 of 24 files, 0.0 MB, from ")
    assert all(there.train.files(place) for place in range(len(there.train))), "TensorFlow reads the files itself"
    again, said = read(f"folder:{url}", "image")
    assert (again.fingerprint, said) == (here.fingerprint, [])
    assert len(read(f"files:{url}", "image")[0].train) == len(read(f"files:{images}", "image")[0].train)

    Path(there.train.files(0)).unlink()
    (images / "class0/0.png").write_bytes((images / "class1/3.png").read_bytes())
    Store.at(url).send(images / "class0/0.png", "class0/0.png")
    remove(f"{url}/class1/11.png")
    (images / "class1/11.png").unlink()
    changed, said = read(f"folder:{url}", "image")
    assert changed.fingerprint == read(f"folder:{images}", "image")[0].fingerprint
    assert said[0].startswith(("copying 2 of 23 files", "copying 1 of 23 files"))
    description = there.description()
    with pytest.raises(ZooError, match=f"folder:{url} has changed since it was trained on"):
        load_again(description, "image", Split())
    put(images, f"{bucket}/moved")
    assert load_again(changed.description(), "image", Split(), images).fingerprint == changed.fingerprint


def test_what_a_start_that_was_killed_has_left_is_no_data(bucket: str, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", classes=2, each=4, side=16)
    put(images, f"{bucket}/images")
    found, _ = read(f"folder:{bucket}/images", "image", bad_examples="skip")
    copy = Path(found.train.files(0)).parent
    (copy / "left.png").write_bytes(b"half")
    (copy.parents[1] / store_copy.STAMPS).unlink()
    again, _ = read(f"folder:{bucket}/images", "image")
    assert again.fingerprint == found.fingerprint
    assert not (copy / "left.png").exists()


def test_tables_in_a_store_are_the_tables(bucket: str, tmp_path: Path) -> None:
    rows = [f"{number},{number % 3},{'abc'[number % 3]}\n" for number in range(60)]
    for name, part in (("train", rows[:40]), ("test", rows[40:])):
        (tmp_path / "tables").mkdir(exist_ok=True)
        (tmp_path / "tables" / f"{name}.csv").write_text("".join(["one,two,target\n", *part]))
    put(tmp_path / "tables", bucket)
    argument = f"{bucket}/train.csv,{tmp_path}/tables/test.csv"
    table, said = read(f"csv:{argument}", "table", options={"target": "target"})
    assert table.source == f"csv:{argument}"
    assert len(table.test) == 20
    assert len(said) == 1
    again = load_again(table.description(), "table", Split())
    assert again.source == table.source
    moved = load_again(table.description(), "table", Split(), tmp_path / "tables")
    assert (moved.source, moved.data_dir) == (table.source, str(tmp_path / "tables"))


def test_folders_of_a_store_that_are_called_as_splits_are_not_one_table(bucket: str, tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "tables" / split).mkdir(parents=True)
        (tmp_path / "tables" / split / "rows.csv").write_text("x,y\n1,2\n")
    put(tmp_path / "tables", bucket)
    with pytest.raises(ZooError, match=r"look like splits \('train/rows\.csv', 'test/rows\.csv'\)"):
        read(f"csv:{bucket}/train/rows.csv,{bucket}/test/rows.csv", "table", options={"target": "y"})


def test_a_folder_in_a_store_is_no_table(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    for name in ("a", "b"):
        (tmp_path / "tables" / f"{name}.csv").write_text("x,y\n1,2\n")
    put(tmp_path / "tables", f"{bucket}/tables")
    with pytest.raises(ZooError, match=f"{bucket}/tables is a folder: .*, such as {bucket}/tables/a.csv"):
        read(f"csv:{bucket}/tables", "table", options={"target": "y"})
    assert not (tmp_path / "cache").exists(), "nothing was copied"


def test_runs_come_to_a_store_and_back(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished_run(tmp_path / "run", described())
    (tmp_path / "run" / ".half").write_bytes(b"half")
    (tmp_path / "run" / ".git").mkdir()
    (tmp_path / "run" / ".git" / "config").write_bytes(b"[core]")
    (tmp_path / "run" / ".git" / "hooks").symlink_to("/nowhere")
    sent: list[str] = []
    send = Store.send

    def noted(self: Store, source: Path, name: str) -> None:
        sent.append(name)
        send(self, source, name)

    monkeypatch.setattr(Store, "send", noted)
    done = zoo.copy(tmp_path / "run", f"{bucket}/run")
    assert sent[-1] == run.DESCRIPTION
    assert (done.kind, done.target, done.files) == ("run", f"{bucket}/run", len(sent))
    with pytest.raises(ZooError, match="holds another run already"):
        upload(tmp_path / "run", f"{bucket}/run")
    back = zoo.copy(f"{bucket}/run", tmp_path / "back")
    assert dataclasses.replace(back, target=done.target) == done
    (tmp_path / "run" / ".half").unlink()
    shutil.rmtree(tmp_path / "run" / ".git")
    for path in (tmp_path / "run").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "back" / path.relative_to(tmp_path / "run")).read_bytes()
    with pytest.raises(ZooError, match="exists already"):
        download(f"{bucket}/run", tmp_path / "back")

    remove(f"{bucket}/run/{run.DESCRIPTION}")
    with pytest.raises(ZooError, match=r"there is no run, artifact or evaluation at .*, or not all of one"):
        download(f"{bucket}/run", tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["back", "run"]


def test_a_folder_is_not_copied_among_files_that_it_does_not_have(bucket: str, tmp_path: Path) -> None:
    finished_run(tmp_path / "run", described())
    upload(tmp_path / "run", f"{bucket}/runs/one")
    with pytest.raises(ZooError, match=r"runs holds files that are not in .*run \(.*one/.*\): copy to another place"):
        upload(tmp_path / "run", f"{bucket}/runs")
    remove(f"{bucket}/runs/one/{run.DESCRIPTION}")
    assert upload(tmp_path / "run", f"{bucket}/runs/one").kind == "run", "the rest of a copy that failed is its own"
    remove(f"{bucket}/runs/one/{run.DESCRIPTION}")
    (tmp_path / "run" / run.WEIGHTS).unlink()
    with pytest.raises(ZooError, match=rf"\({run.WEIGHTS}\): copy to another place, or remove them first"):
        upload(tmp_path / "run", f"{bucket}/runs/one")


def test_a_copy_that_fails_leaves_nothing(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished_run(tmp_path / "run", described())
    upload(tmp_path / "run", f"{bucket}/run")
    monkeypatch.setattr(Store, "fetch", lambda self, entry, target: shutil.copy(__file__, target) and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        download(f"{bucket}/run", tmp_path / "back")
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["run"]


def test_what_cannot_be_read_is_refused(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{bucket}/images"
    with pytest.raises(ZooError, match=f"there is nothing at {url}: name a folder or a file in the store"):
        read(f"folder:{url}", "image")
    put(write_images(tmp_path / "images", classes=2, each=2, side=16), url)
    with monkeypatch.context() as patch:
        patch.setattr(store_copy.shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(1, 1, 0))
        with pytest.raises(ZooError, match=r"where 0\.0 GB are available: let ZOO_CACHE_DIR name a folder"):
            read(f"folder:{url}", "image")
    with monkeypatch.context() as patch:
        patch.setattr(store_copy, "_fetch", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            read(f"folder:{url}", "image")
    fetch = Store.fetch

    def shorter(self: Store, entry: stores.Entry, target: Path) -> None:
        fetch(self, dataclasses.replace(entry, size=entry.size - 1), target)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "fetch", shorter)
        with pytest.raises(ZooError, match="changed while it was read: start again"):
            read(f"folder:{url}", "image")
    if url.startswith("gs"):
        return  # the memory that stands for it has folders, as a disk has
    Store.at(url).send(tmp_path / "images/class0/0.png", "class0")
    with pytest.raises(ZooError, match="has files and folders of the same name, such as '"):
        read(f"folder:{url}", "image")


@pytest.mark.usefixtures("gs")
def test_names_that_leave_the_folder_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = {"/bucket/a/../../b": {"size": 1, "type": "file"}}
    monkeypatch.setattr(Store, "_system", type("System", (), {"find": lambda self, path, detail: listing})())
    with pytest.raises(ZooError, match=r"has a file '\.\./\.\./b', which no folder can hold: rename it"):
        Store.at("gs://bucket/a").entries()


def test_a_store_that_does_not_answer_is_refused(server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    fsspec.filesystem("s3").clear_instance_cache()
    before = time.monotonic()
    try:
        with pytest.raises(ZooError, match=r"s3://bucket/x cannot be listed \(.*\): fix the name, the credentials"):
            Store.at("s3://bucket/x").entries()
    finally:
        fsspec.filesystem("s3").clear_instance_cache()
    assert time.monotonic() - before < 30


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_no_error_of_the_store(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zoo_command: Callable[..., Answer]
) -> None:
    class Full:
        def find(self, path: str, detail: bool) -> dict[str, Any]:
            return {f"{path}/run.json": {"size": 3, "type": "file"}}

        def get_file(self, path: str, target: str) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Store, "_system", Full())
    answer = zoo_command("copy", "s3://bucket/run", tmp_path / "here")
    assert answer.status == 2
    assert answer.err.splitlines()[-1] == f"zoo: {os.strerror(number)}: free some space, or choose another --out"
    assert [*tmp_path.iterdir()] == []


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stores.LIBRARIES, "gs", "no_such_library")
    with pytest.raises(ZooError, match=r"needs no_such_library: pip install 'keras-zoo\[gs\]'"):
        Store.at("gs://bucket/x").entries()


def test_copies_that_nobody_used_for_long_are_removed(bucket: str, tmp_path: Path) -> None:
    put(write_images(tmp_path / "images", classes=2, each=4, side=16), f"{bucket}/images")
    found, _ = read(f"folder:{bucket}/images", "image")
    place = Path(found.train.files(0)).parents[2]
    old = place.with_name("old")
    shutil.copytree(place, old)
    os.utime(old / store_copy.STAMPS, (0, 0))
    half = place / f"{store_copy.STAGING}x"
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    read(f"folder:{bucket}/images", "image")
    assert not old.exists()
    assert not half.exists()
    assert place.exists()


@pytest.mark.parametrize("place", ["s3://bucket/x", Path("s3://bucket/x"), "gs://bucket/x"])
def test_verbs_that_need_a_folder_of_this_machine_say_so(place: str | Path) -> None:
    for ask in (
        lambda: zoo.train("linear", data="iris", out=place),
        lambda: zoo.train(resume=place),
        lambda: zoo.train_sizes(resume=place),
        lambda: zoo.tune(resume=place),
        lambda: zoo.scale(resume=place),
        lambda: zoo.train(weights=place),
        lambda: zoo.evaluate(place),
        lambda: zoo.export_run(place, onnx=True),
        lambda: zoo.verify(place),
        lambda: zoo.publish(None, place),
        lambda: zoo.load(place),
        lambda: zoo.describe(place),
    ):
        with pytest.raises(ZooError, match=r"(s3|gs)://bucket/x is in an object store, and only --data"):
            ask()
    with pytest.raises(ZooError, match="one of them should be in a store"):
        zoo.copy(place, place)
    with pytest.raises(ZooError, match="is not a run, artifact or evaluation"):
        zoo.copy("nothing", place)


def test_a_signal_ends_a_copy_before_the_files_that_have_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def fetch(self: Store, entry: Any, target: Path) -> None:
        begun.append(target.name)
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.stores.AT_ONCE", 1)
    monkeypatch.setattr(Store, "fetch", fetch)
    monkeypatch.setattr(Store, "entries", lambda self: dict.fromkeys(("run.json", *"abcdefgh")))
    with pytest.raises(KeyboardInterrupt):
        download("s3://bucket/run", tmp_path / "run")
    assert len(begun) < 9
    assert not (tmp_path / "run").exists()
