"""The model card: it states the model's origin, and every example in it runs and answers."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from tests.conformance import untrained_run
from tests.conftest import Answer, write_images
from zoo import artifact, formats, run, schema
from zoo.contract import CLASSIFY, EXAMPLES, signatures
from zoo.description import Data, InitialWeights, Model, Part, Scale, labels_of
from zoo.export import model_card
from zoo.export.build import export
from zoo.inputs.image.client import IMAGE_BYTES
from zoo.inputs.image.preprocessing import pixels_from_bytes
from zoo.inputs.table.data import reference

LABELS = ("a 'quoted' \"one\"", "größer", "犬 🐕")
NAME = 'it\'s "mine"'
INITIAL = InitialWeights("resnet-pulled", "ab" * 32, "cnn", "small", "apache-2.0", True)
UNLABELED = Data("files:/my/others", None, "cd" * 32, {"train": 5000}, (), "CC-BY-NC-4.0")

CURL = f"""#!{sys.executable}
import json, sys
options, url = sys.argv[1:-1], sys.argv[-1]
assert options[0] == "-d" and options[1][0] == "@" and len(options) == 2, options
body = sys.stdin.read() if options[1] == "@-" else open(options[1][1:]).read()
json.dump({{"url": url, "body": json.loads(body)}}, open("request.json", "w"))
"""
"""Stands for curl: keeps what would be sent."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact of a fine-tuned network whose name and labels have all kinds of characters, and an image beside."""
    folder = tmp_path_factory.mktemp("card")
    images = write_images(folder / "images")
    for place, label in zip(sorted(images.iterdir()), LABELS, strict=True):
        place.rename(images / label)
    place = untrained_run(folder / "run", images, "cnn", "small", side=32)
    run.write(place, dataclasses.replace(run.read(place), initial=INITIAL, unlabeled=UNLABELED))
    export(place, ["onnx", "saved_model"], out=folder / NAME, data_dir=None, say=lambda line: None)
    photograph = Image.fromarray(np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8))
    photograph.save(folder / "image.jpg")
    return folder


def blocks(made: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)\n```", (made / NAME / artifact.CARD).read_text(encoding="utf-8"), re.S)


@pytest.fixture
def probabilities(made: Path) -> np.ndarray:
    """float32 [classes] of the image, by the signature that takes pixels."""
    preprocessing = artifact.read(made / NAME).model.preprocessing
    pixels = pixels_from_bytes((made / "image.jpg").read_bytes(), preprocessing)
    loaded = tf.saved_model.load(str(made / NAME / "saved_model/1"))
    return np.array(loaded.signatures["serving_default"](image=tf.constant(pixels[None]))["probabilities"][0])


def test_every_python_example_runs_and_answers(
    made: Path, probabilities: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made)
    found = blocks(made, "python")
    assert len(found) == 1 + len(signatures(artifact.read(made / NAME).model))
    labels = artifact.read(made / NAME).model.labels
    for code in found:
        exec(compile(code, "the card", "exec"), {})
        said = capsys.readouterr().out.strip()
        if "classes" in code or "onnxruntime" in code:
            label, _, score = said.rpartition(" ")
            assert label == labels[probabilities.argmax()]
            assert float(score) == pytest.approx(probabilities.max(), abs=1e-4)
        else:
            numbers = np.array(said.strip("[]").split(), float)
            np.testing.assert_allclose(numbers, probabilities, atol=1e-4)


def test_the_hub_reads_the_metadata(made: Path) -> None:
    text = (made / NAME / artifact.CARD).read_text(encoding="utf-8")
    assert text.startswith("---\n")
    found = yaml.safe_load(text.split("---\n")[1])
    assert found["license"] == "apache-2.0"
    assert found["pipeline_tag"] == "image-classification"
    assert found["tags"] == ["cnn", "onnx", "saved_model"]
    (index,) = found["model-index"]
    manifest = artifact.read(made / NAME)
    assert index["name"] == NAME
    assert manifest.data is not None
    for result, (name, score) in zip(index["results"], manifest.score.items(), strict=True):
        assert result["dataset"] == {"name": "images", "type": "images", "split": "test"}
        assert result["metrics"] == [
            {"type": "accuracy", "name": f"accuracy of {name}", "value": pytest.approx(score.value, abs=1e-6)}
        ]


def test_the_card_names_no_folder_of_the_machine(made: Path) -> None:
    manifest = artifact.read(made / NAME)
    commands = {
        "training": f"zoo train cnn --data 'folder:{made}/my images/' --set epochs=3 --out={made}/run",
        "export": f"zoo export {made}/run --data-dir s3://bucket/images --out {made}/artifact",
    }
    stated = {key: dataclasses.replace(getattr(manifest, key), command=line) for key, line in commands.items()}
    text = model_card.text(NAME, dataclasses.replace(manifest, **stated))
    assert "cnn small on images: " in text
    assert "| trained on | folder:images, " in text
    assert (
        "Made by `zoo export run --data-dir s3://bucket/images --out artifact` from a run made by "
        "`zoo train cnn --data 'folder:my images' --set epochs=3 --out=run`."
    ) in text
    assert str(made) not in text


def test_a_list_of_files_is_named_without_their_folders() -> None:
    line = "zoo train mlp --data csv:/data/train.csv,/data/test.csv,more/own.csv --target a,b"
    assert model_card._command(line) == "zoo train mlp --data csv:train.csv,test.csv,more/own.csv --target a,b"


def test_the_card_says_where_the_artifact_can_be_checked(made: Path) -> None:
    manifest = artifact.read(made / NAME)
    assert "Check it anywhere, without TensorFlow: `zoo verify" in model_card.text("x", manifest)
    alone = model_card.text("x", dataclasses.replace(manifest, formats=("saved_model",)))
    assert "Check it where `tensorflow` is installed: `zoo verify" in alone
    assert "without TensorFlow" not in alone


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        (["classes"], "logits are then 0, probabilities equal."),
        (["values"], "values are then 0."),
        (["classes", "values"], "logits and values are then 0, probabilities equal."),
        (["values", "values"], "values are then 0."),
    ],
)
def test_the_card_says_what_the_outputs_of_refused_examples_are(tasks: list[str], expected: str) -> None:
    parts = tuple(Part(f"target {place}", task, (f"target {place}",)) for place, task in enumerate(tasks))
    several = len(parts) > 1
    model = Model(
        "mlp", "small", labels_of(parts), reference((2,)), 0, 0, task="several" if several else tasks[0],
        scales=(Scale(0.0, 1.0),) * len(parts), parts=parts if several else (),
    )  # fmt: skip
    assert f"says why it was not; {expected}\n" in formats.find("saved_model").card("mine", model)


def test_a_license_that_the_hub_does_not_know_is_named(made: Path) -> None:
    manifest = artifact.read(made / NAME)
    other = dataclasses.replace(manifest, license={**manifest.license, "weights": 'no: "license" | stated'}, data=None)
    found = yaml.safe_load(model_card.text("x", other).split("---\n")[1])
    assert (found["license"], found["license_name"]) == ("other", 'no: "license" | stated')
    assert "model-index" not in found


def test_every_command_makes_a_request_that_the_signature_answers(
    made: Path, probabilities: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Decode the requests as TF Serving's REST interface does, and send them to the SavedModel."""
    monkeypatch.chdir(made)
    (tmp_path / "curl").write_text(CURL)
    (tmp_path / "curl").chmod(0o755)
    exec(next(code for code in blocks(made, "python") if "inputs.json" in code), {})
    loaded = tf.saved_model.load(str(made / NAME / "saved_model/1"))
    labels = artifact.read(made / NAME).model.labels
    asked_for = set()
    for command in blocks(made, "bash"):
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        subprocess.run(["bash", "-euo", "pipefail", "-c", command], check=True, env=environment, timeout=60)
        request = json.loads(Path("request.json").read_text())
        signature, answer = answered(loaded, request["url"], request["body"])
        asked_for.add(signature)
        if "classes" in answer:
            assert answer["classes"][0, 0].numpy().decode() == labels[probabilities.argmax()]
            np.testing.assert_allclose(answer["scores"][0], sorted(probabilities, reverse=True), atol=1e-4)
        else:
            np.testing.assert_allclose(answer["probabilities"][0], probabilities, atol=1e-4)
    assert asked_for == set(signatures(artifact.read(made / NAME).model))


def answered(loaded: Any, url: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The signature that a request names, and its answer."""
    assert re.fullmatch(r"http://localhost:8501/v1/models/cnn:(predict|classify)", url)
    name = body.get("signature_name", "serving_default")
    serve = loaded.signatures[name]
    ((taken, spec),) = serve.structured_input_signature[1].items()
    if url.endswith(":classify"):
        assert (name, taken) == (CLASSIFY, EXAMPLES)
        rows = [example(row) for row in body["examples"]]
    else:
        rows = [decoded(row[taken] if name == "serving_default" else row) for row in body["instances"]]
    return name, serve(**{taken: tf.constant(rows, spec.dtype)})


def decoded(value: Any) -> Any:
    """A value of a JSON request: binary data are objects with the one key `b64`."""
    if isinstance(value, dict):
        assert value.keys() == {"b64"}
        return base64.b64decode(value["b64"], validate=True)
    return value


def example(row: dict[str, Any]) -> bytes:
    features = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[decoded(value)])) for key, value in row.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_labels_of_any_script_come_back_as_they_are(made: Path) -> None:
    loaded = tf.saved_model.load(str(made / NAME / "saved_model/1"))
    upload = (made / "image.jpg").read_bytes()
    answer = loaded.signatures["serve_labels"](**{IMAGE_BYTES: tf.constant([upload, upload])})
    assert answer["classes"].shape == answer["scores"].shape == (2, 3)
    for row in answer["classes"].numpy():
        assert {label.decode() for label in row} == set(LABELS)


def test_the_manifest_and_the_card_say_what_it_was_fine_tuned_from(made: Path) -> None:
    manifest = artifact.read(made / NAME)
    assert manifest.initial == INITIAL
    row = f"| fine-tuned from | run `resnet-pulled` (cnn small), SHA-256 `{'ab' * 8}`, apache-2.0, with a new head |\n"
    assert row in (made / NAME / artifact.CARD).read_text(encoding="utf-8")
    assert manifest.license["weights"] == "apache-2.0"
    silent = dataclasses.replace(manifest, initial=dataclasses.replace(INITIAL, license=None, new_head=False))
    assert "`, no license stated |\n" in model_card.text(NAME, silent)
    assert "fine-tuned from" not in model_card.text(NAME, dataclasses.replace(manifest, initial=None))


def test_the_manifest_the_card_and_info_name_the_data_without_labels(
    made: Path, zoo_command: Callable[..., Answer]
) -> None:
    manifest = artifact.read(made / NAME)
    assert manifest.unlabeled == UNLABELED
    row = f"| and on | files:others, 5,000 images without labels, fingerprint `{'cd' * 8}`, CC-BY-NC-4.0 |\n"
    assert row in (made / NAME / artifact.CARD).read_text(encoding="utf-8")
    rest = dataclasses.replace(UNLABELED, source="rest")
    text = model_card.text(NAME, dataclasses.replace(manifest, unlabeled=rest))
    assert "| and on | the rest of the labeled data, 5,000 images without labels, " in text
    assert "without labels" not in model_card.text(NAME, dataclasses.replace(manifest, unlabeled=None))
    for folder in (made / "run", made / NAME):
        assert "files:/my/others, 5,000 train, CC-BY-NC-4.0" in zoo_command("info", folder).out


def test_a_manifest_of_before_has_no_initial_weights(made: Path, tmp_path: Path) -> None:
    before = shutil.copytree(made / NAME, tmp_path / "before")
    values = schema.to_dict(artifact.read(before))
    del values["initial"]
    (before / artifact.MANIFEST).write_text(json.dumps(values))
    assert artifact.read(before).initial is None


def test_verify_and_publish_accept_it(made: Path, tmp_path: Path, zoo_command: Callable[..., Answer]) -> None:
    assert zoo_command("verify", made / NAME).status == 0
    assert zoo_command("publish", made / NAME, tmp_path / "base").status == 0
    assert zoo_command("verify", tmp_path / "base").status == 0
    assert tf.saved_model.load(str(tmp_path / "base" / "1")).signatures.keys() == {
        "serving_default", "serve_bytes", "serve_bytes_safe", "serve_labels", "classify",
    }  # fmt: skip
