"""Transcripts through the command line: a folder of transformers with a CTC head is pulled, exported and answered."""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import zoo
from tests.conftest import Answer
from tests.models.test_wav2vec2 import peer_file
from zoo import artifact, ctc, registry, run
from zoo.family import Size
from zoo.inputs.audio import wav
from zoo.inputs.audio.synthetic import spoken
from zoo.models import wav2vec2
from zoo.models.wav2vec2.network import build
from zoo.training import fine_tuning

Command = Callable[..., Answer]
TINY: dict[str, Any] = {"channels": 32, "width": 64, "depth": 1, "heads": 2, "norm": "group"}
SYMBOLS = ("<pad>", "<s>", "</s>", "<unk>", "|", "E", "T", "A")
CONFIG = {
    "model_type": "wav2vec2",
    "architectures": ["Wav2Vec2ForCTC"],
    "hidden_size": TINY["width"],
    "num_hidden_layers": TINY["depth"],
    "num_attention_heads": TINY["heads"],
    "intermediate_size": 4 * TINY["width"],
    "conv_dim": [TINY["channels"]] * 7,
    "vocab_size": len(SYMBOLS),
}
SOUND = {"sampling_rate": 16_000, "feature_size": 1, "do_normalize": True}


@functools.cache
def network() -> Any:
    """Return the network, of random weights with which frames differ."""
    waveform = keras.Input((None,), name="waveform")
    model = keras.Model(waveform, build(waveform, len(SYMBOLS), None, head="transcript", **TINY).logits)
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        scale = 0.1 if len(variable.shape) == 1 else np.prod(variable.shape[:-1]) ** -0.5
        variable.assign(generator.normal(size=variable.shape, scale=scale) + (variable.name == "gamma"))
    return model


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of transformers."""
    folder = tmp_path_factory.mktemp("hub") / "theirs"
    folder.mkdir()
    peer_file(folder / "model.safetensors", network())
    write(folder, "config", CONFIG)
    write(folder, "preprocessor_config", SOUND)
    write(folder, "vocab", {symbol: number for number, symbol in enumerate(SYMBOLS)})
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    return folder


def write(folder: Path, name: str, content: Any) -> None:
    (folder / f"{name}.json").write_text(json.dumps(content))


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A size of the family that is small enough for tests."""
    family = wav2vec2.FAMILY
    size = Size("tiny", (), TINY, 0, 0, (16_000,), 12, weights=family.size("small").weights)
    monkeypatch.setattr(wav2vec2, "FAMILY", dataclasses.replace(family, sizes=(size, *family.sizes)))
    registry.forget()
    yield
    monkeypatch.undo()
    registry.forget()


def pull(zoo_command: Command, folder: Path, out: object, *options: object) -> Answer:
    return zoo_command(
        "pull", "wav2vec2", "--size", "tiny", "--from", "transformers", "--file", folder, "--out", out, *options
    )


def clips(folder: Path) -> dict[str, bytes]:
    """Write three clips of different lengths; return them by their paths."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    made = {}
    for number, seconds in enumerate((0.5, 1.7, 1.0)):
        samples = np.resize(spoken("mai", generator), int(seconds * 16_000))
        path = folder / f"{number}.wav"
        path.write_bytes(wav.written(samples, 16_000))
        made[str(path)] = path.read_bytes()
    return made


def text(file: bytes) -> str:
    """Return what the network itself makes of a clip, without any of the code in between."""
    samples = wav.read_samples(file, wav.read_header(file))[None, :, 0].astype(np.float64)
    normal = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    logits = network()(normal.astype(np.float32), training=False).numpy()[0]
    return ctc.transcript(logits, SYMBOLS, silent=("<s>", "</s>", "<unk>"))


def test_pulled_exported_verified_and_read(
    theirs: Path, tmp_path: Path, zoo_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = pull(zoo_command, theirs, "run")
    assert answer.status == 0, answer.err
    assert "8 symbols, up to 30 s of sound, 16000 samples a second, MIT" in answer.err
    exported = zoo_command("export", "run", "--onnx", "--out", "artifact")
    assert exported.status == 0, exported.err
    model = artifact.read(Path("artifact")).model
    assert (model.task, model.labels, model.symbols.blank) == ("transcript", SYMBOLS, 0)  # type: ignore[union-attr]
    assert zoo_command("verify", "artifact").status == 0
    files = clips(tmp_path / "clips")
    found = zoo_command("predict", "artifact", "clips", "--json")
    assert found.status == 0, found.err
    predictions = {one["name"]: one["text"] for one in json.loads(found.out)["predictions"]}
    assert predictions == {str(Path(name).relative_to(tmp_path)): text(file) for name, file in files.items()}
    assert len(set(predictions.values())) == 3
    said = zoo_command("predict", "artifact", "clips/0.wav")
    assert said.out.splitlines() == ["clips/0.wav", f"  {predictions['clips/0.wav']}"]
    assert zoo_command("predict", "artifact", "clips", "--out", "answers.csv").status == 0
    rows = csv.DictReader(Path("answers.csv").read_text().splitlines())
    assert {row["name"]: row["text"] for row in rows} == predictions
    about = zoo_command("info", "artifact").out
    assert "8: <pad>, <s>, </s>, <unk>, |, E, T, A" in about
    assert "up to 30 s of sound" in about
    card = Path("artifact/README.md").read_text()
    assert "8: &lt;pad>, &lt;s>, &lt;/s>, &lt;unk>, \\|, E, T, A" in card


@pytest.mark.full
def test_every_format_and_verb(
    theirs: Path, tmp_path: Path, zoo_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert pull(zoo_command, theirs, "run").status == 0
    exported = zoo_command("export", "run", "--onnx", "--saved-model", "--fp16", "--out", "artifact")
    assert exported.status == 0, exported.err
    gates = {gate.name: gate for gate in artifact.read(Path("artifact")).gates}
    assert {"server", "saved_model_raw_safe", "client_inputs", "onnx_agreement"} <= gates.keys()
    files = clips(tmp_path / "clips")
    for runtime in ("onnx", "saved_model"):
        found = zoo_command("predict", "artifact", "clips", "--runtime", runtime, "--json")
        assert [one["text"] for one in json.loads(found.out)["predictions"]] == [text(file) for file in files.values()]
    measured = zoo_command("benchmark", "artifact", "--runtime", "onnx", "--batch", 1, "--seconds", 0.1, "--json")
    assert measured.status == 0, measured.err
    for name, file in files.items():
        Path(name).with_suffix(".txt").write_text(text(file).lower())
    Path("clips/0.txt").write_text("tea")
    for target in ("run", "artifact"):
        done = zoo_command("evaluate", target, "--data", "transcripts:clips", "--out", f"of {target}", "--json")
        assert done.status == 0, done.err
        report = json.loads(done.out)
        assert (report["examples"], report["exact"]) == (3, 2)
        assert report["low"] <= report["wer"] <= report["high"]
    refused = zoo_command("export", "run", "--int8", "--out", "int8")
    assert (refused.status, "int8 is calibrated on a run's data" in refused.err) == (2, True)
    published = zoo_command("publish", "artifact", "published")
    assert published.status == 0, published.err
    code = Path("artifact/README.md").read_text().split("```python\n")[1].split("```")[0]
    Path("clip.wav").write_bytes(files[str(tmp_path / "clips/1.wav")])
    printed: list[Any] = []
    exec(code, {"print": printed.append})
    assert printed == [{"text": text(Path("clip.wav").read_bytes())}]


FEW = {"<pad>": 0, "A": 1}
WRONG: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "no vocabulary": ({"vocab": None}, (), "there is no file"),
    "another vocabulary": ({"vocab": FEW}, (), "vocab.json has 2 symbols, the head of config.json 8"),
    "no blank": ({"tokenizer_config": {"pad_token": "[PAD]"}}, (), "vocab.json lacks the blank '[PAD]'"),
    "another head": (
        {"config": {**CONFIG, "vocab_size": 2}, "vocab": FEW},
        (),
        "lm_head.weight is [64, 8], not [64, 2]",
    ),
    "classes are asked for": ({}, ("--classes", "8"), "--classes is not for"),
    "another size": ({"config": {**CONFIG, "hidden_size": 128, "intermediate_size": 512}}, (), "width 128, not 64"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_folder_is_refused_in_one_line(case: str, theirs: Path, tmp_path: Path, zoo_command: Command) -> None:
    files, options, message = WRONG[case]
    shutil.copytree(theirs, tmp_path / "theirs")
    for name, content in files.items():
        write(tmp_path / "theirs", name, content)
        if content is None:
            (tmp_path / "theirs" / f"{name}.json").unlink()
    answer = pull(zoo_command, tmp_path / "theirs", tmp_path / "run", *options)
    assert answer.status == 2
    (line,) = [line for line in answer.err.splitlines() if line.startswith("zoo: ")]
    assert message in line
    assert "Traceback" not in answer.err
    assert not (tmp_path / "run").exists()


def test_training_for_transcripts_is_refused(tmp_path: Path, zoo_command: Command) -> None:
    for path in clips(tmp_path / "clips"):
        Path(path).with_suffix(".txt").write_text("tea")
    answer = zoo_command("train", "wav2vec2", "--data", f"transcripts:{tmp_path / 'clips'}", "--out", tmp_path / "run")
    assert answer.status == 2
    assert "wav2vec2 cannot be trained for transcript" in answer.err
    assert not (tmp_path / "run").exists()


def test_its_weights_start_a_network_of_classes(theirs: Path, tmp_path: Path, zoo_command: Command) -> None:
    assert pull(zoo_command, theirs, tmp_path / "run").status == 0
    source = zoo.describe(tmp_path / "run")["model"]
    assert (source["task"], source["preprocessing"]["samples"]) == ("transcript", 0)
    pulled = run.read_finished(tmp_path / "run").model
    wanted = dataclasses.replace(
        pulled,
        labels=("no", "yes"),
        task="classes",
        symbols=None,
        preprocessing=dataclasses.replace(pulled.preprocessing, samples=16_000),
    )
    record, arrays = fine_tuning.take(tmp_path / "run", wanted)
    assert record.new_head
    assert not {name.partition("/")[0] for name in arrays} & {"logits", "projector"}
