"""Reading weights in timm's format; the conformance tests check timm's names for every family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import zoo
from tests.weights.published import TABLE, shapes, zeros_file
from zoo.errors import ZooError
from zoo.registry import resolve
from zoo.weights.names import translated
from zoo.weights.timm_reader import read_timm
from zoo.weights_file import weights


def file_of(path: Path, named: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {name: rng.random(shape, np.float32) for name, shape in named.items()}
    save_file(arrays, path)
    return arrays


def narrow(peer: str = "mobilenetv3_small_100") -> tuple[dict[str, tuple[int, ...]], Any]:
    """The peer with the fewest weights, and zoo's network of it."""
    row = TABLE[peer]
    return shapes(peer), zoo.create(row["family"], size=row["size"])


def test_kernels_are_transposed(tmp_path: Path) -> None:
    named, model = narrow()
    arrays = file_of(tmp_path / "x.safetensors", named)

    read_timm(tmp_path / "x.safetensors", model, "mobilenet", "small")

    read = weights(model)
    ordinary, depthwise = arrays["conv_stem.weight"], arrays["blocks.0.0.conv_dw.weight"]
    np.testing.assert_array_equal(read["stem/kernel"], ordinary.transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(read["stage1_block1_depthwise/kernel"], depthwise.transpose(2, 3, 0, 1))
    np.testing.assert_array_equal(read["logits/kernel"], arrays["classifier.weight"].T)
    np.testing.assert_array_equal(read["stem_norm/moving_variance"], arrays["bn1.running_var"])


def test_a_file_that_does_not_fit_says_all_that_is_wrong_and_touches_nothing(tmp_path: Path) -> None:
    named, model = narrow()
    del named["conv_head.bias"]
    named["conv_stem.weight"] = (16, 3, 5, 5)
    named["extra.weight"] = (1,)
    file_of(tmp_path / "x.safetensors", named)
    before = {name: variable.numpy() for name, variable in weights(model).items()}

    with pytest.raises(ZooError) as said:
        read_timm(tmp_path / "x.safetensors", model, "mobilenet", "small")

    for part in (
        "missing: head/bias",
        "left over: extra.weight",
        "conv_stem.weight is [5, 5, 3, 16], not [3, 3, 3, 16]",
    ):
        assert part in str(said.value)
    assert all((before[name] == np.asarray(variable)).all() for name, variable in weights(model).items())


@pytest.mark.parametrize(
    ("peer", "family", "size"),
    [("vit_small_patch16_224", "mobilenet", "small"), ("mobilenetv3_small_100", "mobilenet", "large")],
)
def test_the_network_that_would_fit_is_named(peer: str, family: str, size: str, tmp_path: Path) -> None:
    zeros_file(tmp_path / "x.safetensors", shapes(peer))
    with pytest.raises(ZooError, match=f"it fits {TABLE[peer]['family']} {TABLE[peer]['size']} \\("):
        read_timm(tmp_path / "x.safetensors", zoo.create(family, size=size), family, size)


def test_other_classes_are_refused(tmp_path: Path) -> None:
    named, _ = narrow()
    file_of(tmp_path / "x.safetensors", named)
    model = zoo.create("mobilenet", classes=7)

    with pytest.raises(ZooError, match="it has 1000 classes, not 7: pull it with --classes 1000"):
        read_timm(tmp_path / "x.safetensors", model, "mobilenet", "small")


def test_a_file_without_a_head_is_refused(tmp_path: Path) -> None:
    named = {name: shape for name, shape in shapes("vit_small_patch16_224").items() if not name.startswith("head.")}
    zeros_file(tmp_path / "x.safetensors", named)
    with pytest.raises(ZooError, match="it has no head for classes, and zoo reads only files with one"):
        read_timm(tmp_path / "x.safetensors", zoo.create("vit"), "vit", "small")


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_channels_take_adapted_weights(channels: int, tmp_path: Path) -> None:
    named, _ = narrow()
    arrays = file_of(tmp_path / "x.safetensors", named)
    model = zoo.create("mobilenet", input_shape=(64, 64, channels))
    reading = read_timm(tmp_path / "x.safetensors", model, "mobilenet", "small")

    kernel = np.asarray(weights(model)["stem/kernel"])
    assert len(reading.adapted) == 1
    given = arrays["conv_stem.weight"].transpose(2, 3, 1, 0)
    expected = given.sum(2, keepdims=True) if channels == 1 else given[:, :, [0, 1, 2, 0][:channels]] * (3 / channels)
    np.testing.assert_allclose(kernel, expected, rtol=1e-6)


def test_positions_are_resampled_as_timm_does_it(tmp_path: Path) -> None:
    reference = np.load(Path(__file__).parent / "positions.npz", allow_pickle=False)
    model = zoo.create("vit", input_shape=(96, 144, 3))
    named = shapes("vit_small_patch16_224")
    arrays = {name: np.zeros(shape, np.float32) for name, shape in named.items()}
    arrays["pos_embed"][..., :4] = reference["at_224"]
    save_file(arrays, tmp_path / "x.safetensors")

    reading = read_timm(tmp_path / "x.safetensors", model, "vit", "small")

    assert "(14, 14) to (6, 9)" in reading.adapted[0]
    np.testing.assert_allclose(weights(model)["tokens/positions"][..., :4], reference["at_96_by_144"], atol=1e-5)


@pytest.mark.parametrize("shape", [(192,), (1, 192), (1, 82, 100), (2, 82, 192), (1, 83, 192)])
def test_positions_that_cannot_be_resampled_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    model = zoo.create("vit", size="tiny")
    zeros_file(tmp_path / "x.safetensors", {**shapes("vit_tiny_patch16_224"), "pos_embed": shape})
    with pytest.raises(ZooError, match=r"of another shape: pos_embed is"):
        read_timm(tmp_path / "x.safetensors", model, "vit", "tiny")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read as a safetensors file"),
        (b"\x08\0\0\0\0\0\0\0{}      ", "does not fit mobilenet small: it fits no network that zoo knows"),
        (b"no weights at all", "cannot be read as a safetensors file"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    _, model = narrow()
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ZooError, match=reason):
        read_timm(tmp_path / "x.safetensors", model, "mobilenet", "small")


def test_half_precision_is_read(tmp_path: Path) -> None:
    named, model = narrow()
    save_file({name: np.full(shape, 0.5, np.float16) for name, shape in named.items()}, tmp_path / "x.safetensors")
    read_timm(tmp_path / "x.safetensors", model, "mobilenet", "small")
    assert (np.asarray(weights(model)["stem/kernel"]) == 0.5).all()


def test_what_inception_v3_uses_in_training_only_is_named() -> None:
    names = resolve("inception", "small")[1].weights["timm"].names
    assert translated("AuxLogits.conv0.conv", names) is None
    assert translated("AuxLogits.fc", names) is None
