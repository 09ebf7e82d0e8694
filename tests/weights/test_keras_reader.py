"""Weights of keras.applications, saved here with random values: zoo reads them and gives Keras' logits."""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from zoo import run
from zoo.errors import ZooError
from zoo.registry import matching
from zoo.weights.keras_file import opened
from zoo.weights.keras_reader import application, read_keras
from zoo.weights.publishers import preprocessing
from zoo.weights.pull import pull
from zoo.weights_file import weights

CLASSES = 5
SIDE = 97
"""Pixels: the smallest at which zoo halves as often as Keras, and of which every half has an odd side."""

# Where it is outside the network.
PREPROCESS = {
    ("vgg", "base"): keras.applications.vgg16.preprocess_input,
    ("vgg", "large"): keras.applications.vgg19.preprocess_input,
    ("inception", "large"): keras.applications.inception_resnet_v2.preprocess_input,
}
DAILY = {("mobilenet", "small"), ("vgg", "base")}
every_peer = pytest.mark.parametrize(
    ("family", "size"),
    [
        pytest.param(*which, id="-".join(which), marks=() if which in DAILY else pytest.mark.full)
        for which in sorted((family.name, size.name) for family, size in matching() if "keras" in size.weights)
    ],
)


def layers_of(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        yield from layers_of(layer) if hasattr(layer, "layers") else [layer]


def randomize(model: Any, images: np.ndarray) -> None:
    """Randomize scales and biases, and set the statistics to those of real inputs, so that signals keep their size."""
    random = np.random.default_rng(0)
    for layer in layers_of(model):
        for variable in layer.weights:
            if len(variable.shape) == 1 and "moving" not in variable.name:
                variable.assign(variable.numpy() + 0.2 * (random.random(variable.shape) - 0.5))
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    model(images, training=True)


def made(family: str, size: str, side: int = SIDE) -> tuple[Any, np.ndarray, np.ndarray]:
    """Keras' network with random weights, two images in raw pixels, and its logits for them."""
    known = application(family, size)
    build = getattr(keras.applications, known.model)
    arguments = {} if known.alpha == 1 else {"alpha": known.alpha}
    network = build(weights=None, input_shape=(side, side, 3), classes=CLASSES, classifier_activation=None, **arguments)
    pixels = np.random.default_rng(1).integers(0, 256, (2, side, side, 3)).astype(np.float32)
    images = PREPROCESS.get((family, size), np.copy)(pixels.copy())
    randomize(network, images)
    return network, pixels, network(images, training=False).numpy()


def logits(model: Any, pixels: np.ndarray, family: str, size: str) -> np.ndarray:
    scale, offset = preprocessing(application(family, size).input, 224, 3).scale_and_offset()
    return model(pixels * scale + offset, training=False).numpy()


def assert_the_same(model: Any, pixels: np.ndarray, expected: np.ndarray, family: str, size: str) -> None:
    largest = np.abs(expected).max()
    assert np.abs(expected[0] - expected[1]).max() > 0.01 * largest, "the logits must tell images apart"
    np.testing.assert_allclose(logits(model, pixels, family, size), expected, rtol=0, atol=1e-4 * largest)


@every_peer
def test_the_logits_are_those_of_keras(family: str, size: str, tmp_path: Path) -> None:
    # At 97 pixels its last maps have one pixel, whose statistics are of two values: Keras' own logits are then decided
    # by rounding (1e-6 more of the image moves them by 1e7).
    side = 193 if family == "inception" else SIDE
    network, pixels, expected = made(family, size, side)
    network.save_weights(tmp_path / "x.weights.h5")
    del network
    model = zoo.create(family, size=size, classes=CLASSES, input_shape=(side, side, 3))

    reading = read_keras(tmp_path / "x.weights.h5", model, family, size)

    assert not reading.unused
    assert_the_same(model, pixels, expected, family, size)


@pytest.mark.full
@every_peer
def test_the_logits_are_those_of_keras_at_the_size_of_the_weights(family: str, size: str, tmp_path: Path) -> None:
    side = min(225 if "mobilenet" in family else 224, application(family, size).input.side)
    network, pixels, expected = made(family, size, side)
    network.save(tmp_path / "x.keras")
    del network
    model = zoo.create(family, size=size, classes=CLASSES, input_shape=(side, side, 3))
    read_keras(tmp_path / "x.keras", model, family, size)
    assert_the_same(model, pixels, expected, family, size)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, np.ndarray]:
    """MobileNetV3Small in every form that Keras saves, with an optimizer's state; pixels and logits."""
    folder = tmp_path_factory.mktemp("saved")
    network, pixels, expected = made("mobilenet", "small")
    network.compile("adam", "mse")
    network.optimizer.build(network.trainable_variables)
    network.save_weights(folder / "x.weights.h5")
    network.save(folder / "x.keras")
    network.save(folder / "old.h5")
    return folder, pixels, expected


def fresh(family: str = "mobilenet", size: str = "small", **arguments: Any) -> Any:
    return zoo.create(family, size=size, **{"classes": CLASSES, "input_shape": (SIDE, SIDE, 3), **arguments})


@pytest.mark.parametrize("name", ["x.keras", "x.weights.h5"])
def test_a_trained_network_is_read_whatever_the_form(name: str, saved: tuple[Path, np.ndarray, np.ndarray]) -> None:
    folder, pixels, expected = saved
    model = fresh()
    read_keras(folder / name, model, "mobilenet", "small")
    assert_the_same(model, pixels, expected, "mobilenet", "small")


def test_a_run_is_pulled_of_them(saved: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    folder, pixels, expected = saved
    asked: dict[str, Any] = {"classes": CLASSES, "image_size": SIDE, "file": folder / "x.keras", "tag": "imagenet"}
    pulled = pull("mobilenet", size="small", origin="keras", out=tmp_path / "run", **asked)
    weights = run.read_finished(pulled).weights
    assert weights is not None
    assert (weights.source, weights.repository, weights.license) == ("keras", None, "Apache-2.0")
    scale, offset = run.read_finished(pulled).model.preprocessing.scale_and_offset()
    answer = zoo.load(pulled)(pixels * scale + offset, training=False).numpy()
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.fixture(scope="module")
def model() -> Any:
    """A network that a refused file must not change."""
    return fresh()


def refused(path: Path, model: Any, family: str = "mobilenet", size: str = "small", **arguments: Any) -> str:
    """The error for a file that is not read, which must leave the network as it was."""
    before = {name: variable.numpy() for name, variable in weights(model).items()}
    with pytest.raises(ZooError) as said:
        read_keras(path, model, family, size, **arguments)
    assert all((before[name] == np.asarray(variable)).all() for name, variable in weights(model).items())
    assert "\n" not in str(said.value)
    return str(said.value)


def test_keras_older_format_is_refused_with_what_to_do(saved: tuple[Path, np.ndarray, np.ndarray], model: Any) -> None:
    said = refused(saved[0] / "old.h5", model)
    assert "keras.applications.MobileNetV3Small(weights='old.h5').save_weights('old.weights.h5')" in said


@pytest.mark.parametrize("name", ["old.weights.h5", "old.keras"])
def test_a_file_of_the_older_format_that_keras_would_not_read_is_renamed_first(
    name: str, saved: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path, model: Any
) -> None:
    """Keras decides by the name how it reads a file."""
    old = Path(shutil.copy(saved[0] / "old.h5", tmp_path / name))
    said = refused(old, model)
    assert "rename it to old.h5; then, in Keras, keras.applications.MobileNetV3Small(weights='old.h5')" in said
    assert ".save_weights('old.weights.h5') writes what zoo reads" in said


def test_all_that_does_not_fit_is_said(saved: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path, model: Any) -> None:
    path = shutil.copy(saved[0] / "x.weights.h5", tmp_path / "x.weights.h5")
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = np.zeros((5, 5, 3, 16), np.float32)
        del file["layers/batch_normalization/vars/3"]
        file["layers/extra/vars/0"] = np.zeros(3, np.float32)
        file["layers/extra/vars"].attrs["name"] = "extra"
    said = refused(Path(path), model)
    for part in (
        "missing: stem_norm/moving_variance",
        "left over: extra/0",
        "conv/kernel is [5, 5, 3, 16], not [3, 3, 3, 16]",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("place", "value", "part"),
    [
        ("conv2d/vars/0", np.nan, "stem/kernel has 1 of 432 numbers that are not finite"),
        ("batch_normalization/vars/2", np.inf, "stem_norm/moving_mean has 1 of 16 numbers that are not finite"),
        ("batch_normalization/vars/3", -1.0, "stem_norm/moving_variance is a variance and has 1 of 16 numbers below 0"),
    ],
)
def test_numbers_that_no_network_has_are_refused(
    place: str, value: float, part: str, saved: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path, model: Any
) -> None:
    path = shutil.copy(saved[0] / "x.weights.h5", tmp_path / "x.weights.h5")
    with h5py.File(path, "r+") as file:
        array = file[f"layers/{place}"]
        values = array[()]
        values.flat[0] = value
        array[...] = values
    assert part in refused(Path(path), model)


def test_the_network_that_would_fit_is_named(saved: tuple[Path, np.ndarray, np.ndarray]) -> None:
    path = saved[0] / "x.keras"
    assert "it fits mobilenet small (" in refused(path, fresh(size="large"), "mobilenet", "large")
    assert "it fits mobilenet small (" in refused(path, fresh("efficientnet"), "efficientnet")
    assert "number of classes" in refused(path, fresh(classes=7))


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels_take_adapted_weights(channels: int, saved: tuple[Path, np.ndarray, np.ndarray]) -> None:
    three, other = fresh(), fresh(input_shape=(SIDE, SIDE, channels))
    read_keras(saved[0] / "x.keras", three, "mobilenet", "small")
    reading = read_keras(saved[0] / "x.keras", other, "mobilenet", "small")
    assert f"weights for 3 channels adapted to {channels}" in reading.adapted
    kernels = [np.asarray(weights(model)["stem/kernel"]) for model in (three, other)]
    expected = kernels[0].sum(2, keepdims=True) if channels == 1 else kernels[0][:, :, [0, 1, 2, 0]] * 0.75
    np.testing.assert_allclose(kernels[1], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("side", [96, 224])
def test_mobilenet_at_an_even_side_is_another_network(side: int, saved: tuple[Path, np.ndarray, np.ndarray]) -> None:
    assert "ask for 225 pixels" in refused(saved[0] / "x.keras", fresh(input_shape=(side, side, 3)))


def test_what_keras_lacks_is_said(tmp_path: Path, model: Any) -> None:
    lacking = [(family.name, row.name) for family, row in matching() if "keras" not in row.weights]
    assert ("resnet", "34") in lacking
    for family, size in lacking:
        with pytest.raises(ZooError, match=f"no weights for {family} {size} .*take timm's"):
            read_keras(tmp_path / "x.keras", model, family, size)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"no weights at all"])
def test_what_is_no_file_of_keras_is_refused(content: bytes, tmp_path: Path, model: Any) -> None:
    (tmp_path / "x.keras").write_bytes(content)
    assert str(tmp_path) in refused(tmp_path / "x.keras", model)
    assert "there is no file" in refused(tmp_path / "none.keras", model)


def hdf5(path: Path, fill: Any) -> Path:
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def stored(file: Any, name: str = "conv") -> Any:
    group = file.create_group("layers/conv2d/vars")
    group.attrs["name"] = name
    return group


def something_else(file: Any) -> None:
    file["measurements"] = np.zeros(5)


def an_array_for_layers(file: Any) -> None:
    file["layers"] = np.zeros(5)


def link_outside(file: Any) -> None:
    stored(file)["0"] = h5py.ExternalLink("/etc/passwd", "/")


def link_inside(file: Any) -> None:
    stored(file)["0"] = h5py.SoftLink("/elsewhere")


def data_outside(file: Any) -> None:
    stored(file).create_dataset("0", (3, 3, 3, 16), "f4", external=[("/etc/passwd", 0, 1728)])


def views(file: Any) -> None:
    layout = h5py.VirtualLayout((3, 3, 3, 16), "f4")
    stored(file).create_virtual_dataset("0", layout)


def promises(file: Any) -> None:
    stored(file).create_dataset("0", (2**40,), "f4")


def bomb(file: Any) -> None:
    stored(file).create_dataset("0", (2**34,), "f4", chunks=(2**28,), compression="gzip")


def circle(file: Any) -> None:
    stored(file)
    for number in range(20):
        file["layers"][f"again_{number}"] = file["layers"]


def a_group_for_an_array(file: Any) -> None:
    stored(file).create_group("0")


def no_names(file: Any) -> None:
    file["layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 16), np.float32)


HOSTILE = [
    something_else,
    an_array_for_layers,
    link_outside,
    link_inside,
    data_outside,
    views,
    promises,
    bomb,
    circle,
    a_group_for_an_array,
    no_names,
]


@pytest.mark.parametrize("fill", HOSTILE, ids=lambda fill: fill.__name__)
def test_hdf5_that_keras_does_not_write_is_refused(fill: Any, tmp_path: Path, model: Any) -> None:
    assert "missing" not in refused(hdf5(tmp_path / "x.weights.h5", fill), model)


def test_no_code_in_a_file_runs(saved: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    """The file has a configuration that would run code, and weights; zoo reads only the weights."""
    trap = str(tmp_path / "trap")
    code = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: Path(trap).write_bytes(b"") or x)])
    assert Path(trap).exists()
    Path(trap).unlink()
    code.save(tmp_path / "lambda.keras")

    refused(tmp_path / "lambda.keras", fresh())
    with (
        zipfile.ZipFile(saved[0] / "x.keras") as right,
        zipfile.ZipFile(tmp_path / "lambda.keras") as wrong,
        zipfile.ZipFile(tmp_path / "both.keras", "w") as both,
    ):
        both.writestr("config.json", wrong.read("config.json"))
        both.writestr("model.weights.h5", right.read("model.weights.h5"))
    model = fresh()
    read_keras(tmp_path / "both.keras", model, "mobilenet", "small")

    assert not Path(trap).exists()
    assert_the_same(model, saved[1], saved[2], "mobilenet", "small")


@pytest.mark.parametrize(
    ("compression", "name", "said"),
    [
        (zipfile.ZIP_DEFLATED, "model.weights.h5", "compressed"),
        (zipfile.ZIP_STORED, "other", "holds no model.weights.h5"),
    ],
)
def test_archives_that_keras_does_not_write_are_refused(
    compression: int, name: str, said: str, saved: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path, model: Any
) -> None:
    with zipfile.ZipFile(tmp_path / "x.keras", "w", compression) as archive:
        archive.write(saved[0] / "x.weights.h5", name)
    assert said in refused(tmp_path / "x.keras", model)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("tiny") / "x.weights.h5"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="first"), keras.layers.Dense(1)]).save_weights(path)
    return path, path.read_bytes()


@settings(max_examples=500)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject, tiny: tuple[Path, bytes]) -> None:
    path, content = tiny
    changed = bytearray(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    with contextlib.suppress(ZooError), opened(path, "") as layers:
        for array in (array for layer in layers for array in layer.arrays):
            assert array.nbytes <= len(content)
            array[()]
