"""The protocol that both runtimes follow, and their errors for wrong pixels and damaged files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.serving.handmade import ONNX, SHAPE, edit_graph, golden, python, sign
from zoo import artifact, schema
from zoo.errors import Refused, ZooError
from zoo.saved_model_folder import latest_version
from zoo.serving.runner import open_runner


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("threads", [None, 1])
def test_onnx_answers_as_numpy_does(onnx_artifact: Path, batch: int, threads: int | None) -> None:
    stored = golden()
    answer = open_runner(onnx_artifact, "onnx", threads=threads)({"image": stored["image"][:batch]})
    assert list(answer) == ["logits", "probabilities"]
    for name, values in answer.items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, stored[name][:batch], rtol=0, atol=1e-5)


def test_pixels_may_lie_anyhow_in_memory(onnx_artifact: Path) -> None:
    runner, pixels = open_runner(onnx_artifact, "onnx"), golden()["image"]
    strided = np.repeat(pixels, 2, axis=0)[::2]
    fortran = np.asfortranarray(pixels)
    for view in (strided, fortran):
        np.testing.assert_array_equal(runner({"image": view})["logits"], runner({"image": pixels})["logits"])


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, *SHAPE), np.float32),
        np.zeros((1, *SHAPE), np.int8),
        np.zeros(SHAPE, np.uint8),
        np.zeros((1, 5, 6, 1), np.uint8),
        np.zeros((1, 6, 5, 3), np.uint8),
        np.zeros((0, *SHAPE), np.uint8),
        np.zeros((1, 1, *SHAPE), np.uint8),
    ],
    ids=lambda pixels: f"{pixels.dtype}{list(pixels.shape)}",
)
def test_wrong_pixels_are_refused_at_the_door(onnx_artifact: Path, pixels: np.ndarray) -> None:
    with pytest.raises(ZooError, match=r"not uint8 \[batch, 6, 5, 1\]") as refused:
        open_runner(onnx_artifact, "onnx")({"image": pixels})
    assert refused.value.exit_status == 2
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("names", [[], ["pixels"], ["image", "mask"]], ids=str)
def test_wrong_names_are_refused_at_the_door(onnx_artifact: Path, names: list[str]) -> None:
    found = ", ".join(names) or "none"
    with pytest.raises(ZooError, match=f"the arrays are {found}, not image: make the arrays with"):
        open_runner(onnx_artifact, "onnx")(dict.fromkeys(names, golden()["image"]))


def test_requests_that_cannot_be_met(onnx_artifact: Path) -> None:
    for arguments, words in (
        ({"runtime": "saved_model"}, "has no saved_model, only onnx"),
        ({"runtime": "onxx"}, "did you mean 'onnx'"),
        ({"runtime": "onnx", "threads": 0}, "at least 1"),
    ):
        with pytest.raises(ZooError, match=words):
            open_runner(onnx_artifact, **arguments)


@pytest.mark.parametrize("keep", [0, 1, 100, 400])
def test_a_cut_file_is_refused_in_one_line(onnx_artifact: Path, keep: int, capfd: pytest.CaptureFixture[str]) -> None:
    path = onnx_artifact / ONNX
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Refused, match="export again") as refused:
        open_runner(onnx_artifact, "onnx")
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_refused(onnx_artifact: Path) -> None:
    (onnx_artifact / ONNX).unlink()
    with pytest.raises(Refused, match="cannot be loaded"):
        open_runner(onnx_artifact, "onnx")


def test_another_signature_is_refused(onnx_artifact: Path) -> None:
    def rename(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"

    edit_graph(onnx_artifact, rename)
    with pytest.raises(Refused, match=r"input 'image' is uint8 \[N, 6, 5, 1\], not uint8 \[batch, 6, 5, 1\]"):
        open_runner(onnx_artifact, "onnx")


_SAVED_MODEL = """
import sys
from pathlib import Path
import numpy as np
from zoo.errors import Refused, ZooError
from zoo.serving.runner import open_runner
folder, damaged, stored = Path(sys.argv[1]), Path(sys.argv[2]), np.load(sys.argv[3])
assert "tensorflow" not in sys.modules
runner = open_runner(folder, "saved_model", threads=1)
import tensorflow as tf
assert tf.config.threading.get_intra_op_parallelism_threads() == 1
assert tf.config.threading.get_inter_op_parallelism_threads() == 1
for batch in (1, 2, 7):
    answer = runner({"image": stored["image"][:batch]})
    assert list(answer) == ["logits", "probabilities"]
    for name, values in answer.items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, stored[name][:batch], rtol=0, atol=1e-5)

def said(kind, call):
    try:
        call()
    except kind as error:
        assert "\\n" not in str(error)
        return str(error)
    raise AssertionError("nothing was raised")

assert "not uint8 [batch, 6, 5, 1]" in said(ZooError, lambda: runner({"image": np.zeros((1, 6, 5, 1), np.float32)}))
assert "not uint8 [batch, 6, 5, 1]" in said(ZooError, lambda: runner({"image": np.zeros((6, 5, 1), np.uint8)}))
open_runner(folder, "saved_model", threads=1)
open_runner(folder, "saved_model")
assert "fresh process" in said(ZooError, lambda: open_runner(folder, "saved_model", threads=2))
for name in ("variables/variables.data-00000-of-00001", "variables/variables.index", "saved_model.pb"):
    path = damaged / "saved_model" / "1" / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "cannot be loaded" in said(Refused, lambda: open_runner(damaged, "saved_model")), name
    path.unlink()
    assert "cannot be loaded" in said(Refused, lambda: open_runner(damaged, "saved_model")), name
    path.write_bytes(whole)
open_runner(damaged, "saved_model")
"""


def test_saved_model_answers_and_refuses(saved_model_artifact: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(saved_model_artifact, damaged)
    done = python(_SAVED_MODEL, saved_model_artifact, damaged, saved_model_artifact / artifact.GOLDEN)
    assert done.returncode == 0, done.stderr


_NO_SETTINGS = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf
from zoo.serving.runner import open_runner
changed = []
tf.config.set_visible_devices = lambda *arguments: changed.append(arguments)
stored = np.load(sys.argv[2])
answer = open_runner(Path(sys.argv[1]), "saved_model")({"image": stored["image"]})
np.testing.assert_allclose(answer["logits"], stored["logits"], rtol=0, atol=1e-5)
assert not changed
assert tf.config.threading.get_intra_op_parallelism_threads() == 0, "TensorFlow decides"
assert tf.config.threading.get_inter_op_parallelism_threads() == 0
"""


def test_a_saved_model_leaves_the_devices_of_a_process_to_later_trainings(saved_model_artifact: Path) -> None:
    done = python(_NO_SETTINGS, saved_model_artifact, saved_model_artifact / artifact.GOLDEN)
    assert done.returncode == 0, done.stderr


def test_the_latest_version_answers(tmp_path: Path) -> None:
    for name in ("1", "9", "10", ".tmp-11", "v12"):
        (tmp_path / name).mkdir()
    assert latest_version(tmp_path).name == "10"
    with pytest.raises(Refused, match="no version folder"):
        latest_version(tmp_path / "1")


def test_no_tensorflow_is_one_line(saved_model_artifact: Path) -> None:
    code = """
import sys
sys.modules["tensorflow"] = None
from pathlib import Path
from zoo.errors import ZooError
from zoo.serving.runner import open_runner
try:
    open_runner(Path(sys.argv[1]), "saved_model")
except ZooError as error:
    print(error)
"""
    done = python(code, saved_model_artifact)
    assert done.returncode == 0, done.stderr
    assert "needs tensorflow, which is not installed" in done.stdout


def test_a_manifest_that_lies_of_the_labels_is_refused(onnx_artifact: Path) -> None:
    model = schema.to_dict(artifact.read(onnx_artifact).model)
    sign(onnx_artifact, model={**model, "labels": ["ant", "bee"]})
    with pytest.raises(Refused, match="departs from the contract"):
        open_runner(onnx_artifact, "onnx")
