"""`zoo pull`, and every other verb on the runs that it writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.conftest import Answer
from tests.weights.hub_server import COMMIT, Hub, serving
from tests.weights.published import published
from zoo import artifact, files, run, weights_file
from zoo.data import imagenet
from zoo.data.load import load
from zoo.errors import ZooError
from zoo.export.reference import STAND_INS
from zoo.inputs.image.photographs import photographs
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings
from zoo.recipe import Recipe
from zoo.registry import matching, resolve
from zoo.structure import Structure
from zoo.training.describe import describe
from zoo.weights.pretrained import PublishedInput
from zoo.weights.publishers import PUBLISHERS, preprocessing
from zoo.weights.pull import pull
from zoo.weights.timm_config import stated_input

SIDE = 32


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp("published") / "model.safetensors")


@pytest.fixture(scope="module")
def pulled(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pulled run for images of 32 pixels."""
    out = tmp_path_factory.mktemp("runs") / "pulled"
    return pull("mobilenet", tag="lamb_in1k", file=file, image_size=SIDE, out=out, say=lambda text: None)


@pytest.fixture(scope="module")
def exported(pulled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from zoo.export.build import export

    out = tmp_path_factory.mktemp("artifacts") / "pulled"
    return export(pulled, ["onnx"], out=out, data_dir=None, say=lambda text: None)


@pytest.fixture
def labeled(tmp_path: Path) -> Path:
    """Two photographs in folders, one with an ImageNet label as its name, one with a WordNet identifier."""
    crops = photographs(2)
    for index, name in enumerate(("goldfish", "n01440764")):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "0.png").write_bytes(crops.read(index))
    return tmp_path / "data"


def test_a_pulled_run_says_where_it_is_from(pulled: Path, file: Path) -> None:
    this = run.read_finished(pulled)
    assert this.data is None
    assert this.recipe is None
    assert this.weights is not None
    assert this.weights.source == "timm"
    assert this.weights.repository == "timm/mobilenetv3_small_100.lamb_in1k"
    assert this.weights.revision is None
    assert this.weights.sha256 == files.sha256(file)
    assert this.weights.license == "Apache-2.0"
    assert this.model.labels == imagenet.labels()
    assert this.model.preprocessing == preprocessing(
        resolve("mobilenet", "small")[1].weights["timm"].tags[0].input, SIDE, 3
    )
    assert this.model.preprocessing.interpolation == "bicubic"
    assert (pulled / run.WEIGHTS).is_file()
    assert np.isfinite(zoo.load(pulled)(np.zeros((1, SIDE, SIDE, 3), np.float32))).all()


def test_an_artifact_of_it_claims_no_accuracy(exported: Path, zoo_command: Callable[..., Any]) -> None:
    manifest = artifact.read(exported)
    assert manifest.score == {}
    assert manifest.data is None
    assert manifest.license["weights"] == "Apache-2.0"
    assert {gate.name: gate.figures for gate in manifest.gates}["onnx_agreement"]["examples"] == STAND_INS
    card = (exported / artifact.CARD).read_text(encoding="utf-8")
    assert "Not measured" in card
    assert "timm/mobilenetv3_small_100.lamb_in1k" in card
    assert zoo_command("verify", exported).status == 0


def test_it_labels_a_photograph(exported: Path, tmp_path: Path, zoo_command: Callable[..., Any]) -> None:
    from sklearn.datasets import load_sample_image

    Image.fromarray(load_sample_image("flower.jpg")).save(tmp_path / "flower.jpg")
    answer = zoo_command("predict", exported, tmp_path / "flower.jpg", "--json")
    likeliest = json.loads(answer.out)["predictions"][0]["labels"]
    assert all(one["label"] in imagenet.labels() for one in likeliest)


def test_it_is_measured_without_accuracy(exported: Path, zoo_command: Callable[..., Any]) -> None:
    asked = ("benchmark", exported, "--runtime", "onnx", "--batch", 1, "--threads", 1, "--seconds", 0.1)
    assert "not measured" in zoo_command(*asked).out


def test_it_is_evaluated_on_data_that_name_its_classes(
    pulled: Path, exported: Path, labeled: Path, tmp_path: Path, zoo_command: Callable[..., Any]
) -> None:
    for target in (pulled, exported):
        out = tmp_path / f"evaluation-of-{target.parent.name}"
        asked = ("evaluate", target, "--data", f"folder:{labeled}", "--out", out, "--json")
        report = json.loads(zoo_command(*asked).out)
        assert report["examples"] == 2
        shown = {one["label"] for one in report["classes"] if one["examples"]}
        assert shown == {"goldfish", "tench"}
        assert (out / "confusion.png").is_file()


def test_it_is_not_evaluated_on_nothing_or_on_other_classes(
    exported: Path, labeled: Path, zoo_command: Callable[..., Any]
) -> None:
    nothing = zoo_command("evaluate", exported)
    assert nothing.status == 2
    assert "has no data of its own: say what to measure it on, such as --data folder:PATH" in nothing.err
    (labeled / "goldfish").rename(labeled / "unicorn")
    other = zoo_command("evaluate", exported, "--data", f"folder:{labeled}")
    assert other.status == 2
    assert "1 of the 2 labels" in other.err
    assert "'unicorn'" in other.err


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_channels(channels: int, file: Path, tmp_path: Path) -> None:
    said: list[str] = []
    folder = pull(
        "mobilenet", tag="lamb_in1k", file=file, image_size=32, channels=channels, out=tmp_path / "run", say=said.append
    )
    this = run.read_finished(folder)
    assert this.model.preprocessing.shape == (32, 32, channels)
    assert len(this.model.preprocessing.mean) == channels
    assert this.weights is not None
    assert f"weights for 3 channels adapted to {channels}" in this.weights.adapted
    assert said == list(this.weights.adapted)


def test_other_classes_have_numbers_for_names(tmp_path: Path) -> None:
    file = published(tmp_path / "ten.safetensors", classes=10)
    said: list[str] = []
    folder = pull(
        "mobilenet", file=file, license="MIT", classes=10, image_size=32, out=tmp_path / "run", say=said.append
    )
    this = run.read_finished(folder)
    assert this.model.labels == tuple(f"class {number}" for number in range(10))
    assert this.weights is not None
    assert this.weights.license == "MIT"
    assert this.weights.repository is None
    assert said == [
        "images are prepared as for mobilenetv3_small_100.lamb_in1k: if these are other weights, name their --tag"
    ]
    with pytest.raises(ZooError, match=r"it has 10 classes, not 1000: pull it with --classes 10"):
        pull("mobilenet", file=file, license="MIT", image_size=32, out=tmp_path / "other", say=said.append)
    assert not (tmp_path / "other").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "ten.safetensors"]


STATED = {
    "input_size": [3, SIDE, SIDE],
    "mean": [0.485, 0.456, 0.406],
    "std": [0.1, 0.2, 0.3],
    "crop_pct": 0.95,
    "interpolation": "bilinear",
    "crop_mode": "squash",
}
"""The preprocessing in timm's configurations."""


def test_a_file_is_pulled_with_the_preprocessing_that_its_configuration_states(file: Path, tmp_path: Path) -> None:
    config = {"architecture": "mobilenetv3_small_100", "num_classes": 1000, "pretrained_cfg": {"tag": "a", **STATED}}
    (tmp_path / "model.safetensors").hardlink_to(file)
    (tmp_path / "config.json").write_text(json.dumps(config))
    said: list[str] = []
    made = pull(
        "mobilenet", file=tmp_path / "model.safetensors", license="MIT", out=tmp_path / "run", say=said.append
    )  # fmt: skip
    assert run.read_finished(made).model.preprocessing == Preprocessing(
        SIDE, SIDE, 3, (0.485, 0.456, 0.406), (0.1, 0.2, 0.3), 0.95, "bilinear", "squash"
    )
    assert said == [f"images are prepared as {tmp_path / 'config.json'} states"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, None),
        ({"architectures": ["BertModel"]}, None),
        ({"architecture": "deit_small_patch16_224"}, PublishedInput(224)),
        ({"architecture": "deit_small_patch16_224", "mean": [0.1, 0.2, 0.3], "crop_pct": 0.9, "std": None},
         PublishedInput(224, mean=(0.1, 0.2, 0.3), crop_pct=0.9)),
        ({"architecture": "x", "pretrained_cfg": {"input_size": [3, 384, 384]}}, PublishedInput(384)),
    ],
)  # fmt: skip
def test_the_configuration_of_timm(config: Any, expected: PublishedInput | None, tmp_path: Path) -> None:
    """Keys that it does not state have timm's defaults, and not those of the first tag, whose mean is 0.5."""
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))
    assert stated_input(tmp_path / "x.safetensors", resolve("vit_small")[1].weights["timm"]) == expected


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        (
            "mobilenetv3_large_100",
            {"architecture": "tf_mobilenetv3_large_100"},
            "is of 'tf_mobilenetv3_large_100', whose padding",
        ),
        (
            "efficientnetv2_s",
            {"architecture": "efficientnetv2_rw_s"},
            "those of tf_efficientnetv2_s: name weights",
        ),
        ("vit_small", {"architecture": "x", "pretrained_cfg": []}, r"pretrained_cfg should be an object, not \[\]"),
        ("vit_small", {"architecture": "x", "input_size": [3, 224, 192]}, r"input_size should be \[3, side, side\]"),
        ("vit_small", {"architecture": "x", "input_size": 224}, r"input_size should be \[3, side, side\], not 224"),
        ("vit_small", {"architecture": "x", "input_size": [3, "a", "a"]}, "side should be a valid integer"),
        ("vit_small", {"architecture": "x", "mean": [0.5, 0.5]}, r"mean should be 3 numbers, not \[0.5, 0.5\]"),
        ("vit_small", {"architecture": "x", "mean": "red"}, "mean should be 3 numbers, not 'red'"),
        ("vit_small", {"architecture": "x", "std": [0.5, 0, 0.5]}, "std.1 should be greater than 0, not 0"),
        ("vit_small", {"architecture": "x", "crop_pct": 1.5}, "crop_pct should be less than or equal to 1, not 1.5"),
        ("vit_small", {"architecture": "x", "interpolation": "lanczos"}, "should be 'bilinear' or 'bicubic', not 'lan"),
        ("vit_small", {"architecture": "x", "crop_mode": "border"}, "should be 'shortest' or 'squash', not 'border'"),
        ("vit_small", {"architecture": "x", "more": "x" * (1 << 22)}, "larger than any configuration"),
    ],
)
def test_configurations_of_timm_that_are_refused(name: str, config: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ZooError, match=message) as refused:
        stated_input(tmp_path / "x.safetensors", resolve(name)[1].weights["timm"])
    assert "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def somewhere(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A current folder for commands, with several kinds of files."""
    folder = tmp_path_factory.mktemp("somewhere")
    shutil.copy(file, folder / "model.safetensors")
    for name in ("model.pth", "model.bin", "model.npz", "model.h5", "model.onnx"):
        (folder / name).write_bytes(b"\x80\x02cos\nsystem\n")
    (folder / "taken").mkdir()
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("mobilnet", "did you mean 'mobilenet'?"),
        ("mobilenet --tag lamb_in1", "are tagged 'lamb_in1': did you mean 'lamb_in1k'?"),
        ("mobilenet --size base", "can be fetched from timm: read a local file with 'zoo pull --file'"),
        ("mobilenet --size base --tag a", "are tagged 'a': none are known"),
        ("cnn", "no weights of cnn small are read"),
        ("mobilenet --from tim", "did you mean 'timm'?"),
        ("mobilenet --from keras", "not fetched: name a file"),
        ("resnet --from keras", "(its ResNets are version 1, zoo's are version 1.5)"),
        ("vit --from keras", "(none are known)"),
        ("vgg --size base --from keras --file model.safetensors --license MIT", "*.weights.h5 or *.keras files"),
        ("mobilenet --classes 10", "has 1000 classes, not 10: leave --classes out"),
        ("mobilenet --file model.safetensors", "name it with --license, such as Apache-2.0, or name the --tag"),
        ("mobilenet --file model.safetensors --license ?", "is not an SPDX identifier"),
        (
            "mobilenet --file model.safetensors --tag lamb_in1k --license MIT",
            "licensed Apache-2.0: leave --license out",
        ),
        ("mobilenet --file none.safetensors --license MIT", "there is no file none.safetensors"),
        ("mobilenet --file model.pth --license MIT", "model.pth is a pickle, which can run code"),
        ("mobilenet --file model.bin --license MIT", "model.bin is a pickle, which can run code"),
        ("mobilenet --file model.npz --license MIT", "model.npz may hold a pickle"),
        ("mobilenet --file model.h5 --license MIT", "model.h5 holds a Keras network"),
        (
            "mobilenet --from keras --file model.h5 --license MIT",
            "model.h5 is in Keras' older HDF5 format: in Keras, keras.applications.MobileNetV3Small(weights='model.h5')"
            ".save_weights('model.weights.h5') writes what zoo reads",
        ),
        ("bert --from transformers --file none", "there is nothing at none: name a folder of transformers or a"),
        ("bert --from transformers --file model.onnx", "model.onnx has another format: weights from transformers"),
        ("mobilenet --file model.onnx --license MIT", "read only from *.safetensors files"),
        ("mobilenet --file model.safetensors --license MIT --out taken", "taken exists already"),
        ("mobilenet --file model.safetensors --license MIT --image-size 4", "each side must be 8 to 4096 pixels"),
        ("mobilenet --file model.safetensors --license MIT --channels 5", "5 channels are not supported"),
        ("mobilenet --size large --file model.safetensors --license MIT", "it fits mobilenet small"),
    ],
)
def test_wrong_requests(arguments: str, message: str, somewhere: Path, zoo_command: Callable[..., Any]) -> None:
    answer = zoo_command("pull", *arguments.split())
    assert answer.status == 2
    assert message in answer.err
    assert not (somewhere / "runs").exists()


def test_from_the_hub_with_its_commit(file: Path, tmp_path: Path) -> None:
    repository = "timm/mobilenetv3_small_100.lamb_in1k"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    command = [sys.executable, "-m", "zoo", "pull", "mobilenet", "--image-size", "32", "--out", "run", "--json"]
    with serving(Hub({repository: {"model.safetensors": file.read_bytes()}})) as hub:
        around = {**kept, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=around, cwd=tmp_path)
    weights = json.loads(done.stdout)["weights"]
    assert (weights["repository"], weights["revision"], weights["file"]) == (repository, COMMIT, "model.safetensors")
    assert weights["sha256"] == files.sha256(file)


def test_what_is_known_is_whole() -> None:
    for family, size in matching():
        assert set(PUBLISHERS) >= {*size.weights, *size.differs}
        assert not size.weights.keys() & size.differs.keys()
        assert {name.partition("/")[0] for name in (*family.undecayed, *family.resampled)}.isdisjoint(family.head)
        for weights in size.weights.values():
            tags = [tag.name for tag in weights.tags]
            assert len(set(tags)) == len(tags)
            for wanted in (weights.reference, *(tag.input for tag in weights.tags)):
                for channels in (1, 2, 3, 4):
                    assert preprocessing(wanted, wanted.side, channels).shape == (wanted.side, wanted.side, channels)


def test_every_network_and_its_weights_are_listed(zoo_command: Callable[..., Any]) -> None:
    rows = json.loads(zoo_command("list", "--json").out)
    licenses = {
        (family.name, size.name): [tag.license for tag in size.weights["timm"].tags] if "timm" in size.weights else []
        for family, size in matching()
    }
    assert {(row["family"], row["size"]): [tag["license"] for tag in row["tags"]] for row in rows} == licenses
    assert {(row["family"], row["size"]): row["license"] for row in rows} == {
        key: found[0] if found else None for key, found in licenses.items()
    }
    (large,) = json.loads(zoo_command("info", "vit", "--size", "large", "--json").out)
    assert large["tags"][0]["repository"] == "timm/vit_large_patch16_224.augreg_in21k_ft_in1k"
    assert large["input_sizes"] == {"weights": [224], "smallest": 8, "largest": 4096}
    assert "Dosovitskiy" in large["reference"]
    text = zoo_command("info", "mobilenet").out
    assert "ra4_e3600_r224_in1k" in text
    assert "8 to 4096 pixels a side, 1 to 4 channels" in text


def test_imagenets_classes_can_be_told_apart() -> None:
    labels = imagenet.labels()
    assert len(labels) == len({label.lower() for label in labels}) == 1000
    assert list(imagenet.classes()) == sorted(imagenet.classes())
    assert [labels[0], labels[134], labels[517], labels[999]] == [
        "tench",
        "crane (bird)",
        "crane (machine)",
        "toilet tissue",
    ]


def test_weights_keep_the_reference_structure_at_every_image_size(
    pulled: Path, file: Path, tmp_path: Path, images_folder: Path, zoo_command: Callable[..., Answer]
) -> None:
    """MobileNet at 32 pixels keeps all halvings of timm's network, although the image is small."""
    assert run.read(pulled).model.structure == Structure(5)
    assert zoo.load(pulled, features=True).strides["stage5"] == 32
    large = pull("mobilenet", tag="lamb_in1k", file=file, out=tmp_path / "large", say=lambda text: None)
    arrays, others = (weights_file.read(folder / run.WEIGHTS)[0] for folder in (pulled, large))
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name])

    dataset = load(f"folder:{images_folder}", "image", split=Recipe().split)
    recipe = Recipe(input=ImageSettings(size=96))
    tuned = describe(*resolve("mobilenet"), dataset, recipe, run.read(large).model)
    assert tuned.structure == Structure(5)
    assert tuned.preprocessing.shape == (96, 96, 3)

    assert "5 of the reference's 5 halvings" in zoo_command("info", pulled).out
    assert json.loads(zoo_command("info", pulled, "--json").out)["model"]["structure"]["halvings"] == 5


def test_images_that_are_too_small_for_the_reference_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="at least 75×75 pixels, not 64×64"):
        pull("inception", size="small", image_size=64, file=tmp_path / "none.safetensors", license="MIT")
