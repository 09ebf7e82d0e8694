"""The publishers' names in the Inception networks."""

from __future__ import annotations

from zoo.weights.names import Names


def _with_norms(names: Names) -> Names:
    """Return rows for timm's blocks of a convolution (`conv`) and its norm (`bn`)."""
    convolutions = {f"{timm_name}.conv": zoo_name for timm_name, zoo_name in names.items()}
    return {**convolutions, **{f"{timm_name}.bn": f"{zoo_name}_norm" for timm_name, zoo_name in names.items()}}


TIMM_V3: Names = {
    **_with_norms(
        {
            "Conv2d_{n}_{k}": "conv{n}",
            "Mixed_{m}.branch_pool": "mixed{m}_pool_2",
            "Mixed_{m}.branch{b}_{n}": "mixed{m}_{b}_{n}",
            "Mixed_{m}.branch{b}": "mixed{m}_{b}_1",
        }
    ),
    "fc": "logits",
    # The auxiliary classifier, which only training uses.
    "AuxLogits.fc": None,
    "AuxLogits.{n}.conv": None,
    "AuxLogits.{n}.bn": None,
}

TIMM_V4: Names = {
    **_with_norms(
        {
            "features.0": "conv1a",
            "features.1": "conv2a",
            "features.2": "conv2b",
            "features.{m}.conv": "mixed{m}_conv_1",
            "features.{m}.branch{b}_{n}": "mixed{m}_branch{b}_{n+1}",
            "features.{m}.branch{b}.{n}": "mixed{m}_branch{b}_{n+1}",
            "features.{m}.branch{b}": "mixed{m}_branch{b}_1",
        }
    ),
    "last_linear": "logits",
}

TIMM_RESNET_V2: Names = {
    **_with_norms(
        {
            "conv2d_{n}": "conv{n}",
            "mixed_{m}.branch{b}.{n}": "mixed{m}_branch{b}_{n+1}",
            "mixed_{m}.branch{b}": "mixed{m}_branch{b}_1",
            "repeat.{r}.branch{b}.{n}": "block35_{r+1}_branch{b}_{n+1}",
            "repeat.{r}.branch{b}": "block35_{r+1}_branch{b}_1",
            "repeat_1.{r}.branch{b}.{n}": "block17_{r+1}_branch{b}_{n+1}",
            "repeat_1.{r}.branch{b}": "block17_{r+1}_branch{b}_1",
            "repeat_2.{r}.branch{b}.{n}": "block8_{r+1}_branch{b}_{n+1}",
            "repeat_2.{r}.branch{b}": "block8_{r+1}_branch{b}_1",
            "block8.branch{b}.{n}": "block8_10_branch{b}_{n+1}",
            "block8.branch{b}": "block8_10_branch{b}_1",
        }
    ),
    "repeat.{r}.conv2d": "block35_{r+1}_join",
    "repeat_1.{r}.conv2d": "block17_{r+1}_join",
    "repeat_2.{r}.conv2d": "block8_{r+1}_join",
    "block8.conv2d": "block8_10_join",
    "classif": "logits",
}


def _keras_resnet_v2() -> Names:
    """Return the table for Keras, which numbers most layers from 0 in the order in which they are built."""
    block35 = "branch0_1 branch1_1 branch1_2 branch2_1 branch2_2 branch2_3"
    block17 = block8 = "branch0_1 branch1_1 branch1_2 branch1_3"
    mixed = {
        "mixed5b": "branch0_1 branch1_1 branch1_2 branch2_1 branch2_2 branch2_3 branch3_2",
        **{f"block35_{number}": block35 for number in range(1, 11)},
        "mixed6a": "branch0_1 branch1_1 branch1_2 branch1_3",
        **{f"block17_{number}": block17 for number in range(1, 21)},
        "mixed7a": "branch0_1 branch0_2 branch1_1 branch1_2 branch2_1 branch2_2 branch2_3",
        **{f"block8_{number}": block8 for number in range(1, 11)},
    }
    branches = [f"{part}_{branch}" for part, suffixes in mixed.items() for branch in suffixes.split()]
    built = ["conv1a", "conv2a", "conv2b", "conv3b", "conv4a", *branches]
    return {
        **{f"conv2d_{number}": name for number, name in enumerate(built)},
        **{f"batch_normalization_{number}": f"{name}_norm" for number, name in enumerate(built)},
        "block35_{n}_conv": "block35_{n}_join",
        "block17_{n}_conv": "block17_{n}_join",
        "block8_{n}_conv": "block8_{n}_join",
        "conv_7b": "conv7b",
        "conv_7b_bn": "conv7b_norm",
        "predictions": "logits",
    }


KERAS_RESNET_V2 = _keras_resnet_v2()
