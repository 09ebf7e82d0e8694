"""Labels of images: the files that are read, their order, and the messages about files that cannot be read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from PIL import Image

from tests.serving.handmade import LABELS, SHAPE, edit_graph, python, weights
from zoo import artifact
from zoo.data.load import load
from zoo.errors import Refused, ZooError
from zoo.recipe import Split
from zoo.serving.predict import BATCH, Prediction, predict


def labels(prediction: Prediction) -> list[tuple[str, float]]:
    found = prediction.answer.plain()["labels"]
    return [(one["label"], one["probability"]) for one in found]


def test_an_image_gets_the_labels_of_its_own_pixels(onnx_artifact: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, SHAPE, np.uint8)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "one.png")
    (prediction,) = predict(onnx_artifact, [tmp_path / "one.png"])
    kernel, bias = weights()
    powers = np.exp((pixels.reshape(-1) / 255) @ kernel + bias)
    wanted = sorted(zip(LABELS, powers / powers.sum(), strict=True), key=lambda pair: -pair[1])
    assert prediction.name == str(tmp_path / "one.png")
    assert [label for label, _ in labels(prediction)] == [label for label, _ in wanted]
    np.testing.assert_allclose([p for _, p in labels(prediction)], [p for _, p in wanted], atol=1e-5)


@pytest.mark.parametrize(("top", "shown"), [(1, 1), (2, 2), (3, 3), (100, 3)])
def test_top_is_what_is_shown(onnx_artifact: Path, images: Path, top: int, shown: int) -> None:
    for prediction in predict(onnx_artifact, [images], top=top):
        probabilities = [probability for _, probability in labels(prediction)]
        assert len(probabilities) == shown
        assert probabilities == sorted(probabilities, reverse=True)
    if top >= 3:
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)


def test_a_folder_stands_for_its_own_images_in_natural_order(onnx_artifact: Path, images: Path) -> None:
    found = [Path(prediction.name).name for prediction in predict(onnx_artifact, [images])]
    assert found == ["1.gif", "2.JPG", "10.png"]


NAMES = {
    "a.jpg": "JPEG", "b.jfif": "JPEG", "c.jpe": "JPEG", "d.dib": "BMP", "e": "PNG", "f.tif": "PNG", "g.webp": "GIF",
    "h.txt": "PNG", "i.JPEG": "JPEG",
}  # fmt: skip
NONE = {"j.png": "TIFF", "k.jpg": "WEBP"}


def test_a_folder_stands_for_what_is_an_image_by_its_content(onnx_artifact: Path, tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    gray = Image.fromarray(np.random.default_rng(0).integers(0, 256, SHAPE[:2], np.uint8))
    for name, kind in (NAMES | NONE).items():
        gray.save(folder / name, kind)
    (folder / "l.png").write_text("<html>")
    (folder / "m.jpg").write_bytes(b"")
    os.mkfifo(folder / "n.png")
    (folder / "o.png").mkdir()
    (folder / "p.png").symlink_to(folder / "nowhere")
    left_out: list[tuple[Path, str]] = []
    found = predict(onnx_artifact, [folder], leave_out=lambda *pair: left_out.append(pair))
    assert [Path(prediction.name).name for prediction in found] == list(NAMES)
    assert [path.name for path, _ in left_out] == [*NONE, "l.png", "m.jpg", "n.png", "o.png", "p.png"]
    assert all(reason for _, reason in left_out)


def test_train_and_predict_take_the_same_files(onnx_artifact: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number, label in enumerate("ab"):
        (data / label).mkdir(parents=True)
        for place, (name, kind) in enumerate((NAMES | NONE).items()):
            Image.new("L", (6, 5), 20 * place + number).save(data / label / name, kind)
    trained = load(f"folder:{data}", "image", split=Split(), bad_examples="skip")
    assert sorted(line.partition(":")[0] for line in trained.skipped) == [f"{a}/{b}" for a in "ab" for b in NONE]
    assert len(predict(onnx_artifact, [data / "a", data / "b"])) == sum(trained.description().counts.values())


def test_what_is_named_keeps_its_order_and_needs_no_suffix(onnx_artifact: Path, images: Path) -> None:
    shutil.copy(images / "10.png", images / "upload")
    named = [images / "upload", images / "within", images / "1.gif"]
    found = [Path(prediction.name).name for prediction in predict(onnx_artifact, named)]
    assert found == ["upload", "3.png", "1.gif"]


def test_more_images_than_a_batch_are_answered_one_by_one_the_same(onnx_artifact: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(2 * BATCH + 1):
        Image.fromarray(random.integers(0, 256, SHAPE[:2], np.uint8)).save(tmp_path / f"{number}.png")
    predictions = predict(onnx_artifact, [tmp_path])
    names = [Path(prediction.name).stem for prediction in predictions]
    assert names == [str(number) for number in range(2 * BATCH + 1)]
    for prediction in predictions[:: BATCH // 2]:
        (alone,) = predict(onnx_artifact, [Path(prediction.name)])
        one, other = labels(alone), labels(prediction)
        assert [label for label, _ in one] == [label for label, _ in other]
        np.testing.assert_allclose([p for _, p in one], [p for _, p in other], atol=1e-6)


def test_an_image_that_cannot_be_read_is_named(onnx_artifact: Path, images: Path) -> None:
    whole = (images / "10.png").read_bytes()
    for content, named in ((b"", "3.png"), (b"no image", "3.png"), (whole[: len(whole) // 2], "")):
        (images / "3.png").write_bytes(content)
        with pytest.raises(ZooError, match=r"3\.png cannot be read as an image") as wrong:
            predict(onnx_artifact, [images / named])
        assert wrong.value.exit_status == 2
        assert "\n" not in str(wrong.value)


def test_examples_that_cannot_be_read_are_left_out(onnx_artifact: Path, images: Path, tmp_path: Path) -> None:
    whole = (images / "10.png").read_bytes()
    (images / "3.png").write_bytes(whole[: len(whole) // 2])
    left: dict[str, str] = {}
    named = [images / "1.gif", images / "3.png", images / "10.png"]
    found = predict(
        onnx_artifact, named, bad_examples="skip", leave_out=lambda path, why: left.update({path.name: why})
    )
    assert [Path(prediction.name).name for prediction in found] == ["1.gif", "10.png"]
    assert labels(found[1]) == labels(predict(onnx_artifact, [named[2]])[0])
    assert left.keys() == {"3.png"}
    with pytest.raises(ZooError, match=r"no image can be read \(1 were left out\): name others"):
        predict(onnx_artifact, [named[1]], bad_examples="skip")
    with pytest.raises(ZooError, match="bad_examples='drop': write error or skip"):
        predict(onnx_artifact, named, bad_examples="drop")  # type: ignore[arg-type]


def test_requests_that_cannot_be_met(onnx_artifact: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for paths, top, words in (
        ([images / "11.png"], 5, "there is no image at .*11.png"),
        ([tmp_path / "empty"], 5, "empty holds no JPEG, PNG, BMP or GIF"),
        ([], 5, "nothing to predict"),
        ([images], 0, "--top 0"),
        ([images], -1, "--top -1"),
    ):
        with pytest.raises(ZooError, match=words):
            predict(onnx_artifact, paths, top=top)


def test_answers_that_are_no_numbers_are_refused(onnx_artifact: Path, images: Path) -> None:
    def spoil(model: onnx.ModelProto) -> None:
        bias = next(value for value in model.graph.initializer if value.name == "bias")
        bias.CopyFrom(numpy_helper.from_array(np.full(3, np.nan, np.float32), "bias"))

    edit_graph(onnx_artifact, spoil)
    with pytest.raises(Refused, match="not finite"):
        predict(onnx_artifact, [images])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=200),
    head=st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a"]),
)
def test_any_bytes_are_an_image_or_a_wrong_request(
    onnx_artifact: Path, tmp_path: Path, content: bytes, head: bytes
) -> None:
    (tmp_path / "any").write_bytes(head + content)
    with contextlib.suppress(ZooError):
        predict(onnx_artifact, [tmp_path / "any"])


_BOTH = """
import json, sys
from pathlib import Path
from zoo.serving.predict import predict
for folder in sys.argv[1:3]:
    found = predict(Path(folder), [Path(sys.argv[3])])
    print(json.dumps([prediction.answer.labels for prediction in found]))
    print("tensorflow" in sys.modules)
"""


def test_a_saved_model_answers_where_there_is_no_onnx(
    saved_model_artifact: Path, onnx_artifact: Path, images: Path
) -> None:

    done = python(_BOTH, onnx_artifact, saved_model_artifact, images)
    assert done.returncode == 0, done.stderr
    by_onnx, early, by_saved_model, late = done.stdout.splitlines()
    assert (early, late) == ("False", "True")
    for one, other in zip(json.loads(by_onnx), json.loads(by_saved_model), strict=True):
        assert [label for label, _ in one] == [label for label, _ in other]
        np.testing.assert_allclose([p for _, p in one], [p for _, p in other], atol=1e-5)


def test_the_files_of_an_artifact_are_only_read(onnx_artifact: Path, images: Path) -> None:
    before = artifact.hashes(onnx_artifact)
    predict(onnx_artifact, [images])
    assert artifact.hashes(onnx_artifact) == before
