"""Publishing: version numbers are never reused, versions appear complete or not at all, and rollback."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Answer
from tests.serving.handmade import make_artifact, python, sign
from zoo import artifact, files, saved_model_folder, schema
from zoo.artifact import File
from zoo.errors import Refused, ZooError
from zoo.serving import publish as publishing
from zoo.serving import versions
from zoo.serving.publish import publish, roll_back
from zoo.serving.verify import verify

VERSION = "saved_model/1"


def make_publishable(folder: Path, content: bytes = b"weights", size: int = 0) -> Path:
    """An artifact whose SavedModel consists of stand-in files; `verify` checks their hashes and the real ONNX file."""
    make_artifact(folder, ("onnx", "saved_model"))
    for name, data in (
        ("saved_model.pb", b"graph of " + content),
        ("variables/variables.index", b"index of " + content),
        ("variables/variables.data-00000-of-00001", content + bytes(size)),
        ("assets.extra/tf_serving_warmup_requests", b"records"),
        ("fingerprint.pb", b"finger"),
    ):
        (folder / VERSION / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / VERSION / name).write_bytes(data)
    sign(folder)
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publishable(tmp_path_factory.mktemp("artifacts") / "first", b"one")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publishable(tmp_path_factory.mktemp("artifacts") / "second", b"two")


@pytest.fixture(scope="module")
def third(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publishable(tmp_path_factory.mktemp("artifacts") / "third", b"three")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "models" / "network"


def visible(base: Path) -> list[str]:
    """The versions that a server sees in a base path, and everything else that is not hidden."""
    return sorted((path.name for path in base.iterdir() if not path.name.startswith(".")), key=int)


def content(base: Path, of: int) -> bytes:
    return (base / str(of) / "variables/variables.data-00000-of-00001").read_bytes()


def test_a_version_is_the_artifact_s_and_says_what_it_is(first: Path, base: Path) -> None:
    made = publish(first, base)
    assert (made.folder, made.removed, made.record.version) == (base / "1", (), 1)
    wanted = artifact.hashes(first / VERSION)
    assert {name: file for name, file in artifact.hashes(base / "1").items() if name != versions.RECORD} == wanted
    assert made.record == versions.read(base / "1")
    assert made.record.files == wanted
    assert made.record.model == schema.to_dict(artifact.read(first).model)
    assert made.record.artifact == "first"
    assert made.record.manifest_sha256 == files.sha256(first / artifact.MANIFEST)
    assert visible(base) == ["1"]
    for proven in (base, base / "1"):
        assert verify(proven).passed


def test_numbers_rise_and_are_never_used_again(first: Path, second: Path, base: Path) -> None:
    assert [publish(first, base).record.version for _ in range(3)] == [1, 2, 3]
    shutil.rmtree(base / "3")
    assert publish(second, base).record.version == 4
    for of in (1, 2, 4):
        shutil.rmtree(base / str(of))
    assert publish(second, base).record.version == 5
    (base / "20").mkdir()
    assert publish(second, base).record.version == 21
    (base / "0030").write_text("a file that a server takes for a version")
    (base / "+40").mkdir()
    for ignored in ("v50", "60.tmp", "-70", "8_0", "٩٠", str(2**63)):
        (base / ignored).mkdir()
    assert publish(second, base).record.version == 41


def test_all_numbers_can_be_used_up(first: Path, base: Path) -> None:
    (base / str(saved_model_folder.LARGEST_VERSION)).mkdir(parents=True)
    with pytest.raises(ZooError, match="reached version"):
        publish(first, base)
    assert visible(base) == [str(saved_model_folder.LARGEST_VERSION)]


def test_without_the_hidden_file_what_lies_there_counts(first: Path, base: Path) -> None:
    publish(first, base)
    publish(first, base)
    (base / versions.NUMBERS).unlink()
    assert publish(first, base).record.version == 3


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"schema": 1}', b'{"schema": 1, "largest_version": "x"}', b"\xff"]
)
def test_damaged_numbers_are_refused_rather_than_guessed(first: Path, base: Path, damage: bytes) -> None:
    publish(first, base)
    (base / versions.NUMBERS).write_bytes(damage)
    with pytest.raises(Refused, match=r"^[^\n]*largest_version[^\n]*$"):
        publish(first, base)
    assert visible(base) == ["1"]
    assert verify(base).failed == ("numbers",)
    assert not list(base.glob(".tmp*"))


def test_keep_removes_the_oldest_and_never_the_newest(first: Path, base: Path) -> None:
    for _ in range(3):
        publish(first, base)
    assert publish(first, base, keep=2).removed == (1, 2)
    assert visible(base) == ["3", "4"]
    assert publish(first, base, keep=1).removed == (3, 4)
    assert visible(base) == ["5"]
    assert publish(first, base, keep=9).removed == ()
    assert sorted(path.name for path in base.glob(".*")) == [versions.NUMBERS, ".zoo.lock"]


def test_keep_leaves_what_zoo_did_not_publish(first: Path, base: Path, tmp_path: Path) -> None:
    said: list[str] = []
    publish(first, base)
    shutil.copytree(first / VERSION, base / "7")
    (base / "8").symlink_to(tmp_path, target_is_directory=True)
    assert publish(first, base, keep=1, say=said.append).removed == (1,)
    assert visible(base) == ["7", "8", "9"]
    assert len(said) == 2
    assert "version 7 is kept" in said[0]
    assert verify(base).failed == ("version_7", "version_8")


def test_going_back_is_a_new_version_of_the_old_content(first: Path, second: Path, base: Path) -> None:
    publish(first, base)
    publish(second, base)
    made = roll_back(base)
    assert (made.record.version, made.record.restores, made.record.artifact) == (3, 1, "first")
    assert content(base, 3) == content(base, 1) == b"one"
    assert verify(base).passed
    with pytest.raises(Refused, match="no older version than 1"):
        roll_back(base)
    assert visible(base) == ["1", "2", "3"]


def test_going_back_again_goes_further_back(first: Path, second: Path, third: Path, base: Path) -> None:
    for one in (first, second, third):
        publish(one, base)
    assert [content(base, roll_back(base).record.version) for _ in range(2)] == [b"two", b"one"]
    assert publish(third, base).record.version == 6
    assert (content(base, roll_back(base).record.version), visible(base)[-1]) == (b"one", "7")


def test_going_back_passes_over_what_is_the_same(first: Path, second: Path, base: Path) -> None:
    for one in (first, second, second):
        publish(one, base)
    assert roll_back(base).record.restores == 1


def test_going_back_among_equal_versions_is_refused(first: Path, base: Path) -> None:
    for _ in range(3):
        publish(first, base)
    with pytest.raises(Refused, match="all versions before 3 have the same content as 3: publish another artifact"):
        roll_back(base)
    assert visible(base) == ["1", "2", "3"]


def test_what_keep_removed_cannot_be_had_again(first: Path, second: Path, base: Path) -> None:
    publish(first, base)
    publish(second, base, keep=1)
    with pytest.raises(Refused, match="no older version than 2"):
        roll_back(base)


def test_a_base_path_whose_versions_were_removed_has_none_to_go_back_from(first: Path, base: Path) -> None:
    shutil.rmtree(publish(first, base).folder)
    with pytest.raises(Refused, match=f"{base} holds no version to go back from: publish an artifact"):
        roll_back(base)


def test_a_damaged_version_is_not_gone_back_to(first: Path, second: Path, base: Path) -> None:
    publish(first, base)
    publish(second, base)
    (base / "1" / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(Refused, match=r"no older version than .*1 is not as it was published \(saved_model\.pb"):
        roll_back(base)
    assert visible(base) == ["1", "2"]
    assert not list(base.glob(".tmp*"))


def test_an_earlier_record_is_read_whatever_its_model_looks_like(first: Path, second: Path, base: Path) -> None:
    publish(first, base)
    publish(second, base)
    path = base / "1" / versions.RECORD
    record = json.loads(path.read_text())
    record["licence"] = record.pop("license")
    record["model"]["preprocessing"].pop("kind")
    path.write_text(json.dumps(record))
    assert all(gate.passed for gate in versions.gates(base))
    assert roll_back(base).record.restores == 1


def test_versions_that_cannot_be_gone_back_to_are_named(first: Path, second: Path, base: Path) -> None:
    publish(first, base)
    publish(second, base)
    (base / "1" / versions.RECORD).write_text("{")
    with pytest.raises(Refused, match=r"no older version than 2 that zoo can restore \(.*zoo\.json"):
        roll_back(base)


def test_going_back_from_what_zoo_did_not_publish(first: Path, base: Path) -> None:
    publish(first, base)
    shutil.copytree(first / VERSION, base / "2")
    made = roll_back(base)
    assert (made.record.version, made.record.restores) == (3, 1)
    assert verify(base / "3").passed


def test_a_damaged_newest_version_is_replaced_even_by_an_equal_one(first: Path, second: Path, base: Path) -> None:
    for one in (second, first, first):
        publish(one, base)
    with (base / "3" / "saved_model.pb").open("ab") as file:
        file.write(b"!")
    assert roll_back(base).record.restores == 2
    with (base / "4" / "saved_model.pb").open("ab") as file:
        file.write(b"!")
    assert roll_back(base).record.restores == 2
    assert content(base, 5) == b"one"
    (base / "6").mkdir()
    assert roll_back(base).record.version == 7


def test_a_number_to_keep_that_is_not_whole_is_refused_before_anything_is_written(first: Path, base: Path) -> None:
    for keep in (1.5, True):
        with pytest.raises(ZooError, match="is not a whole number"):
            publish(first, base, keep=keep)  # type: ignore[arg-type]
    assert not base.exists()


def test_an_empty_folder_is_no_version_of_an_artifact(first: Path, base: Path, tmp_path: Path) -> None:
    shutil.copytree(first, tmp_path / "artifact")
    (tmp_path / "artifact/saved_model/2").mkdir()
    report = verify(tmp_path / "artifact")
    assert report.failed == ("files",)
    assert "saved_model/2 is a folder without files of the manifest" in str(report.gates)
    with pytest.raises(Refused, match="is refused: files"):
        publish(tmp_path / "artifact", base)
    assert not base.exists()


actions = st.lists(st.sampled_from(["first", "second", "back", "keep", "delete newest"]), max_size=8)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=actions)
def test_no_history_uses_a_number_twice(first: Path, second: Path, tmp_path: Path, actions: list[str]) -> None:
    base = Path(tempfile.mkdtemp(dir=tmp_path)) / "base"
    used: list[int] = []
    for action in actions:
        try:
            if action == "delete newest":
                shutil.rmtree(base / str(used[-1]))
                continue
            made = (
                roll_back(base) if action == "back"
                else publish(second if action == "second" else first, base, keep=2 if action == "keep" else None)
            )  # fmt: skip
        except (ZooError, OSError, IndexError):
            continue
        used.append(made.record.version)
    assert used == sorted(set(used))
    assert not used or not saved_model_folder.versions(base) or verify(base).passed


@pytest.mark.parametrize("damage", ["changed", "extra", "missing", "unlisted"])
def test_what_verify_refuses_is_not_published(second: Path, tmp_path: Path, base: Path, damage: str) -> None:
    spoilt = shutil.copytree(second, tmp_path / "spoilt")
    if damage == "changed":
        (spoilt / VERSION / "saved_model.pb").write_bytes(b"another graph")
    elif damage == "extra":
        (spoilt / VERSION / "more").write_bytes(b"")
    elif damage == "missing":
        (spoilt / VERSION / "variables/variables.index").unlink()
    else:
        (spoilt / VERSION / "assets.extra/tf_serving_warmup_requests").unlink()
        sign(spoilt)
    with pytest.raises(Refused, match="is refused: "):
        publish(spoilt, base)
    assert not base.exists()


def test_a_file_that_changes_after_it_was_verified(
    second: Path, tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = shutil.copytree(second, tmp_path / "changing")
    from zoo.serving import publish as module

    def verified(place: Path) -> object:
        report = verify(place)
        (changing / VERSION / "fingerprint.pb").write_bytes(b"FINGER")
        return report

    monkeypatch.setattr(module, "verify", verified)
    with pytest.raises(Refused, match=r"fingerprint\.pb is not the file that its record lists"):
        publish(changing, base)
    assert visible(base) == []


PUBLISH = """
import sys
from pathlib import Path
from zoo.serving.publish import publish
for place in sys.argv[2:]:
    print(publish(Path(place), Path(sys.argv[1]), keep=3).record.version, flush=True)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def look(base: Path, sources: list[dict[str, File]]) -> dict[str, bool]:
    """Tell for each version that is visible now whether all its files come from one source."""
    seen = {}
    for path in list(base.iterdir()) if base.exists() else []:
        if saved_model_folder.number(path.name) is not None:
            try:
                found = artifact.hashes(path, versions.RECORD)
                whole = found in sources and versions.read(path).files == found
            except (OSError, Refused):
                whole = False
            # Removed while it was being read, it is not visible any more.
            if whole or path.exists():
                seen[path.name] = whole
    return seen


def test_publishers_at_once_get_a_number_each_and_a_reader_never_sees_half(tmp_path: Path, base: Path) -> None:
    """Three processes publish large versions; a thread looks every 10 ms and compares all that it sees."""
    places = [make_publishable(tmp_path / name, name.encode(), size=4_000_000) for name in ("a", "b", "c")]
    sources = [artifact.hashes(place / VERSION) for place in places]
    seen: dict[str, bool] = {}
    done = threading.Event()

    def poll() -> None:
        while not done.is_set():
            for name, whole in look(base, sources).items():
                seen[name] = seen.get(name, True) and whole
            time.sleep(0.01)

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        running = [start(PUBLISH, base, *[place] * 4) for place in places]
        outputs = [process.communicate(timeout=120) for process in running]
    finally:
        done.set()
        reader.join()
    numbers = sorted(int(line) for out, _ in outputs for line in out.split())
    assert numbers == list(range(1, 13)), outputs
    assert seen, "a busy machine may let the reader look only a few times"
    assert all(seen.values()), seen
    assert visible(base) == ["10", "11", "12"]
    assert verify(base).passed


KILLED = """
import os, signal, sys
from pathlib import Path
from zoo.serving import publish as module
name, count = sys.argv[3], int(sys.argv[4])
owner, _, name = name.rpartition(".")
owner = {"": module, "Path": Path, "files": module.files, "shutil": module.shutil}[owner]
real, calls = getattr(owner, name), []
def killed(*arguments, **options):
    calls.append(arguments)
    if len(calls) == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)
def armed(*arguments):
    report = verify(*arguments)
    setattr(owner, name, killed)
    return report
verify, module.verify = module.verify, armed
module.publish(Path(sys.argv[1]), Path(sys.argv[2]), keep=1)
"""


@pytest.mark.parametrize(
    ("step", "count", "left"),
    [
        ("_copy", 1, ["1"]),
        ("_copy", 4, ["1"]),
        ("_claim", 1, ["1"]),
        ("files.sync_folder", 1, ["1"]),
        ("files.sync_folder", 2, ["1"]),
        ("Path.rename", 1, ["1"]),
        ("_remove_older", 1, ["1", "2"]),
        ("Path.rename", 2, ["1", "2"]),
        ("_sweep", 2, ["2"]),
    ],
)
def test_a_publisher_that_is_killed_leaves_nothing_half(
    first: Path, second: Path, base: Path, step: str, count: int, left: list[str]
) -> None:
    publish(first, base)
    killed = python(KILLED, second, base, step, count)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert visible(base) == left
    assert verify(base).passed
    made = publish(second, base)
    assert made.record.version in (2, 3)
    assert made.record.version > int(left[-1])
    assert sorted(path.name for path in base.glob(".*")) == [versions.NUMBERS, ".zoo.lock"]
    assert verify(base).passed


def test_a_publisher_waits_for_another_and_says_so(first: Path, base: Path) -> None:
    holding = start(
        "import sys, time; from pathlib import Path; from zoo.serving.publish import _locked\n"
        "with _locked(Path(sys.argv[1]), print): print('locked', flush=True); time.sleep(120)",
        _made(base),
    )
    assert holding.stdout is not None
    assert holding.stdout.readline() == "locked\n"
    said: list[str] = []

    def release(line: str) -> None:
        said.append(line)
        holding.kill()

    assert publish(first, base, say=release).record.version == 1
    assert said == [f"waiting for another publisher in {base}"]
    holding.communicate()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_on_another_file_system(first: Path, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        elsewhere = tmp_path
    with tempfile.TemporaryDirectory(dir=elsewhere) as base:
        assert publish(first, Path(base)).record.version == 1
        assert verify(Path(base)).passed


def test_published_files_are_as_readable_as_the_user_s_others(first: Path, tmp_path: Path, base: Path) -> None:
    """A server often runs as another user, so a private artifact's file modes must not be copied."""
    private = shutil.copytree(first, tmp_path / "private")
    for path in private.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    mask = os.umask(0o022)
    try:
        publish(private, base)
    finally:
        os.umask(mask)
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in (base / "1").rglob("*")}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_without_tensorflow_and_without_onnxruntime_asked_for(first: Path, base: Path) -> None:
    code = "import sys; sys.modules['tensorflow'] = None\n" + PUBLISH
    done = python(code, base, first)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_a_full_disk_leaves_nothing_visible(first: Path, tmp_path: Path, base: Path) -> None:
    """A limit on file sizes, which needs no privileges, simulates the full disk."""
    large = make_publishable(tmp_path / "large", b"large", size=200_000)
    publish(first, base)
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    done = python(limit + PUBLISH, base, large)
    assert "nothing was published in" in done.stderr.splitlines()[-1]
    assert visible(base) == ["1"]
    assert not list(base.glob(".tmp*"))


@pytest.mark.parametrize("failing", ["sync_folder", "sweep"])
def test_an_error_after_the_version_is_visible_does_not_deny_it(
    first: Path, base: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, sweep = files.sync_folder, publishing._sweep

    def fail(folder: Path) -> None:
        (sync if failing == "sync_folder" else sweep)(folder)
        if (base / "1").exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    if failing == "sync_folder":
        monkeypatch.setattr(files, "sync_folder", fail)
    else:
        monkeypatch.setattr(publishing, "_sweep", fail)
    with pytest.raises(ZooError, match=r"^version 1 is published in .* but .*Input/output error[^\n]*$") as said:
        publish(first, base)
    assert "nothing was published" not in str(said.value)
    assert visible(base) == ["1"]
    monkeypatch.undo()
    assert verify(base).passed


def test_the_verb_says_what_it_did(
    first: Path, second: Path, base: Path, zoo_command: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = zoo_command("publish", first, base)
    assert (answer.status, answer.out) == (0, f"{base / '1'}\n")
    assert answer.err.startswith("version 1: first, 5 files")
    document = json.loads(zoo_command("publish", second, base, "--json").out)
    assert document == {
        "base": str(base), "version": 2, "folder": str(base / "2"), "artifact": "second", "restores": None,
        "removed": [], "files": 5, "bytes": sum(file.bytes for file in artifact.hashes(second / VERSION).values()),
    }  # fmt: skip
    document = json.loads(zoo_command("publish", base, "--rollback", "--keep", 1, "--json").out)
    assert (document["version"], document["artifact"], document["restores"], document["removed"]) == (
        3,
        "first",
        1,
        [1, 2],
    )
    answer = zoo_command("publish", "--rollback", base)
    assert (answer.status, answer.out) == (1, "")
    answer = zoo_command("verify", base, "--json")
    assert (answer.status, json.loads(answer.out)["passed"]) == (0, True)
    assert zoo_command("verify", base / "3").status == 0
    (base / "3" / "saved_model.pb").write_bytes(b"")
    assert zoo_command("verify", base).status == 1
    (base.parent / "artifacts").mkdir()
    (base.parent / "artifacts" / "first").symlink_to(first, target_is_directory=True)
    monkeypatch.chdir(base.parent)
    answer = zoo_command("publish", base)
    assert (answer.status, answer.out) == (0, f"{base / '4'}\n")
    assert "the newest artifact: artifacts/first" in answer.err


def run_folder(folder: Path) -> Path:
    """A folder with a run's description, by which alone zoo recognizes a run."""
    from tests.serving.handmade import MODEL, manifest
    from zoo import migration, run

    folder.mkdir()
    run.write(folder, run.Run(migration.SCHEMA, MODEL, None, None, manifest(()).training))
    return folder


def published_base(place: Path, at: Path) -> Path:
    """A base path with a version, and a lock that stays."""
    publish(place, at / "live")
    return at / "live"


WRONG: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "the artifact itself": (lambda place, at: place, "is an artifact"),
    "within the artifact": (lambda place, at: place / "versions", "is within an artifact"),
    "the artifact's own base path": (lambda place, at: place / "saved_model", "is within an artifact"),
    "within one of its versions": (lambda place, at: place / VERSION / "x", "is within a version itself"),
    "around the artifact": (lambda place, at: at, "contains the other"),
    "another artifact": (lambda place, at: make_publishable(at / "other"), "is an artifact"),
    "a run": (lambda place, at: run_folder(at / "run"), "is a run"),
    "a version": (lambda place, at: shutil.copytree(place / VERSION, at / "7"), "is a version itself"),
    "within another base path": (lambda place, at: published_base(place, at) / "2", "is within the base path"),
    "a file": (lambda place, at: place / "labels.txt", "is a file"),
    "below a file": (lambda place, at: place.parent / "notes.txt" / "base", "nothing was published in"),
    "a folder of other things": (lambda place, at: at / "things", "holds other things (book.txt)"),
    "a link": (lambda place, at: at / "link", "is a symbolic link"),
    "a link to nothing": (lambda place, at: at / "loose", "is a symbolic link"),
}


@pytest.mark.parametrize("case", WRONG)
def test_folders_that_are_no_place_for_versions(first: Path, tmp_path: Path, case: str) -> None:
    at = tmp_path / "at"
    place = shutil.copytree(first, at / "artifact")
    (at / "notes.txt").write_text("a file")
    (at / "things").mkdir()
    (at / "things" / "book.txt").write_text("a book")
    (at / "empty").mkdir()
    (at / "link").symlink_to(at / "empty", target_is_directory=True)
    (at / "loose").symlink_to(at / "nowhere")
    make, message = WRONG[case]
    base = make(place, at)
    before = sorted(map(str, at.rglob("*")))
    with pytest.raises(ZooError) as wrong:
        publish(place, base)
    assert message in str(wrong.value)
    assert "\n" not in str(wrong.value)
    assert wrong.value.exit_status == 2
    assert sorted(map(str, at.rglob("*"))) == before


def test_links_in_an_artifact_and_in_a_version_are_refused(first: Path, tmp_path: Path, base: Path) -> None:
    linked = shutil.copytree(first, tmp_path / "linked")
    index = linked / VERSION / "variables/variables.index"
    index.rename(tmp_path / "index")
    index.symlink_to(tmp_path / "index")
    with pytest.raises(Refused, match="files"):
        publish(linked, base)
    publish(first, base)
    index = base / "1/variables/variables.index"
    index.rename(tmp_path / "index")
    index.symlink_to(tmp_path / "index")
    assert verify(base / "1").failed == ("version",)


def test_a_lock_that_is_a_link_is_not_followed(first: Path, base: Path, tmp_path: Path) -> None:
    (_made(base) / ".zoo.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ZooError, match="nothing was published"):
        publish(first, base)
    assert not (tmp_path / "elsewhere").exists()


def test_leftovers_that_are_links_are_not_followed(first: Path, base: Path, tmp_path: Path) -> None:
    (tmp_path / "dear").mkdir()
    (tmp_path / "dear" / "file").write_text("dear")
    (_made(base) / ".tmp-zoo-x").symlink_to(tmp_path / "dear", target_is_directory=True)
    publish(first, base)
    assert (tmp_path / "dear" / "file").exists()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda version: (version / "saved_model.pb").write_bytes(b"graph of onE"),
    "cut short": lambda version: (version / "variables/variables.data-00000-of-00001").write_bytes(b"on"),
    "a file less": lambda version: (version / "fingerprint.pb").unlink(),
    "a file more": lambda version: (version / "assets.extra/more").write_bytes(b""),
    "no record": lambda version: (version / versions.RECORD).unlink(),
    "an empty record": lambda version: (version / versions.RECORD).write_bytes(b""),
    "a record of another kind": lambda version: (version / versions.RECORD).write_text("[]"),
    "a record that climbs": lambda version: (version / versions.RECORD).write_text(
        (version / versions.RECORD).read_text().replace("fingerprint.pb", "../fingerprint.pb")
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_verify_refuses_a_version_that_was_changed(first: Path, base: Path, case: str) -> None:
    publish(first, base)
    publish(first, base)
    DAMAGES[case](base / "2")
    report = verify(base)
    assert report.failed == ("version_2",)
    json.dumps([gate.figures for gate in report.gates])
    assert case == "no record" or verify(base / "2").failed == ("version",)


def test_a_version_without_a_record_is_no_artifact(first: Path, base: Path) -> None:
    publish(first, base)
    (base / "1" / versions.RECORD).unlink()
    with pytest.raises(ZooError, match=r"no manifest\.json: name a folder that 'zoo export' wrote"):
        verify(base / "1")


def test_a_version_is_proven_wherever_it_is_moved(first: Path, base: Path, tmp_path: Path) -> None:
    publish(first, base)
    shutil.copytree(base / "1", tmp_path / "anywhere" / "1")
    assert verify(tmp_path / "anywhere" / "1").passed
    assert verify(tmp_path / "anywhere").passed
