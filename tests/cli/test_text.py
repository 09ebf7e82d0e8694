"""Texts through the command line: tables, folders and messages are trained on, exported and answered."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tokenizers
from safetensors.numpy import load_file

from tests.conftest import Answer, call_zoo
from zoo import artifact
from zoo.inputs.text.hard import LINES
from zoo.inputs.text.messages import messages

Command = Callable[..., Answer]
FEW = ("--set", "batch_size=16", "--set", "schedule.warmup_epochs=0", "--set", "text.max_length=24")
COLUMNS = ("--text", "message", "--target", "about")


def write_table(path: Path, each: int = 24) -> None:
    """Write a table of messages of three kinds, with a column that is neither text nor target."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "message", "about"))
        chosen = [(label, text) for label, text in messages(each) if label in ("call", "music", "weather")]
        rows.writerows((number, text, label) for number, (label, text) in enumerate(chosen))
        rows.writerow((1000, "", "call"))
        rows.writerow((1001, "rain " * 60, "weather"))


def write_files(folder: Path, each: int = 8) -> None:
    """Write messages of two kinds as text files, a folder a kind."""
    for number, (label, text) in enumerate(messages(each)):
        if label in ("alarm", "lights"):
            (folder / label).mkdir(parents=True, exist_ok=True)
            (folder / label / f"{number}.txt").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a run that was trained on it, and its artifact."""
    place = tmp_path_factory.mktemp("made")
    write_table(place / "table.csv")
    source = ("--data", "csv:table.csv", *COLUMNS)
    trained = call_zoo("train", "lstm", *source, "--epochs", 2, "--out", "run", *FEW, folder=place)
    (place / "said").write_text(trained.err)
    call_zoo("export", "run", "--out", "artifact", folder=place)
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with links to them."""
    for name in ("table.csv", "run", "artifact"):
        (tmp_path / name).symlink_to(made / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(zoo_command: Command, *arguments: object) -> str:
    """The command ends with status 2 and one line, which is returned."""
    answer = zoo_command(*arguments)
    assert answer.status == 2, answer.err
    assert "Traceback" not in answer.err
    (line,) = [line for line in answer.err.splitlines() if line.startswith("zoo: ")]
    return line


def test_what_is_odd_about_the_texts_is_said(made: Path) -> None:
    said = (made / "said").read_text()
    assert "1 of 74 texts are empty: table.csv line 74" in said
    assert "2 of 74 texts have more than 24 tokens and lose the rest: --set text.max_length=… takes more" in said
    assert "WordPiece tokens in lower case" in said


def test_the_artifact_passes_every_gate_and_brings_its_tokenizer(made: Path, zoo_command: Command) -> None:
    manifest = artifact.read(made / "artifact")
    assert set(manifest.formats) == {"onnx", "saved_model"}
    assert [gate.name for gate in manifest.gates if not gate.passed] == []
    (client,) = [gate for gate in manifest.gates if gate.name == "client_inputs"]
    assert client.figures["examples"] > len(LINES) + 64
    assert manifest.model.preprocessing.column == "message"
    tokenizer = tokenizers.Tokenizer.from_file(str(made / "artifact/tokenizer.json"))
    assert tokenizer.encode("call Anna").tokens[0] == "[CLS]"
    assert zoo_command("verify", made / "artifact").status == 0
    quick = ("--runtime", "onnx,saved_model", "--batch", "1", "--threads", "1", "--seconds", "0.05")
    measured = zoo_command("benchmark", made / "artifact", *quick)
    assert measured.status == 0, measured.err
    assert "serve_text_safe" in (made / "artifact/README.md").read_text()


def test_files_folders_and_tables_are_answered_alike(place: Path, zoo_command: Command) -> None:
    (place / "texts").mkdir()
    said = {"a": "will it rain tomorrow", "b": "Play some jazz!", "empty": "", "long": "word " * 5000}
    for name, text in said.items():
        (place / f"texts/{name}.txt").write_text(text)
    (place / "texts/picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    (place / "texts/utf16.txt").write_bytes("hello".encode("utf-16"))
    answer = zoo_command("predict", "artifact", "texts", "--json")
    assert answer.status == 0, answer.err
    found = json.loads(answer.out)
    by_file = {Path(one["name"]).stem: one for one in found["predictions"]}
    assert by_file.keys() == said.keys()
    reasons = {Path(one["path"]).name: one["reason"] for one in found["left_out"]}
    assert reasons["utf16.txt"] == "UTF-16: store it as UTF-8"
    assert reasons.keys() == {"picture.png", "utf16.txt"}

    with (place / "asked.csv").open("w", newline="") as file:
        csv.writer(file).writerows((("message", "more"), *((text, 1) for text in said.values())))
    by_row = json.loads(zoo_command("predict", "artifact", "asked.csv", "--json").out)["predictions"]
    assert next(one["name"] for one in by_row) == "asked.csv line 2"

    def shares(one: dict[str, object]) -> object:
        return {key: value for key, value in one.items() if key != "name"}

    assert [shares(one) for one in by_row] == [shares(by_file[name]) for name in said]


def test_a_run_is_evaluated_on_its_own_and_on_other_data(place: Path, zoo_command: Command) -> None:
    own = zoo_command("evaluate", "run", "--json")
    assert own.status == 0, own.err
    assert "accuracy" in json.loads(own.out)
    write_table(place / "other.csv", each=3)
    other = zoo_command("evaluate", "artifact", "--data", "csv:other.csv", *COLUMNS, "--json")
    assert other.status == 0, other.err


@pytest.mark.usefixtures("no_trial_export")
def test_fine_tuning_keeps_the_vocabulary(place: Path, zoo_command: Command) -> None:
    write_files(place / "files")
    options = ("--data", "folder:files", "--epochs", "1", *FEW, "--set", "batch_size=4")
    made = zoo_command("train", "--weights", "run", "--freeze", "--out", "tuned", *options)
    assert made.status == 0, made.err
    before, after = (json.loads((place / run / "run.json").read_text()) for run in ("run", "tuned"))
    kept = after["model"]["preprocessing"]
    assert kept["vocabulary"] == before["model"]["preprocessing"]["vocabulary"]
    assert after["model"]["labels"] == ["alarm", "lights"]
    old, new = (load_file(place / run / "weights.safetensors") for run in ("run", "tuned"))
    assert all((old[name] == new[name]).all() for name in old if not name.startswith("logits/"))


@pytest.mark.usefixtures("no_trial_export")
@pytest.mark.parametrize("size", ["small", "base"])
def test_rates_decay_by_layer(size: str, place: Path, zoo_command: Command) -> None:
    options = ("--data", "csv:table.csv", *COLUMNS, "--epochs", "1", *FEW, "--set", "optimizer.layer_decay=0.5")
    made = zoo_command("train", "lstm", "--size", size, "--out", "decayed", *options)
    assert made.status == 0, made.err


def write(name: str, content: bytes) -> Callable[[Path], object]:
    def to(place: Path) -> None:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)

    return to


def spoiled_files(place: Path) -> None:
    write_files(place / "d")
    write("d/alarm/x.txt", b"\xff\xfeh\0")(place)


WRONG: dict[str, tuple[Callable[[Path], object], tuple[str, ...], str]] = {
    "no --text": (write("t.csv", b"text,y\na,0\n"), ("csv:t.csv", "--target", "y"), "say with --text which column"),
    "no --target": (write("t.csv", b"text,y\na,0\n"), ("csv:t.csv", "--text", "text"), "say with --target"),
    "one column twice": (
        write("t.csv", b"text,y\na,0\n"),
        ("csv:t.csv", "--text", "y", "--target", "y"),
        "name two columns",
    ),
    "a missing column": (
        write("t.csv", b"text,y\na,0\n"),
        ("csv:t.csv", "--text", "texts", "--target", "y"),
        "did you mean 'text'",
    ),
    "one class": (
        write("t.csv", b"text,y\na,no\nb,no\n"),
        ("csv:t.csv", "--text", "text", "--target", "y"),
        "one class only, 'no'",
    ),
    "a table with NUL": (
        write("t.csv", b"text,y\na\0,0\n"),
        ("csv:t.csv", "--text", "text", "--target", "y"),
        "has a NUL byte",
    ),
    "a table that is not UTF-8": (
        write("t.csv", b"text,y\ncaf\xe9,0\n"),
        ("csv:t.csv", "--text", "text", "--target", "y"),
        "line 2 is not UTF-8",
    ),
    "a table with a surrogate": (
        write("t.csv", b"text,y\na\xed\xa0\x80,0\n"),
        ("csv:t.csv", "--text", "text", "--target", "y"),
        "line 2 is not UTF-8",
    ),
    "an empty table": (write("t.csv", b""), ("csv:t.csv", "--text", "text", "--target", "y"), "t.csv is empty"),
    "2 MB in one cell": (
        write("t.csv", b"text,y\n" + b"a" * 2**21 + b",0\nb,1\n"),
        ("csv:t.csv", "--text", "text", "--target", "y"),
        "column 'text' is longer than 1048576 bytes",
    ),
    "texts without words": (
        write("t.csv", b"text,y\n" + b"".join(b" " * n + b",%d\n" % (n % 2) for n in range(40))),
        ("csv:t.csv", "--text", "text", "--target", "y"),
        "no text has a word",
    ),
    "a file of NULs": (write("d/a/1.txt", b"\0\0"), ("folder:d",), "a/1.txt: no text: it has NUL bytes"),
    "files that are no texts": (
        spoiled_files,
        ("folder:d",),
        "alarm/x.txt: UTF-16",
    ),
    "a TFDS name": (lambda place: None, ("tfds:no-such",), "tfds"),
    "images": (lambda place: None, ("digits",), "has images, and the network takes texts"),
    "a text limit": (
        lambda place: None,
        ("messages", "--set", "text.max_length=2"),
        "text.max_length=2 leaves no token",
    ),
    "a vocabulary": (lambda place: None, ("messages", "--set", "text.vocabulary=7"), "text: vocabulary should be"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_data_are_refused_in_one_line(name: str, place: Path, zoo_command: Command) -> None:
    prepare, options, reason = WRONG[name]
    prepare(place)
    line = refusal(zoo_command, "train", "lstm", "--out", "new", "--data", *options)
    assert reason in line
    assert not (place / "new").exists()


ASKED: dict[str, tuple[str, bytes, str]] = {
    "not UTF-8": ("x.txt", b"caf\xe9", "not valid UTF-8"),
    "a lone surrogate": ("x.txt", b"\xed\xa0\x80", "not valid UTF-8"),
    "NUL": ("x.txt", b"a\0b", "NUL"),
    "2 MB": ("x.txt", b"a" * 2**21, "longer than 1048576 bytes"),
    "another column": ("x.csv", b"words,n\na,1\n", "none is called 'message'"),
    "an empty table": ("x.csv", b"", "is empty"),
    "UTF-16": ("x.txt", "call".encode("utf-16"), "UTF-16"),
    "a ragged table": ("x.csv", b"message,n\na,1\nb\n", "line 3 has 1 values, not the 2"),
    "an open quote": ("x.csv", b'message,n\n"a,1\n', "is not CSV"),
    "NUL in a table": ("x.csv", b"message\na\0b\n", "line 2 has a NUL byte"),
    "2 MB in a cell": (
        "x.csv",
        b"message\n" + b"a" * 2**21 + b"\n",
        "line 2 cannot be read as a text: it is longer than 1048576 bytes",
    ),
    "an endless name": ("x.csv", b"a" * (2**21 + 1), "first line of more than"),
    "a damaged Parquet": ("x.parquet", b"PAR1" + bytes(60), "damaged Parquet"),
    "a damaged gzip": ("x.csv.gz", b"\x1f\x8b" + bytes(20), "cannot be read"),
}


@pytest.mark.parametrize("name", ASKED)
def test_wrong_questions_are_refused_in_one_line(name: str, place: Path, zoo_command: Command) -> None:
    file, content, reason = ASKED[name]
    (place / file).write_bytes(content)
    assert reason in refusal(zoo_command, "predict", "artifact", file)


def test_one_megabyte_in_one_line_is_answered(place: Path, zoo_command: Command) -> None:
    (place / "x.txt").write_text("a" * 2**20)
    assert zoo_command("predict", "artifact", "x.txt").status == 0
