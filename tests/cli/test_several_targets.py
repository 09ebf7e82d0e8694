"""Several targets at once: their outputs and losses, one artifact with all of them, and wrong requests."""

from __future__ import annotations

import csv
import dataclasses
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.conftest import Answer
from tests.inputs.audio.sounds import tone
from tests.training.test_fine_tuning import Stop
from tests.trainings import SINGLE, passes
from zoo import artifact, formats, run, weights_file
from zoo.data.evaluation_data import load_for_evaluation
from zoo.data.load import load, read_source
from zoo.description import Model, Part, Scale, labels_of
from zoo.errors import ZooError
from zoo.inputs.audio import wav
from zoo.inputs.table.data import reference
from zoo.recipe import Split
from zoo.run import Run
from zoo.task import task_of
from zoo.tasks.classes import Likeliest
from zoo.tasks.several import Answers
from zoo.tasks.several.heads import words
from zoo.tasks.values import Values
from zoo.training import start
from zoo.training.request import DataRequest, TrainingRequest

Command = Callable[..., Answer]
COLUMNS = ("age", "city", "member", "bought", "spent on it")
PARTS = (Part("color", "classes", ("red", "blue", "3")), Part("price, net", "values", ("price, net",)))
CLASS, VALUE = Scale(0.0, 1.0), Scale(200.0, 50.0)


def described() -> Model:
    return Model(
        "mlp", "small", labels_of(PARTS), reference((2,)), 0, 0, task="several",
        scales=(CLASS, CLASS, CLASS, VALUE), parts=PARTS,
    )  # fmt: skip


def answered(count: int = 6) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Outputs for a given number of examples, and targets of which a few agree with the outputs."""
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(count, 3)).astype(np.float32)
    values = draw.normal(200, 50, (count, 1)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    outputs = {"color_logits": logits, "color_probabilities": probabilities, "price_net_values": values}
    targets = np.stack([logits.argmax(-1), values[:, 0]], -1).astype(np.float32)
    targets[0] = (targets[0, 0] + 1) % 3, targets[0, 1]
    targets[1, 1] += 1000
    return outputs, targets


def test_outputs_have_the_names_of_their_targets() -> None:
    model = described()
    assert model.labels == ("color: red", "color: blue", "color: 3", "price, net")
    outputs = task_of(model).tensors(len(model.labels))
    assert {name: tensor.shape[-1] for name, tensor in outputs.items()} == {
        "color_logits": 3, "color_probabilities": 3, "price_net_values": 1,
    }  # fmt: skip
    assert words(["a b", "a-b", "價格", "1st"]) == ["a_b", "a_b_2", "target_3", "target_1st"]
    assert words(["x", "val_x", "test"]) == ["x", "target_val_x", "target_test"]
    with pytest.raises(ValueError, match="the labels of all parts"):
        dataclasses.replace(model, labels=("red", "blue", "3", "price, net"))


def test_a_difference_in_one_target_is_seen_whatever_the_size_of_the_others() -> None:
    model, (outputs, _) = described(), answered()
    task = task_of(model)
    expected = task.primary(outputs, model)
    np.testing.assert_array_equal(expected[:, :3], outputs["color_logits"])
    assert task.agreement(expected, expected, 1e-4, model)[0]
    for name, factor in (("color_logits", 1.01), ("price_net_values", 1.01)):
        found = task.primary({**outputs, name: factor * outputs[name]}, model)
        passed, figures = task.agreement(found, expected, 1e-4, model)
        assert not passed, figures
    assert task.consistency(outputs) < 1e-6
    assert task.consistency({**outputs, "color_probabilities": outputs["color_probabilities"][::-1]}) > 0.01


def test_scores_are_those_of_each_target_and_their_mean() -> None:
    model, (outputs, targets) = described(), answered()
    task = task_of(model)
    found = task.primary(outputs, model)
    assert task.right(found, targets, model).tolist() == [False, False, True, True, True, True]
    score = task.score(found, targets)
    assert score.parts["color"].value == pytest.approx(5 / 6)
    assert score.parts["price, net"].metric == "r2"
    assert score.value == pytest.approx((score.parts["color"].value + score.parts["price, net"].value) / 2)
    assert score.low < score.value < score.high
    answer = task.answer({name: one[2] for name, one in outputs.items()}, model, 1)
    assert answer.cells().keys() == {"color label", "color probability", "price, net"}
    assert answer.plain()["targets"]["price, net"]["values"]["price, net"] == outputs["price_net_values"][2, 0]


@pytest.mark.parametrize("count", [10, 400])
def test_the_interval_of_the_mean_score_is_that_of_a_joint_bootstrap(count: int) -> None:
    from sklearn.metrics import accuracy_score, r2_score

    model, generator = described(), np.random.default_rng(0)
    wanted = np.stack([generator.integers(0, 3, count), generator.lognormal(sigma=1.5, size=count)], 1)
    logits = np.eye(3)[wanted[:, 0].astype(int)] + generator.normal(scale=0.7, size=(count, 3))
    values = wanted[:, 1] * generator.normal(1, 0.3, count)
    outputs = {"color_logits": logits, "color_probabilities": logits, "price_net_values": values[:, None]}
    found = task_of(model).primary(outputs, model)
    score = task_of(model).score(found, wanted.astype(np.float32))
    drawn = []
    for _ in range(1000):
        index = generator.integers(0, count, count)
        accuracy = accuracy_score(wanted[index, 0], logits[index].argmax(1))
        drawn.append((accuracy + r2_score(wanted[index, 1], values[index])) / 2)
    low, high = np.percentile(drawn, [2.5, 97.5])
    width = high - low
    assert (score.low, score.high) == (pytest.approx(low, abs=0.15 * width), pytest.approx(high, abs=0.15 * width))


@pytest.mark.parametrize("miss", [0.0, 3.5])
def test_a_value_that_does_not_vary_is_scored_as_scikit_learn_scores_it(miss: float) -> None:
    from sklearn.metrics import r2_score

    model = described()
    values, logits = np.full((6, 1), 250.0 + miss), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    targets = np.stack([[0, 1, 2, 0, 1, 1], np.full(6, 250.0)], 1)
    outputs = {"color_logits": logits, "color_probabilities": logits, "price_net_values": values}
    score = task_of(model).score(task_of(model).primary(outputs, model), targets)
    r2 = r2_score(targets[:, 1], values) if miss else 1.0
    assert score.parts["price, net"].value == r2
    assert score.value == pytest.approx((5 / 6 + r2) / 2)


def test_a_class_of_incomplete_rows_is_no_label(tmp_path: Path) -> None:
    lines = [f"{number / 7:.3f},{'xz'[number % 2]},{number / 3:.3f}" for number in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,kind,price", *lines, "1.5,lonely,"]))
    options = {"target": "kind,price"}
    dataset = load(
        f"csv:{tmp_path}/rows.csv", "table", split=Split(), options=options, bad_examples="skip", say=lambda line: None
    )
    assert dataset.labels == ("kind: x", "kind: z", "price")


def test_losses_are_weighed_by_learned_log_variances() -> None:
    import tensorflow as tf

    model, (outputs, targets) = described(), answered()
    graph, standardized = task_of(model).graph, (outputs["price_net_values"] - 200) / 50
    found = np.concatenate([outputs["color_logits"], standardized], -1)
    picked = np.take_along_axis(outputs["color_probabilities"], targets[:, :1].astype(int), -1)[:, 0]
    classes, values = -np.log(picked), ((targets[:, 1] - 200) / 50 - standardized[:, 0]) ** 2
    np.testing.assert_allclose(graph.losses(targets, tf.constant(found), model), classes + values / 2, rtol=1e-4)
    variances = np.array([0.5, -1.0], np.float32)
    weighed = np.concatenate([found, np.tile(variances, (len(found), 1))], -1)
    wanted = np.exp(-0.5) * classes + 0.25 + np.exp(1.0) * values / 2 - 0.5
    np.testing.assert_allclose(graph.losses(targets, tf.constant(weighed), model), wanted, rtol=1e-4)
    sums = {name: float(one) for name, one in graph.sums(targets, tf.constant(weighed), model).items()}
    metrics = task_of(model).metrics(sums, len(targets))
    assert metrics["loss"] == pytest.approx((classes + values).mean(), rel=1e-4), "without the weights"
    assert metrics["color_accuracy"] == pytest.approx(5 / 6)
    assert metrics["color_weight"] == pytest.approx(np.exp(-0.5))
    assert metrics["error"] == pytest.approx((1 / 6 + values.mean()) / 2, rel=1e-4)
    for name, one in graph.answers(tf.constant(weighed), model).items():
        np.testing.assert_allclose(one, outputs[name], rtol=1e-4)


def test_log_variances_begin_at_zero_and_stay_above_the_least() -> None:
    import tensorflow as tf

    from zoo.tasks.several.layers import LEAST, Uncertainty

    layer = Uncertainty(2)
    found = tf.ones((3, 4))
    np.testing.assert_allclose(layer(found), [[1, 1, 1, 1, 0, 0]] * 3, atol=1e-6)
    layer.raw.assign([-50, 1])
    assert LEAST <= float(layer(found)[0, 4]) < LEAST + 1e-6


def write(path: Path, *rows: tuple[object, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def shop(path: Path) -> Path:
    """A table of which two columns can be predicted, words and numbers."""
    draw = random.Random(0)
    rows = []
    for _ in range(160):
        age, city, member = draw.randint(18, 80), draw.choice(["Bern", "Köln", "Lyon"]), draw.choice(["yes", "no"])
        often = "often" if member == "yes" and city != "Lyon" else "rarely"
        rows.append((age, city, member, often, round(1.5 * age + 10 * (city == "Bern") + draw.gauss(0, 1), 2)))
    return write(path, COLUMNS, *rows)


def images(folder: Path, count: int = 60) -> Path:
    """A table of images, light or dark, with a bar that lies or stands."""
    draw = random.Random(0)
    rows: list[tuple[object, ...]] = [("file", "light", "bar")]
    (folder / "files").mkdir(parents=True)
    for number in range(count):
        light, lies = draw.random() < 0.5, draw.random() < 0.5
        pixels = np.full((12, 12), 200 if light else 40, np.uint8)
        pixels[(slice(5, 7), slice(None)) if lies else (slice(None), slice(5, 7))] = 120
        Image.fromarray(pixels).save(folder / "files" / f"{number}.png")
        rows.append((f"files/{number}.png", "light" if light else "dark", "lies" if lies else "stands"))
    return write(folder / "bars.csv", *rows)


def sounds(folder: Path, count: int) -> Path:
    """A table of tones, high (light) or low, in the first or the second half of a clip."""
    draw = random.Random(0)
    rows: list[tuple[object, ...]] = [("file", "light", "bar")]
    (folder / "files").mkdir(parents=True)
    for number in range(count):
        light, first = draw.random() < 0.5, draw.random() < 0.5
        clip = tone(draw.uniform(2000, 3000) if light else draw.uniform(200, 300))
        clip[slice(4000, None) if first else slice(4000)] = 0
        (folder / "files" / f"{number}.wav").write_bytes(wav.written(clip, 16_000))
        rows.append((f"files/{number}.wav", "light" if light else "dark", "first" if first else "second"))
    return write(folder / "tones.csv", *rows)


WRONG = {
    "twice": ("bought,bought", {}, "names a column twice: bought"),
    "missing": ("bought,price", {}, "no column 'price'"),
    "one class": ("bought,same", {}, "one class only, 'x'"),
    "too many": (",".join(f"c{number}" for number in range(17)), {}, "17 columns, and 16 are the most"),
    "the text": ("bought,note", {"kind": "text", "text": "note"}, "--text and --target are both 'note'"),
    "the image": ("bought,note", {"kind": "image", "image": "note"}, "--image and --target are both 'note'"),
    "no image column": ("bought", {"kind": "image"}, "say with --image which column names the image files"),
    "images of rows": ("bought", {"image": "note"}, "--image note: the network takes rows of all columns"),
    "no images": ("bought", {"kind": "image", "image": "note"}, "none of the 4 rows names an image"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_targets_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    rows = [(name, value, "x", note) for name, value, note in (("a", 1.5, "n"), ("b", 2.5, "o")) * 2]
    table = write(tmp_path / "rows.csv", ("bought", "value", "same", "note"), *rows)
    target, options, reason = WRONG[case]
    others = {"target": target, **{key: value for key, value in options.items() if key != "kind"}}
    with pytest.raises(ZooError) as error:
        load(f"csv:{table}", options.get("kind", "table"), split=Split(), options=others)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_images_of_a_table_lie_in_its_folder(tmp_path: Path) -> None:
    table = images(tmp_path / "data", 8)
    secret = tmp_path / "secret.png"
    Image.new("L", (12, 12)).save(secret)
    (tmp_path / "data/link.png").symlink_to(secret)
    (tmp_path / "data/text.png").write_text("no image")
    bad = ("../secret.png", str(secret), "link.png", "text.png", "gone.png", "files", "", "?" * 5000)
    with table.open("a", newline="") as file:
        csv.writer(file).writerows((name, "light", "lies") for name in bad)
    options = {"image": "file", "target": "light,bar"}
    _, raw = read_source(f"csv:{table}", "image", options=options, bad_examples="skip")
    assert len(raw.examples) == 8
    assert [len(raw.unreadable), raw.task] == [len(bad), "several"]
    reasons = [one.reason for one in raw.unreadable]
    assert all("outside of the table's folder" in reason for reason in reasons[:3]), reasons
    with pytest.raises(ZooError, match=r"8 of 16 images .* cannot be read"):
        read_source(f"csv:{table}", "image", options=options)
    _, one = read_source(f"csv:{table}", "image", options={**options, "target": "bar"}, bad_examples="skip")
    assert (one.task, one.labels, one.parts) == ("classes", ("lies", "stands"), ())


def test_files_of_a_table_are_found_in_another_unicode_form_and_with_spaces(tmp_path: Path) -> None:
    for name in ("caf\u00e9.png", "u\u0308ber.png", " lead.png", "plain.png"):
        Image.new("L", (12, 12)).save(tmp_path / name)
    named = ("cafe\u0301.png", "\u00fcber.png", " lead.png", " plain.png ")
    table = write(
        tmp_path / "rows.csv", ("file", "bar"), *((name, "ab"[place % 2]) for place, name in enumerate(named))
    )
    _, raw = read_source(f"csv:{table}", "image", options={"image": "file", "target": "bar"})
    assert [Path(one.name).name for one in raw.examples] == [
        "caf\u00e9.png",
        "u\u0308ber.png",
        " lead.png",
        "plain.png",
    ]


def test_targets_with_similar_names_have_columns_of_their_own() -> None:
    answers: dict[str, Any] = {"kind": Likeliest([("a", 0.75)]), "kind label": Values({"kind label": 4.5})}
    cells = Answers(answers).cells()
    assert cells == {"kind label": "a", "kind probability": 0.75, "kind label (2)": 4.5}
    values: dict[str, Any] = {name: Values({name: 1.5}) for name in ("price (EUR)", "price")}
    assert [*Answers(values).cells()] == ["price (EUR)", "price"]


def test_a_column_whose_name_has_a_comma_is_one_target(tmp_path: Path) -> None:
    table = write(tmp_path / "rows.csv", ("x", "a,b"), *((number, number % 2) for number in range(10)))
    _, raw = read_source(f"csv:{table}", "table", options={"target": "a,b"})
    assert (raw.task, raw.labels) == ("classes", ("0", "1"))


def test_other_data_are_numbered_as_the_model_numbers_them(tmp_path: Path) -> None:
    rows = (("blue", 1.25, 7), ("3", 2.5, 8), ("blue", 3.5, 9))
    table = write(tmp_path / "rows.csv", ("color", "price, net", "x"), *rows)
    other = write(tmp_path / "other.csv", ("color", "net", "x"), *rows)
    renamed = (PARTS[0], Part("net", "values", ("net",)))
    model = dataclasses.replace(described(), labels=labels_of(renamed), parts=renamed)
    examples, _ = load_for_evaluation(model, f"csv:{other}", options={"target": "net,color"})
    np.testing.assert_array_equal(examples.targets, [[1, 1.25], [2, 2.5], [1, 3.5]])
    with pytest.raises(ZooError, match="lacks targets of the model: 'net'"):
        load_for_evaluation(model, f"csv:{table}", options={"target": "color,x"})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a run of two targets of it and an artifact; the tests leave them alone."""
    folder = tmp_path_factory.mktemp("several")
    source = f"csv:{shop(folder / 'shop.csv')}"
    zoo.train("mlp", data=source, target_column="bought,spent on it", epochs=12, out=folder / "run")
    zoo.export_run(folder / "run", out=folder / "artifact")
    return folder


def outputs_of(folder: Path, rows: int = 5) -> dict[str, dict[str, np.ndarray]]:
    """The outputs of each format of an artifact for the same inputs."""
    names = artifact.read(folder).formats
    assert {*names} >= {"onnx", "saved_model"}
    golden = np.load(folder / "golden.npz")
    found = {}
    for name in names:
        row = formats.find(name)
        session = formats.open_session(folder / row.place(), row)
        found[name] = session.run({key: golden[key][:rows] for key in session.signature.inputs})
    return found


@pytest.mark.full
def test_one_artifact_answers_for_all_targets_in_both_formats(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zoo_command: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    found = outputs_of(made / "artifact")
    assert {*found["onnx"]} == {"bought_logits", "bought_probabilities", "spent_on_it_values"}
    for name, values in found["onnx"].items():
        np.testing.assert_allclose(found["saved_model"][name], values, rtol=1e-3, atol=1e-4)
    rows = write(tmp_path / "rows.csv", COLUMNS[:3], (33, "Bern", "yes"), (70, "Lyon", "no"))
    for runtime in ("onnx", "saved_model"):
        answer = zoo_command("predict", made / "artifact", rows, "--runtime", runtime, "--json")
        first, second = (one["targets"] for one in json.loads(answer.out)["predictions"])
        assert [one["bought"]["labels"][0]["label"] for one in (first, second)] == ["often", "rarely"]
        assert abs(second["spent on it"]["values"]["spent on it"] - 105) < 15
    assert zoo_command("verify", made / "artifact").status == 0
    evaluated = zoo_command("evaluate", made / "artifact")
    assert evaluated.status == 0, evaluated.err
    assert "bought: accuracy" in evaluated.out
    assert "spent on it: R²" in evaluated.out
    drawings = {path.name for path in (tmp_path / "evaluations/artifact/drawings").iterdir()}
    assert drawings == {"bought-confusion.png", "spent_on_it-residuals.png"}
    shown = zoo_command("info", made / "run").out
    assert "classes, 2: often, rarely" in shown
    assert "test r2 " in shown
    measured = zoo_command("benchmark", made / "artifact", "--batch", 1, "--threads", 1, "--seconds", 0.05, "--json")
    assert {row["metric"] for row in json.loads(measured.out)["rows"]} == {"mean_score"}


@pytest.mark.full
def test_examples_of_the_model_card_run(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    card = (made / "artifact" / "README.md").read_text()
    assert "| onnx: spent on it, r2 |" in card
    blocks = [part.partition("```")[0] for part in card.split("```python\n")[1:]]
    assert len(blocks) == 4
    for block in blocks:
        exec(block, {"__name__": "__main__"})


def train(folder: Path, table: Path, target: str, *settings: str, weights: Path | None = None, **others: Any) -> Run:
    """Train on a table, without a trial export."""
    family, data = None if weights else "mlp", DataRequest(f"csv:{table}", options={"target": target})
    request = TrainingRequest(family=family, weights=weights, data=data, settings=settings, out=folder)
    start.start(request, dataclasses.replace(SINGLE, **others), passes)
    return run.read(folder)


def test_an_interrupted_training_goes_on_bit_for_bit_and_other_targets_get_a_new_head(tmp_path: Path) -> None:
    table, both = shop(tmp_path / "shop.csv"), "bought,spent on it"
    settings = ("epochs=3", "ema_decay=0.9")
    whole_run = train(tmp_path / "whole", table, both, *settings)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", table, both, *settings, callbacks=[Stop()])
    start.resume(tmp_path / "stopped", None, SINGLE)
    whole, stopped = (weights_file.read(tmp_path / name / run.LAST)[0] for name in ("whole", "stopped"))
    assert whole.keys() == stopped.keys()
    assert "average/uncertainty/log_variances" in whole
    for name, values in whole.items():
        np.testing.assert_array_equal(stopped[name], values, err_msg=name)
    kept = weights_file.read(tmp_path / "whole" / run.WEIGHTS)[0]
    assert not [name for name in kept if name.startswith("uncertainty")], "what targets weigh is not kept"
    first, *_, last = (json.loads(line) for line in (tmp_path / "whole" / run.METRICS).read_text().splitlines())
    assert last["bought_weight"] != first["bought_weight"]
    assert whole_run.score is not None
    assert {*whole_run.score.parts} == {"bought", "spent on it"}

    for target, frozen, new in (
        (both, "true", False),
        ("spent on it,bought", "false", True),
        ("bought", "false", True),
    ):
        folder = tmp_path / f"{frozen}-{target}"
        tuned = train(folder, table, target, "epochs=1", f"freeze={frozen}", weights=tmp_path / "whole")
        assert tuned.initial is not None
        assert tuned.initial.new_head == new
        assert [part.name for part in tuned.model.parts] == ([] if target == "bought" else target.split(","))
        means = [scale.mean > 0 for scale in tuned.model.scales]
        assert means == {both: [False, False, True], "bought": []}.get(target, [True, False, False])


@pytest.mark.parametrize(
    ("family", "options", "setting"),
    [
        ("cnn", {"image_column": "file"}, "image.flip=false"),
        ("lstm", {"text_column": "note"}, "text.max_length=16"),
        ("keyword", {"audio_column": "file"}, "audio.shift=0"),
    ],
)
@pytest.mark.full
def test_images_texts_and_sound_have_several_targets_too(
    family: str, options: dict[str, Any], setting: str, tmp_path: Path
) -> None:
    table = (sounds if family == "keyword" else images)(tmp_path / "data", 100)
    if family == "lstm":
        words_of = ("a light bar that lies", "light bar stands", "this dark one lies", "dark and stands")
        rows = [(text, "light" in text, "lies" in text) for text in words_of * 20]
        table = write(tmp_path / "notes.csv", ("note", "light", "bar"), *rows)
    zoo.train(
        family, data=f"csv:{table}", target_column="light,bar", **options, set=[setting], epochs=2,
        out=tmp_path / "run",
    )  # fmt: skip
    zoo.export_run(tmp_path / "run", out=tmp_path / "artifact")
    found = outputs_of(tmp_path / "artifact")
    assert {*found["onnx"]} == {f"{name}_{what}" for name in ("light", "bar") for what in ("logits", "probabilities")}
    for name, values in found["onnx"].items():
        np.testing.assert_allclose(found["saved_model"][name], values, rtol=1e-3, atol=1e-4)


@pytest.mark.full
def test_an_int8_file_answers_for_all_targets(tmp_path: Path) -> None:
    zoo.train(
        "cnn", data=f"csv:{images(tmp_path / 'data', 120)}", target_column="light,bar", image_column="file", epochs=8,
        out=tmp_path / "run",
    )  # fmt: skip
    zoo.export_run(tmp_path / "run", out=tmp_path / "artifact", int8=True, max_drop=20.0, force=True)
    found = outputs_of(tmp_path / "artifact")
    assert found["onnx_int8"].keys() == found["onnx"].keys()


REPLICAS = """
import sys
from pathlib import Path
from zoo.training import start
from zoo.training.request import DataRequest, Execution, TrainingRequest
table, devices, out = sys.argv[1:]
data = DataRequest(f"csv:{table}", options={"target": "bought,spent on it"})
settings = ["epochs=2", "batch_size=16", "precision=float64"]
execution = Execution(strategy="single" if devices == "1" else "mirrored", devices=int(devices))
request = TrainingRequest(family="mlp", data=data, settings=settings, out=Path(out))
start.start(request, execution, lambda model: None)
"""


@pytest.mark.full
def test_one_and_two_replicas_learn_the_same(tmp_path: Path) -> None:
    table, found = shop(tmp_path / "shop.csv"), {}
    for devices in ("1", "2"):
        out = tmp_path / devices
        subprocess.run([sys.executable, "-c", REPLICAS, table, devices, out], check=True, capture_output=True)
        found[devices] = weights_file.read(out / run.LAST)[0]
    for name in (name for name in found["1"] if name.startswith("model/")):
        np.testing.assert_allclose(found["2"][name], found["1"][name], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("setting", ["mixup=0.2", "class_weights=balanced", "sampling=balanced"])
def test_what_is_for_one_target_is_refused(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ZooError, match=setting.partition("=")[0]):
        train(tmp_path / "run", shop(tmp_path / "shop.csv"), "bought,spent on it", setting)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_trial_export")
def test_classes_without_a_training_example_are_named(
    tmp_path: Path, zoo_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rare = [f"rare{number}" for number in range(20)]
    rows = [f"{n},{rare[n // 5] if n % 5 == 0 and n < 100 else 'ab'[n % 2]},{n / 7:.2f}" for n in range(200)]
    Path("rows.csv").write_text("\n".join(["x,plan,spent", *rows]))
    trained = zoo_command("train", "linear", "--data", "csv:rows.csv", "--target", "plan,spent", "--epochs", "1")
    assert trained.status == 0, trained.err
    assert re.search(
        r"target plan: [0-9]+ of 22 classes have no training example and cannot be learned: rare", trained.err
    )
