"""`zoo.create(…, pretrained=…)` loads published weights from a simulated hub, also for other classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zoo
from tests.conformance import noise
from tests.weights.published import published
from zoo import weights_file
from zoo.errors import ZooError
from zoo.structure import Structure
from zoo.weights import hub
from zoo.weights.pull import pull

SIDE = 64
HEAD = {"logits/kernel", "logits/bias"}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp("published") / "model.safetensors")


@pytest.fixture
def fetched(file: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The repositories that are requested; all of them have the same file."""
    asked: list[str] = []

    def fetch(repository: str) -> hub.Fetched:
        asked.append(repository)
        return hub.Fetched(file, "0" * 40)

    monkeypatch.setattr(hub, "fetch", fetch)
    return asked


def weights(model: Any) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in weights_file.weights(model).items()}


def test_it_is_the_network_that_pull_makes(fetched: list[str], file: Path, tmp_path: Path) -> None:
    model = zoo.create("mobilenetv3_small_100", pretrained=True)
    assert fetched == ["timm/mobilenetv3_small_100.lamb_in1k"]
    assert model.input_shape == (None, 224, 224, 3)
    pulled = zoo.load(pull("mobilenet", tag="lamb_in1k", file=file, out=tmp_path / "run", say=lambda text: None))
    images = noise(model)
    np.testing.assert_array_equal(model(images, training=False), pulled(images, training=False))


def test_other_classes_have_a_fresh_head(fetched: list[str]) -> None:
    whole = weights(zoo.create("mobilenet", pretrained=True, input_shape=(SIDE, SIDE, 3)))
    model = zoo.create("mobilenet", pretrained=True, classes=10, input_shape=(SIDE, SIDE, 3))
    assert model.output_shape == (None, 10)
    found = weights(model)
    assert found.keys() == whole.keys()
    for name in found.keys() - HEAD:
        np.testing.assert_array_equal(found[name], whole[name])
    assert np.isfinite(model(noise(model), training=False)).all()


def test_small_images_keep_the_published_structure(fetched: list[str]) -> None:
    features = zoo.create("mobilenet", pretrained=True, input_shape=(32, 32, 3), features=True)
    assert max(features.strides.values()) == 32
    fresh = zoo.create("mobilenet", input_shape=(32, 32, 3), features=True)
    assert max(fresh.strides.values()) == 8
    large = zoo.create("mobilenet", pretrained=True, input_shape=(SIDE, SIDE, 3))
    np.testing.assert_array_equal(*(model.get_layer("stem").kernel.numpy() for model in (features.model, large)))
    asked = zoo.create("mobilenet", pretrained=True, input_shape=(32, 32, 3), structure=Structure(4), features=True)
    assert max(asked.strides.values()) == 16


def test_the_stem_is_adapted_to_other_channels(fetched: list[str]) -> None:
    three, one = (
        zoo.create("mobilenet", pretrained=True, input_shape=(SIDE, SIDE, channels)).get_layer("stem").kernel.numpy()
        for channels in (3, 1)
    )
    np.testing.assert_allclose(one, three.sum(2, keepdims=True), rtol=1e-6)


def test_mixed_precision_has_the_same_weights(fetched: list[str]) -> None:
    shape = (SIDE, SIDE, 3)
    plain, mixed = (
        weights(zoo.create("mobilenet", pretrained=True, classes=5, input_shape=shape, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    for name in plain.keys() - HEAD:
        np.testing.assert_array_equal(plain[name], mixed[name])


def test_a_tag_can_be_named(fetched: list[str]) -> None:
    with pytest.raises(ZooError, match="it fits mobilenet small"):  # the file is of that network
        zoo.create("resnet50", pretrained="tv_in1k", input_shape=(SIDE, SIDE, 3))
    assert fetched == ["timm/resnet50.tv_in1k"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet50", {"pretrained": "a1_in1"}, "are tagged 'a1_in1': did you mean 'a1_in1k'"),
        ("mobilenetv3_large_075", {"pretrained": True}, "no weights of mobilenetv3_large_075 can be fetched from timm"),
        ("cnn", {"pretrained": True}, "no weights of cnn small are read from timm"),
        ("inception", {"pretrained": True, "input_shape": (64, 64, 3)}, "images of at least 75×75 pixels"),
        ("resnet", {"pretrained": True, "classes": 1}, "at least 2 is needed"),
    ],
)
def test_wrong_requests_end_before_anything_is_fetched(
    name: str, options: dict[str, Any], message: str, fetched: list[str]
) -> None:
    with pytest.raises(ZooError, match=message):
        zoo.create(name, **options)
    assert not fetched


def test_the_input_is_that_of_the_weights(fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import factory
    from zoo.weights import publishers
    from zoo.weights.reading import Reading

    monkeypatch.setattr(factory, "TIMM", publishers.Publisher("timm", (), lambda *_: Reading((), ()), "{model}.{tag}"))
    assert zoo.create("efficientnet", size="b2", pretrained=True).input_shape == (None, 208, 208, 3)
    assert fetched == ["tf_efficientnetv2_b2.in1k"]
