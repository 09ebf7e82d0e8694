"""Reading of transformers' Wav2Vec 2.0 weights: all of them fit, or the network stays as it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.models.wav2vec2.frames import CONVOLUTIONS
from zoo.models.wav2vec2.sizes import OPTIONS
from zoo.weights.names import Names, translated
from zoo.weights.pytorch_layout import variable_of
from zoo.weights.reading import Reading, unwrapped
from zoo.weights.transformers_reader import Checkpoint, task_of
from zoo.weights_file import floats, misfit, refuse_unsound, unsound, weights

PREFIX = "wav2vec2."
"""The beginning of the names of all but the head, where a file has a head."""

NAMES: Names = {
    "masked_spec_embed": None,
    "quantizer.codevectors": None,
    "quantizer.weight_proj": None,
    "project_q": None,
    "project_hid": None,
    "feature_extractor.conv_layers.{n}.conv": "features{n+1}",
    "feature_extractor.conv_layers.{n}.layer_norm": "features{n+1}_norm",
    "feature_projection.layer_norm": "features_norm",
    "feature_projection.projection": "projection",
    "encoder.pos_conv_embed.conv": "positions",
    "encoder.layer_norm": "norm",
    "encoder.layers.{b}.attention.q_proj": "block{b+1}_queries",
    "encoder.layers.{b}.attention.k_proj": "block{b+1}_keys",
    "encoder.layers.{b}.attention.v_proj": "block{b+1}_values",
    "encoder.layers.{b}.attention.out_proj": "block{b+1}_attended",
    "encoder.layers.{b}.layer_norm": "block{b+1}_norm1",
    "encoder.layers.{b}.feed_forward.intermediate_dense": "block{b+1}_widen",
    "encoder.layers.{b}.feed_forward.output_dense": "block{b+1}_narrow",
    "encoder.layers.{b}.final_layer_norm": "block{b+1}_norm2",
    "projector": "projector",
    "classifier": "logits",
    "lm_head": "logits",
}
"""From the layers of transformers' Wav2Vec2ForSequenceClassification, ForCTC and ForPreTraining to zoo's."""

HEAD = ("projector", "logits")
"""The layers that a file of a pretrained network lacks."""

WEIGHT_NORMS = {".weight_g": ".weight_v", ".parametrizations.weight.original0": ".parametrizations.weight.original1"}
"""The endings of the lengths and the directions of a kernel under weight norm, as PyTorch named them before 2.0 and
since."""


def builder_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `zoo.models.wav2vec2.network.build` for a `config.json` of transformers.

    Raises:
        ZooError: it describes a network that the builder does not make.
    """
    width, channels = config.get("hidden_size", 768), config.get("conv_dim", [512])
    # The builder has one norm for the convolutions and the transformer, as all published networks do.
    norm = config.get("feat_extract_norm", "group")
    expected = {
        "model_type": "wav2vec2",
        "conv_kernel": [kernel for kernel, _ in CONVOLUTIONS],
        "conv_stride": [stride for _, stride in CONVOLUTIONS],
        "conv_dim": [channels[0]] * len(CONVOLUTIONS),
        "conv_bias": norm == "layer",
        "do_stable_layer_norm": norm == "layer",
        "feat_extract_activation": "gelu",
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "intermediate_size": 4 * width,
        "num_conv_pos_embeddings": 128,
        "num_conv_pos_embedding_groups": 16,
        "add_adapter": False,
        "adapter_attn_dim": None,
        "use_weighted_layer_sum": False,
    }
    wrong = [f"{key} {config[key]}, not {value}" for key, value in expected.items() if config.get(key, value) != value]
    if wrong:
        raise ZooError(
            f"the config.json describes a network that zoo's wav2vec2 cannot build: {'; '.join(wrong)}: name another"
        )
    return {
        "channels": channels[0],
        "width": width,
        "depth": config.get("num_hidden_layers", 12),
        "heads": config.get("num_attention_heads", 12),
        "norm": norm,
        "head": task_of(config),
        "projection": config.get("classifier_proj_size", 256),
    }


def read(checkpoint: Checkpoint, model: Any, options: Mapping[str, Any]) -> Reading:
    """Give a network, made with the builder's `options` and the folder's head, the weights of a folder of transformers.

    Raises:
        ZooError: as `builder_options` and `read_wav2vec2`, or the folder is of a network of another size,
            which the message names.
    """
    folder_options = builder_options(checkpoint.config)
    wrong = _differences(folder_options, options)
    if wrong:
        fitting_sizes = [size for size, row in OPTIONS.items() if not _differences(folder_options, row)]
        advice = f"it fits wav2vec2 {fitting_sizes[0]}" if fitting_sizes else "it fits no network that zoo knows"
        raise ZooError(f"{checkpoint.folder} is of another wav2vec2 ({'; '.join(wrong)}): {advice}")
    return read_wav2vec2(checkpoint.weights, model)


def _differences(folder_options: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """List the options of a folder's network that are not those of a size."""
    expected = {**({"projection": 256} if folder_options["head"] == "classes" else {}), **options}
    return [
        f"{key} {folder_options[key]}, not {value}" for key, value in expected.items() if folder_options[key] != value
    ]


def read_wav2vec2(path: Path, model: Any) -> Reading:
    """Give a network the weights of a safetensors file of transformers.

    Kernels under weight norm are folded, in both of PyTorch's naming schemes. A prefix of wrappers is left out, see
    `unwrapped`. Where the file has no head, as that of a pretrained network, the network's own head stays, and a remark
    says so.

    Args:
        path: the file.
        model: the network, as `zoo.models.wav2vec2.network.build` makes it.

    Raises:
        ZooError: the file cannot be read, numbers in it are not finite, or it does not fit (the message lists
            everything that is missing, left over or of another shape). The network then keeps its weights.
    """
    arrays, remarks = _arrays(path)
    variables = weights(model)
    layer_classes = {layer.name: type(layer).__name__ for layer in model.layers}
    unused, left_over, misshapen, fitting = [], [], [], {}
    for name, array in arrays.items():
        key, axes = _target(name.removeprefix(PREFIX), layer_classes)
        if key is None:
            unused.append(name)
        elif key not in variables or key in fitting:
            left_over.append(name)
        else:
            transposed = array if axes is None or len(axes) != array.ndim else array.transpose(axes)
            fitting[key] = transposed
            if transposed.shape != tuple(variables[key].shape):
                misshapen.append(f"{name} is {list(transposed.shape)}, not {list(variables[key].shape)}")
    missing = variables.keys() - fitting.keys()
    head = {key for key in variables if key.partition("/")[0] in HEAD}
    headless = head <= missing
    wrong = misfit(sorted(missing - head if headless else missing), left_over, misshapen)
    if wrong:
        raise ZooError(f"{path} does not fit this wav2vec2 ({wrong}): name the size and the head that it is of")
    for key, array in fitting.items():
        variables[key].assign(array)
    if headless:
        remarks += (f"{path.name} has no head: that of the network starts fresh",)
    return Reading(tuple(unused), (), remarks)


def _arrays(path: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Read all tensors of a file as float32, each checked, with kernels under weight norm folded.

    Returns:
        The arrays by name without a prefix of wrappers, and a remark if there is one.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ZooError(f"there is no file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            stripped = unwrapped(file.keys(), _is_known)
            arrays = {name: floats(file, stripped.prefix + name) for name in stripped.names}
    except (SafetensorError, OSError) as error:
        raise ZooError(f"{path} cannot be read as a safetensors file ({error}): fetch it again") from None
    refuse_unsound(filter(None, (unsound(name, array) for name, array in arrays.items())), str(path))
    return fold_weight_norm(arrays), stripped.remarks(path)


def _is_known(name: str) -> bool:
    """Return whether a network has a variable for a tensor of this name."""
    stripped_name = name.removeprefix(PREFIX)
    return _target(stripped_name, {})[0] not in (None, stripped_name)


def fold_weight_norm(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Replace the lengths and directions of kernels under weight norm by the kernels, named `….weight`.

    Along the axes where the lengths have more than one element, each index of the kernel has its own length
    (Salimans & Kingma 2016).
    """
    folded = dict(arrays)
    for name, lengths in arrays.items():
        for length_ending, direction_ending in WEIGHT_NORMS.items():
            stem = name.removesuffix(length_ending)
            if name == stem or stem + direction_ending not in arrays:
                continue
            directions = arrays[stem + direction_ending].astype(np.float64)
            axes = tuple(axis for axis, size in enumerate(lengths.shape) if size == 1)
            norms = np.sqrt((directions**2).sum(axes, keepdims=True))
            # A direction of nothing but zeros has no length.
            kernel = directions * (lengths / np.where(norms == 0, 1, norms))
            del folded[name], folded[stem + direction_ending]
            folded[f"{stem}.weight"] = kernel.astype(np.float32)
    return folded


def _target(name: str, layer_classes: Mapping[str, str]) -> tuple[str | None, tuple[int, ...] | None]:
    """Return `layer/variable` for one of transformers' names, and the order of its axes.

    It is None for a tensor that is not used, and the name itself where no row fits.
    """
    module, _, last = name.rpartition(".")
    for whole in (name, module):
        try:
            layer = translated(whole, NAMES)
        except KeyError:
            continue
        if layer is None:
            return None, None
        variable, axes = variable_of(layer_classes.get(layer, ""), last)
        return f"{layer}/{variable}", axes
    return name, None
