"""Sound through the command line: a folder of clips is trained on, exported and answered; wrong files are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from tests.conftest import Answer, call_zoo, write_images
from tests.inputs.audio.sounds import PLAIN, encoded, patched, tone
from zoo import artifact
from zoo.inputs.audio import wav
from zoo.inputs.audio.synthetic import clips

Command = Callable[..., Answer]
WORDS = {"see": "si", "us": "as", "you": "iu"}
FORMS = ("WAV", "FLAC", "OGG", "MP3")
FEW = ("--set", "batch_size=8", "--set", "schedule.warmup_epochs=0")


def write_words(folder: Path, each: int = 12) -> None:
    """Write clips of three synthetic words, one folder a word, every fourth as WAV, FLAC, OGG and MP3."""
    for number, (word, file) in enumerate(clips(each, 0, WORDS)):
        place, form = folder / word, FORMS[number // len(WORDS) % len(FORMS)]
        place.mkdir(parents=True, exist_ok=True)
        samples, rate = wav.read_samples(file, wav.read_header(file)), 16_000
        (place / f"{number}.{form.lower()}").write_bytes(file if form == "WAV" else encoded(samples, rate, form))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips, a run that was trained on them, and its artifact."""
    place = tmp_path_factory.mktemp("made")
    write_words(place / "words")
    call_zoo("train", "keyword", "--data", "folder:words", "--epochs", 4, "--out", "run", *FEW, folder=place)
    call_zoo("export", "run", "--out", "artifact", folder=place)
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with links to them."""
    for name in ("words", "run", "artifact"):
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


def test_the_artifact_passes_every_gate_and_keeps_what_the_run_saw(made: Path, zoo_command: Command) -> None:
    manifest = artifact.read(made / "artifact")
    assert set(manifest.formats) == {"onnx", "saved_model"}
    assert [gate.name for gate in manifest.gates if not gate.passed] == []
    assert {"client_inputs", "onnx_lint", "saved_model_raw_safe", "server"} <= {gate.name for gate in manifest.gates}
    assert manifest.model.labels == tuple(sorted(WORDS))
    assert manifest.model.preprocessing.samples == 16_000
    assert len(manifest.model.preprocessing.mean) == 40
    assert zoo_command("verify", made / "artifact").status == 0
    card = (made / "artifact/README.md").read_text()
    assert 'Path("clip.wav").read_bytes()' in card


def test_files_of_every_format_and_their_folder_are_answered_alike(place: Path, zoo_command: Command) -> None:
    (place / "clips").mkdir()
    word, file = next(clips(1, 3, WORDS))
    samples, rate = wav.read_samples(file, wav.read_header(file)), 16_000
    for form in FORMS:
        (place / f"clips/{word}.{form.lower()}").write_bytes(encoded(samples, rate, form))
    (place / "clips/notes.txt").write_text("no sound")
    answer = zoo_command("predict", "artifact", "clips", "--json")
    assert answer.status == 0, answer.err
    assert "left out: 1: clips/notes.txt (not WAV, FLAC, OGG or MP3 but text)" in answer.err
    found = json.loads(answer.out)["predictions"]
    assert [one["name"] for one in found] == [f"clips/{word}.{form.lower()}" for form in sorted(FORMS)]
    first = {Path(one["name"]).suffix: [row["label"] for row in one["labels"]] for one in found}
    assert first[".flac"] == first[".wav"]
    # A network that was trained for a moment may waver between two words where a format loses something.
    assert {labels[0] for labels in first.values()} <= {*first[".wav"][:2]}
    single = zoo_command("predict", "artifact", f"clips/{word}.flac", "--json")
    assert json.loads(single.out)["predictions"][0]["labels"] == found[0]["labels"]


# A tone in noise: in silence, the rounding of 8 bits would be the loudest sound of most bands.
_SAMPLES = (0.4 * tone(seconds=1.0) + np.random.default_rng(0).normal(0, 0.05, 16_000))[:, None]
ODD = {
    "8-bit": (encoded(_SAMPLES, subtype="PCM_U8"), 0.02),
    "24-bit": (encoded(_SAMPLES, subtype="PCM_24"), 1e-3),
    "32-bit float": (encoded(_SAMPLES, subtype="FLOAT"), 1e-3),
    "96 kHz": (encoded(soxr.resample(_SAMPLES, 16_000, 96_000), 96_000), 0.02),
    "eight channels": (encoded(np.repeat(_SAMPLES, 8, 1)), 1e-3),
}
"""The same tone in other files, each with the largest difference of a probability from that of the 16-bit file."""


def test_odd_files_are_answered_as_the_plain_one(place: Path, zoo_command: Command) -> None:
    (place / "odd").mkdir()
    (place / "odd/plain.wav").write_bytes(encoded(_SAMPLES))
    (place / "odd/one sample.wav").write_bytes(encoded(_SAMPLES[1000:1001]))
    for name, (file, _) in ODD.items():
        (place / "odd" / f"{name}.wav").write_bytes(file)
    answer = zoo_command("predict", "artifact", "odd", "--json")
    assert answer.status == 0, answer.err
    found = {
        Path(one["name"]).stem: {label["label"]: label["probability"] for label in one["labels"]}
        for one in json.loads(answer.out)["predictions"]
    }
    assert found.keys() == {"plain", "one sample", *ODD}
    for name, (_, bound) in ODD.items():
        assert found[name] == pytest.approx(found["plain"], rel=0, abs=bound), name
    assert sum(found["one sample"].values()) == pytest.approx(1, abs=1e-5)


WRONG = {
    "zero samples": (wav.written(np.zeros(0), 16_000), "it holds no sound"),
    "a lying header": (patched(PLAIN, 40, "<I", 2**32 - 1), "cut short: its header claims 4294967295 bytes"),
    "truncated": (PLAIN[:-100], "a WAV cut short"),
    "truncated in its header": (PLAIN[:30], "a damaged WAV"),
    "an empty file": (b"", "not WAV, FLAC, OGG or MP3 but an empty file"),
    "text": (b"hello, this is not sound", "not WAV, FLAC, OGG or MP3 but text"),
    "an image": (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "not WAV, FLAC, OGG or MP3 but a PNG"),
    "65535 channels": (patched(PLAIN, 22, "<H", 65_535), "claims 65535 channels"),
    "a rate of 4 GHz": (patched(PLAIN, 24, "<I", 2**32 - 1), "claims 4294967295 samples a second"),
    "NaN": (encoded(np.full(900, np.nan), subtype="FLOAT"), "samples that are not numbers"),
    "an unknown encoding": (patched(PLAIN, 20, "<H", 0x4242), "a damaged WAV, or one in an unknown encoding"),
    "a FLAC cut short": (encoded(tone(seconds=2), form="FLAC")[:9_000], "FLAC"),
    "an MP3 cut short": (encoded(tone(seconds=2), form="MP3")[:1_500], "an MP3 cut short"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_in_one_line(place: Path, zoo_command: Command, name: str) -> None:
    content, reason = WRONG[name]
    (place / "clip.wav").write_bytes(content)
    line = refusal(zoo_command, "predict", "artifact", "clip.wav")
    assert line.startswith("zoo: clip.wav cannot be read as a clip: ")
    assert reason in line


def test_wrong_paths_are_refused(place: Path, zoo_command: Command) -> None:
    (place / "empty").mkdir()
    assert "holds no WAV, FLAC, OGG or MP3" in refusal(zoo_command, "predict", "artifact", "empty")
    assert "holds no WAV, FLAC, OGG or MP3" in refusal(zoo_command, "predict", "artifact", "words")
    assert "there is no clip at nowhere" in refusal(zoo_command, "predict", "artifact", "nowhere")
    assert "is a second artifact" in refusal(zoo_command, "predict", "artifact", "artifact")
    assert "is a run" in refusal(zoo_command, "predict", "artifact", "run")


REQUESTS = (
    (("keyword", "--data", "folder:images"), "holds no clips: none of its 12 files can be read (class0/0.png: not WAV"),
    (("keyword", "--data", "folder:empty"), "it should hold one folder of clips per class"),
    (("keyword", "--data", "folder:broken"), "1 of 36 clips", "see/0.wav: a WAV cut short", "--bad-examples skip"),
    (("keyword", "--data", "digits"), "has images, and the network takes clips"),
    (("cnn", "--data", "folder:words"), "holds no images: none of its 36 files can be read"),
    (("cnn", "--data", "synthetic_speech"), "has clips, and the network takes images"),
    (
        ("keyword", "--data", "folder:words", "--set", "audio.seconds=99"),
        "audio: seconds should be less than or equal to 30",
    ),
    (
        ("keyword", "--data", "folder:words", "--set", "audio.seconds=0.001"),
        "audio.seconds=0.001 is shorter than a frame of 0.025 s",
    ),
    (
        ("keyword", "--data", "folder:words", "--set", "audio.rate=5"),
        "audio: rate should be 4000 to 48000, or 0, not '5'",
    ),
    (("keyword", "--data", "folder:words", "--set", "image.size=32"), "image"),
    (("keyword", "--data", "folder:words", "--set", "audio.front=waveform"), "keyword small takes log_mel"),
)


@pytest.mark.parametrize("row", REQUESTS, ids=lambda row: " ".join(row[0]))
def test_wrong_training_is_refused(place: Path, zoo_command: Command, row: tuple[Any, ...]) -> None:
    arguments, *parts = row
    (place / "empty").mkdir()
    write_images(place / "images", each=4)
    shutil.copytree(place / "words", place / "broken")
    (place / "broken/see/0.wav").write_bytes(PLAIN[:-100])
    line = refusal(zoo_command, "train", *arguments, "--out", "made")
    for part in parts:
        assert part in line
    assert not (place / "made").exists()


@pytest.mark.usefixtures("no_trial_export")
def test_it_is_tuned_on_other_words(place: Path, zoo_command: Command) -> None:
    (place / "two").mkdir()
    for word in ("see", "us"):
        (place / "two" / word).symlink_to((place / "words" / word).resolve())
    answer = zoo_command(
        "train", "--weights", "run", "--data", "folder:two", "--freeze", "--epochs", 1, "--out", "tuned", *FEW
    )
    assert answer.status == 0, answer.err
    before, after = (json.loads((place / name / "run.json").read_text())["model"] for name in ("run", "tuned"))
    assert after["labels"] == ["see", "us"]
    assert after["preprocessing"] == before["preprocessing"]
