"""The family wav2vec2: its network, the reading of transformers' weights, and its ONNX graph."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import save_file

import zoo
from benchmarks.peers.export_zoo_wav2vec2 import write
from zoo import complexity
from zoo.errors import ZooError
from zoo.export.onnx.expected_transposes import expected_transposes
from zoo.export.onnx.lint import node_counts
from zoo.inputs.audio import data
from zoo.inputs.audio.preprocessing import AudioPreprocessing
from zoo.models.wav2vec2.frames import FEWEST_SAMPLES, frame_count
from zoo.models.wav2vec2.network import GroupedConvolution, Head, Norm, TimeNormalization, build
from zoo.models.wav2vec2.reader import builder_options, fold_weight_norm, read, read_wav2vec2
from zoo.models.wav2vec2.sizes import OPTIONS
from zoo.weights.transformers_reader import Checkpoint
from zoo.weights_file import weights

RNG = np.random.default_rng(0)
TINY = {"channels": 8, "width": 32, "depth": 1, "heads": 2, "projection": 8}
SAMPLES = 1500


@functools.cache
def network(
    norm: Norm = "group", head: Head = "classes", samples: int | None = SAMPLES, count: int = 5, seed: int = 0
) -> Any:
    """Return a tiny network of random weights; tests share those that they ask for alike."""
    waveform = keras.Input((samples,), name="waveform")
    model = keras.Model(waveform, build(waveform, count, None, norm=norm, head=head, **TINY).logits)
    generator = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(generator.normal(size=variable.shape, scale=0.2))
    return model


def clips(count: int = 2, samples: int = SAMPLES) -> np.ndarray:
    return RNG.standard_normal((count, samples)).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "frames"), [(0, 0), (399, 0), (400, 1), (719, 1), (720, 2), (16_000, 49), (80_000, 249)]
)
def test_frames(samples: int, frames: int) -> None:
    assert frame_count(samples) == frames


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_an_open_length_gives_the_same_answers(norm: Norm) -> None:
    fixed, open_length, x = network(norm), network(norm, samples=None), clips()
    np.testing.assert_allclose(open_length(x, training=False), fixed(x, training=False), rtol=1e-5, atol=1e-6)


def test_a_transcript_has_logits_for_each_frame() -> None:
    assert network(head="transcript").output_shape == (None, frame_count(SAMPLES), 5)
    assert network(head="transcript", samples=None)(clips(3, 800)).shape == (3, 2, 5)


def test_a_clip_without_a_frame_is_refused() -> None:
    with pytest.raises(ZooError, match="399 samples are too short"):
        network(samples=FEWEST_SAMPLES - 1)
    assert network(samples=FEWEST_SAMPLES)(clips(1, FEWEST_SAMPLES)).shape == (1, 5)


def test_layers_have_the_same_names_in_every_network() -> None:
    assert [layer.name for layer in network().layers] == [layer.name for layer in network(seed=1).layers]


def test_time_normalization() -> None:
    x = RNG.normal(size=(2, 50, 3), loc=2, scale=4).astype(np.float32)
    expected = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(TimeNormalization()(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [3, 4])
def test_grouped_convolution(length: int) -> None:
    layer, x = GroupedConvolution(length, 2), RNG.normal(size=(2, 7, 6)).astype(np.float32)
    got = np.asarray(layer(x))
    np.testing.assert_allclose(layer(x, training=True), got, rtol=1e-5, atol=1e-6)
    kernel = np.asarray(layer.kernel)
    padded = np.pad(x, ((0, 0), (length // 2, (length - 1) // 2), (0, 0)))
    for group in range(2):
        part = slice(3 * group, 3 * group + 3)
        windows = np.lib.stride_tricks.sliding_window_view(padded[..., part], length, axis=1)
        expected = np.einsum("bfik,kio->bfo", windows, kernel[..., part])
        np.testing.assert_allclose(got[..., part], expected, rtol=1e-4, atol=1e-5)


def test_groups_of_unequal_size_are_refused() -> None:
    with pytest.raises(ZooError, match="6 channels do not make 4 groups"):
        GroupedConvolution(3, 4)(np.zeros((1, 5, 6), np.float32))


def test_every_weight_is_trained() -> None:
    import tensorflow as tf

    model = network()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(clips(), training=True) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)


def test_multiply_adds() -> None:
    frames, width, channels = frame_count(SAMPLES), TINY["width"], TINY["channels"]
    lengths = [SAMPLES]
    for kernel, stride in ((10, 5), *((3, 2),) * 4, *((2, 2),) * 2):
        lengths.append((lengths[-1] - kernel) // stride + 1)
    expected = lengths[1] * 10 * channels
    expected += sum(
        length * kernel * channels**2 for length, kernel in zip(lengths[2:], (3, 3, 3, 3, 2, 2), strict=True)
    )
    expected += frames * (channels * width + 128 * width * width // 16)
    expected += TINY["depth"] * (frames * 12 * width**2 + 2 * frames**2 * width)
    expected += width * TINY["projection"] + TINY["projection"] * 5
    assert complexity.multiply_adds(network()) == expected


def test_an_open_length_counts_as_frames_of_its_own() -> None:
    fewest = complexity.COUNTED_LENGTH * 320 + 80
    assert (frame_count(fewest - 1), frame_count(fewest)) == (complexity.COUNTED_LENGTH - 1, complexity.COUNTED_LENGTH)
    expected = complexity.multiply_adds(network(head="transcript", samples=fewest))
    assert complexity.multiply_adds(network(head="transcript", samples=None)) == expected


def test_other_tasks_are_refused() -> None:
    with pytest.raises(ZooError, match="wav2vec2 has no network for several"):
        zoo.create("wav2vec2", task="several")


# transformers' names for zoo's layers, as Wav2Vec2ForSequenceClassification and ForCTC of transformers 5.24 have them.
PEERS = {
    "features_norm": "wav2vec2.feature_projection.layer_norm",
    "projection": "wav2vec2.feature_projection.projection",
    "norm": "wav2vec2.encoder.layer_norm",
    "projector": "projector",
    **{f"features{n + 1}": f"wav2vec2.feature_extractor.conv_layers.{n}.conv" for n in range(7)},
    **{f"features{n + 1}_norm": f"wav2vec2.feature_extractor.conv_layers.{n}.layer_norm" for n in range(7)},
    **{
        f"block{b + 1}_{ours}": f"wav2vec2.encoder.layers.{b}.{theirs}"
        for b in range(TINY["depth"])
        for ours, theirs in {
            "queries": "attention.q_proj",
            "keys": "attention.k_proj",
            "values": "attention.v_proj",
            "attended": "attention.out_proj",
            "norm1": "layer_norm",
            "widen": "feed_forward.intermediate_dense",
            "narrow": "feed_forward.output_dense",
            "norm2": "final_layer_norm",
        }.items()
    },
}
POSITIONS = "wav2vec2.encoder.pos_conv_embed.conv"


def peer_file(path: Path, model: Any, scheme: str = "original") -> dict[str, np.ndarray]:
    """Write a network's weights with transformers' names and PyTorch's axes, and return them."""
    arrays: dict[str, np.ndarray] = {"wav2vec2.masked_spec_embed": np.ones(4, np.float32)}
    head = "classifier" if "projector" in {layer.name for layer in model.layers} else "lm_head"
    for key, variable in weights(model).items():
        layer, _, kind = key.partition("/")
        array = np.asarray(variable)
        last = "weight" if kind in ("kernel", "gamma") else "bias"
        array = np.ascontiguousarray(array.T)
        if layer == "positions" and last == "weight":
            lengths = np.sqrt((array**2).sum((0, 1), keepdims=True))
            names = {"original": ("parametrizations.weight.original0", "parametrizations.weight.original1")}
            length, direction = names.get(scheme, ("weight_g", "weight_v"))
            arrays[f"{POSITIONS}.{length}"], arrays[f"{POSITIONS}.{direction}"] = lengths, 3 * array
        else:
            number, first = re.sub(r"^block(\d+)_.*|.*", r"\1", layer, count=1), re.sub(r"^block\d+", "block1", layer)
            module = {"positions": POSITIONS, "logits": head}.get(layer) or PEERS[first]
            module = module.replace("layers.0.", f"layers.{int(number or 1) - 1}.")
            arrays[f"{module}.{last}"] = array
    save_file(arrays, path)
    return arrays


@pytest.mark.parametrize("scheme", ["original", "g_and_v"])
@pytest.mark.parametrize(("norm", "head"), [("group", "classes"), ("layer", "transcript")])
def test_reading(norm: Norm, head: Head, scheme: str, tmp_path: Path) -> None:
    source, target, x = network(norm, head), network.__wrapped__(norm, head, seed=1), clips()
    peer_file(tmp_path / "model.safetensors", source, scheme)
    reading = read_wav2vec2(tmp_path / "model.safetensors", target)
    np.testing.assert_allclose(target(x, training=False), source(x, training=False), rtol=1e-4, atol=1e-5)
    assert reading.unused == ("wav2vec2.masked_spec_embed",)
    assert reading.remarks == ()


def test_wrappers_prefixes_are_left_out_with_a_remark(tmp_path: Path) -> None:
    source, target = network(), network.__wrapped__(seed=1)
    arrays = peer_file(tmp_path / "source.safetensors", source)
    wrapped = {f"module.{name}": array for name, array in arrays.items()}
    save_file({**wrapped, "n_averaged": np.array(3)}, tmp_path / "x.safetensors")
    reading = read_wav2vec2(tmp_path / "x.safetensors", target)
    assert reading.remarks == ("all names in x.safetensors begin with 'module.', which is left out",)
    for name, variable in weights(target).items():
        np.testing.assert_allclose(variable, weights(source)[name], rtol=1e-5, atol=1e-6)


def test_a_kernel_without_length_stays_zero() -> None:
    folded = fold_weight_norm(
        {"c.weight_g": np.ones((1, 1, 2)), "c.weight_v": np.zeros((3, 4, 2)), "c.bias": np.ones(3)}
    )
    assert set(folded) == {"c.weight", "c.bias"}
    assert not folded["c.weight"].any()


def test_a_pretrained_network_leaves_the_head_as_it_is(tmp_path: Path) -> None:
    source, target = network(), network.__wrapped__(count=7)
    arrays = peer_file(tmp_path / "source.safetensors", source)
    kept = {
        name.removeprefix("wav2vec2."): array
        for name, array in arrays.items()
        if not name.startswith(("projector", "classifier"))
    }
    save_file({**kept, "quantizer.codevectors": np.ones(3, np.float32)}, tmp_path / "headless.safetensors")
    before = np.asarray(weights(target)["logits/kernel"])
    reading = read_wav2vec2(tmp_path / "headless.safetensors", target)
    assert reading.remarks == ("headless.safetensors has no head: that of the network starts fresh",)
    np.testing.assert_array_equal(weights(target)["logits/kernel"], before)
    np.testing.assert_array_equal(weights(target)["projection/bias"], weights(source)["projection/bias"])


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("other head", r"missing: projector/bias, projector/kernel; .*lm_head.weight is \[32, 5\], not \[8, 5\]"),
        ("missing", r"\(missing: norm/beta\)"),
        ("left over", r"\(left over: wav2vec2.adapter.proj.weight\)"),
        ("classes", r"of another shape: .*classifier.bias is \[5\], not \[4\]"),
        ("not finite", "wav2vec2.encoder.layer_norm.bias has 32 of 32 numbers that are not finite"),
        ("no file", "there is no file"),
        ("no tensors", "cannot be read as a safetensors file"),
    ],
)
def test_a_file_that_does_not_fit_leaves_the_network_as_it_was(case: str, reason: str, tmp_path: Path) -> None:
    source, target, path = (
        network(),
        network(count=4 if case == "classes" else 5, seed=1),
        tmp_path / "model.safetensors",
    )
    if case == "other head":
        source = network(head="transcript")
    arrays = peer_file(path, source)
    if case == "missing":
        del arrays["wav2vec2.encoder.layer_norm.bias"]
    if case == "left over":
        arrays["wav2vec2.adapter.proj.weight"] = np.ones(2, np.float32)
    if case == "not finite":
        arrays["wav2vec2.encoder.layer_norm.bias"] *= np.nan
    save_file(arrays, path)
    if case == "no file":
        path.unlink()
    if case == "no tensors":
        path.write_bytes(b"nothing")
    before = [np.asarray(variable) for variable in target.weights]
    with pytest.raises(ZooError, match=reason):
        read_wav2vec2(path, target)
    for variable, array in zip(target.weights, before, strict=True):
        np.testing.assert_array_equal(variable, array)


BASE_CONFIG = {"model_type": "wav2vec2", "architectures": ["Wav2Vec2ForCTC"], "conv_dim": [512] * 7}
LARGE_CONFIG = {
    **BASE_CONFIG,
    "architectures": ["Wav2Vec2ForPreTraining"],
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
}


@pytest.mark.parametrize(
    ("size", "head", "config"), [("base", "transcript", BASE_CONFIG), ("large", "classes", LARGE_CONFIG)]
)
def test_options_from_a_configuration(size: str, head: str, config: dict[str, Any]) -> None:
    assert builder_options(config) == {**OPTIONS[size], "head": head, "projection": 256}


def test_the_size_that_a_folder_fits_is_named(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"width 1024, not 768; .*\): it fits wav2vec2 large$"):
        read(Checkpoint(tmp_path, LARGE_CONFIG), None, OPTIONS["base"])
    with pytest.raises(ZooError, match=r"\(depth 7, not 12\): it fits no network that zoo knows$"):
        read(Checkpoint(tmp_path, {**BASE_CONFIG, "num_hidden_layers": 7}), None, OPTIONS["base"])


@pytest.mark.parametrize(
    "changed",
    [
        {"model_type": "hubert"},
        {"hidden_act": "relu"},
        {"do_stable_layer_norm": True},
        {"conv_dim": [512, 512, 256, 512, 512, 512, 512]},
        {"add_adapter": True},
        {"intermediate_size": 1000},
    ],
)
def test_other_configurations_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ZooError, match=next(iter(changed))):
        builder_options(BASE_CONFIG | changed)


@pytest.mark.parametrize(("norm", "samples"), [("group", SAMPLES), ("layer", SAMPLES), ("group", None)])
def test_the_onnx_graph(norm: Norm, samples: int | None, tmp_path: Path) -> None:
    model, x = network(norm, samples=samples), clips()
    proto = write(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (got,) = session.run(["logits"], {"waveform": x})
    np.testing.assert_allclose(got, model(x, training=False), rtol=1e-4, atol=1e-5)
    nodes = node_counts(proto)
    assert nodes["Transpose"] == expected_transposes(model)
    assert nodes["Conv"] == 8
    assert nodes["Gelu"] == 8 + TINY["depth"]
    assert nodes["LayerNormalization"] == 2 + 2 * TINY["depth"] + (7 if norm == "layer" else 0)
    assert nodes.get("InstanceNormalization", 0) == (norm == "group")
    assert nodes["Unsqueeze"] == 1
    assert not {"Squeeze", "ReduceSum", "Erf", "Pow"} & nodes.keys()


SMALL = {
    "model_type": "wav2vec2",
    "architectures": ["Wav2Vec2ForSequenceClassification"],
    "id2label": {"0": "no", "1": "yes"},
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "intermediate_size": 1536,
    "conv_dim": [256] * 7,
}


def test_a_folder_of_transformers_is_pulled(tmp_path: Path) -> None:
    waveform = keras.Input((16_000,), name="waveform")
    model = keras.Model(waveform, build(waveform, 2, None, **OPTIONS["small"]).logits)
    folder = tmp_path / "theirs"
    folder.mkdir()
    peer_file(folder / "model.safetensors", model)
    (folder / "config.json").write_text(json.dumps(SMALL))

    def pull(size: str = "small") -> Any:
        return zoo.pull("wav2vec2", size=size, from_="transformers", file=folder, license="MIT", out=tmp_path / "run")

    with pytest.raises(ZooError, match=r"preprocessor_config\.json, which says how clips are prepared"):
        pull()
    stated = {"sampling_rate": 16_000, "feature_size": 1, "do_normalize": True}
    # transformers 5 writes the feature extractor of a processor into another file.
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": stated}))
    assert data.published(folder, "classes") == AudioPreprocessing(front="waveform", clip_norm=True)
    (folder / "processor_config.json").unlink()
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    assert data.published(folder, "classes", 2.5).samples == 40_000
    for seconds, task, reason in ((0.01, "classes", "from 0.1 to 30"), (2, "transcript", "leave --seconds out")):
        with pytest.raises(ZooError, match=reason):
            data.published(folder, task, seconds)
    with pytest.raises(ZooError, match="channels 256, not 512"):
        pull("base")
    made = pull().run
    assert made.model.labels == ("no", "yes")
    assert made.model.preprocessing == AudioPreprocessing(front="waveform", clip_norm=True)
    x = clips(1, 16_000)
    pulled = zoo.load(tmp_path / "run")
    np.testing.assert_allclose(pulled(x, training=False), model(x, training=False), rtol=1e-4, atol=1e-5)
