"""The networks of keras.applications that zoo has too: how Keras calls their layers, and what belongs to their weights.

The tables are written as those of `zoo.weights.timm_names`, from the names of Keras 3.15.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.models import mobilenet
from zoo.weights.pretrained import HALF, Input, Triple
from zoo.weights.timm_names import Table

NORM = ("gamma", "beta", "moving_mean", "moving_variance")
"""A batch normalization's variables, in the order in which Keras stores them."""


@dataclass(frozen=True)
class Peer:
    """A network of keras.applications, and what belongs to the weights that Keras publishes for it.

    `network` is the function that builds it, with `alpha` where that is not 1. `license` is that of the weights, None
    where sources differ. `epsilon` and `norm_lacks` say what its batch normalizations are. `bgr`: its first layer sees
    blue first. `pads_one_side`: where it halves a map of even side, it pads below and to the right, zoo all around.
    """

    network: str
    table: Table
    input: Input
    license: str | None
    alpha: float = 1.0
    epsilon: float = 1e-3
    norm_lacks: tuple[str, ...] = ()
    bgr: bool = False
    pads_one_side: bool = False

    def rewriting(self, path: Path) -> str:
        """How to have Keras write an older file anew."""
        alpha = "" if self.alpha == 1 else f"alpha={self.alpha:g}, "
        build = f"keras.applications.{self.network}({alpha}weights='{path.name}')"
        return f"in Keras, {build}.save_weights('{path.stem}.weights.h5') writes what zoo reads"


VGG: Table = {
    "block{s}_conv{n}": "stage{s}_conv{n}",
    "fc{n}": "head{n}",
    "predictions": "logits",
}

CONVNEXT: Table = {
    "convnext_{w}_stem_conv": "stem",
    "convnext_{w}_stem_layernorm": "stem_norm",
    # The first of these leads to the second stage, which Keras calls stage_1.
    **{f"convnext_{{w}}_downsampling_layernorm_{n}": f"stage{n + 2}_downsample_norm" for n in range(3)},
    **{f"convnext_{{w}}_downsampling_conv_{n}": f"stage{n + 2}_downsample" for n in range(3)},
    "convnext_{w}_stage_{s}_block_{b}_depthwise_conv": "stage{s+1}_block{b+1}_depthwise",
    "convnext_{w}_stage_{s}_block_{b}_layernorm": "stage{s+1}_block{b+1}_norm",
    "convnext_{w}_stage_{s}_block_{b}_pointwise_conv_1": "stage{s+1}_block{b+1}_widen",
    "convnext_{w}_stage_{s}_block_{b}_pointwise_conv_2": "stage{s+1}_block{b+1}_narrow",
    "convnext_{w}_stage_{s}_block_{b}_layer_scale": "stage{s+1}_block{b+1}_scale",
    "convnext_{w}_head_layernorm": "head_norm",
    "convnext_{w}_head_dense": "logits",
}


def _fused(stage: int) -> Table:
    """A stage of EfficientNetV2 whose blocks widen by a 3×3 convolution; blocks are lettered."""
    return {
        f"block{stage}{{b}}_expand_conv": f"stage{stage}_block{{b#}}_widen",
        f"block{stage}{{b}}_expand_bn": f"stage{stage}_block{{b#}}_norm1",
        f"block{stage}{{b}}_project_conv": f"stage{stage}_block{{b#}}_narrow",
        f"block{stage}{{b}}_project_bn": f"stage{stage}_block{{b#}}_norm2",
    }


EFFICIENTNET: Table = {
    "stem_conv": "stem",
    "stem_bn": "stem_norm",
    "top_conv": "head",
    "top_bn": "head_norm",
    "block1{b}_project_conv": "stage1_block{b#}_conv",
    "block1{b}_project_bn": "stage1_block{b#}_norm1",
    **_fused(2),
    **_fused(3),
    "block{s}{b}_expand_conv": "stage{s}_block{b#}_pointwise",
    "block{s}{b}_expand_bn": "stage{s}_block{b#}_norm1",
    "block{s}{b}_dwconv2": "stage{s}_block{b#}_depthwise",
    "block{s}{b}_bn": "stage{s}_block{b#}_norm2",
    "block{s}{b}_se_reduce": "stage{s}_block{b#}_squeeze",
    "block{s}{b}_se_expand": "stage{s}_block{b#}_excite",
    "block{s}{b}_project_conv": "stage{s}_block{b#}_narrow",
    "block{s}{b}_project_bn": "stage{s}_block{b#}_norm3",
    "predictions": "logits",
}


def _mobilenet(stages: tuple[tuple[mobilenet.Block, ...], ...]) -> Table:
    """Keras numbers all blocks in one row, the first without a number."""
    blocks = [(s, b) for s, blocks in enumerate(stages, start=1) for b in range(1, len(blocks) + 1)]
    rows: dict[str, str | None] = {
        "expanded_conv_depthwise": "stage1_block1_depthwise",
        "expanded_conv_depthwise_bn": "stage1_block1_norm1",
        "expanded_conv_squeeze_excite_conv": "stage1_block1_squeeze",
        "expanded_conv_squeeze_excite_conv_1": "stage1_block1_excite",
        "expanded_conv_project": "stage1_block1_pointwise",
        "expanded_conv_project_bn": "stage1_block1_norm2",
    }
    for number, (stage, block) in list(enumerate(blocks))[1:]:
        theirs, ours = f"expanded_conv_{number}", f"stage{stage}_block{block}"
        rows |= {
            f"{theirs}_expand": f"{ours}_pointwise",
            f"{theirs}_expand_bn": f"{ours}_norm1",
            f"{theirs}_depthwise": f"{ours}_depthwise",
            f"{theirs}_depthwise_bn": f"{ours}_norm2",
            f"{theirs}_squeeze_excite_conv": f"{ours}_squeeze",
            f"{theirs}_squeeze_excite_conv_1": f"{ours}_excite",
            f"{theirs}_project": f"{ours}_narrow",
            f"{theirs}_project_bn": f"{ours}_norm3",
        }
    last = f"stage{len(stages) + 1}_block1"
    return {
        "conv": "stem",
        "conv_bn": "stem_norm",
        **rows,
        "conv_1": f"{last}_conv",
        "conv_1_bn": f"{last}_norm1",
        "conv_2": "head",
        "logits": "logits",
    }


def _inception_resnet_v2() -> Table:
    """Keras leaves most of these to be numbered in the order in which they are built, from 0: it is this one."""
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
    branches = [f"{part}_{branch}" for part, all_of_it in mixed.items() for branch in all_of_it.split()]
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


_BYTE: Triple = (1 / 255, 1 / 255, 1 / 255)
_MIDDLE: Triple = (128 / 255, 128 / 255, 128 / 255)
# The mean of ImageNet's training images.
_CAFFE: Triple = (123.68 / 255, 116.779 / 255, 103.939 / 255)

# Mean and std are Keras' own (of its preprocess_input, or of a layer inside the network). Of scaling Keras says
# nothing: crops are those with which the weights' makers measured them.


def _inception_input(side: int) -> Input:
    return Input(side, interpolation="bilinear", mean=HALF, std=HALF)


def _vgg(network: str) -> Peer:
    """Measured as in the paper, section 3.2. License: README of github.com/fchollet/deep-learning-models."""
    return Peer(
        network,
        VGG,
        Input(224, interpolation="bilinear", mean=_CAFFE, std=_BYTE),
        "CC-BY-4.0",
        epsilon=0.0,
        norm_lacks=NORM,
        bgr=True,
    )


def _mobilenet_v3(network: str, stages: tuple[tuple[mobilenet.Block, ...], ...], alpha: float = 1.0) -> Peer:
    """Weights of tensorflow/models (research/slim), measured by its inception_preprocessing.py.

    At 224 pixels, where they were trained, Keras' network is not zoo's; at 225 it is.
    """
    return Peer(network, _mobilenet(stages), _inception_input(225), "Apache-2.0", alpha, pads_one_side=True)


def _efficientnet_v2(network: str, side: int) -> Peer:
    """Weights of google/automl (efficientnetv2), measured by its preprocessing.py, which squeezes images square."""
    squeezed = Input(side, crop_pct=1.0, interpolation="bilinear", resize_mode="squash", mean=_MIDDLE, std=_MIDDLE)
    return Peer(network, EFFICIENTNET, squeezed, "Apache-2.0")


def _convnext(network: str) -> Peer:
    """Weights of facebookresearch/ConvNeXt, whose README says MIT; timm says Apache-2.0 of the same."""
    return Peer(network, CONVNEXT, Input(224), None)


PEERS: dict[tuple[str, str], Peer] = {
    ("vgg", "base"): _vgg("VGG16"),
    ("vgg", "large"): _vgg("VGG19"),
    # Weights of tensorflow/models (research/slim), measured by its inception_preprocessing.py.
    ("inception", "large"): Peer(
        "InceptionResNetV2", _inception_resnet_v2(), _inception_input(299), "Apache-2.0", norm_lacks=("gamma",)
    ),
    ("mobilenet", "small"): _mobilenet_v3("MobileNetV3Small", mobilenet.SMALL),
    ("mobilenet", "base"): _mobilenet_v3("MobileNetV3Large", mobilenet.LARGE, 0.75),
    ("mobilenet", "large"): _mobilenet_v3("MobileNetV3Large", mobilenet.LARGE),
    ("efficientnet", "small"): _efficientnet_v2("EfficientNetV2S", 384),
    ("efficientnet", "base"): _efficientnet_v2("EfficientNetV2M", 480),
    ("efficientnet", "large"): _efficientnet_v2("EfficientNetV2L", 480),
    ("convnext", "small"): _convnext("ConvNeXtSmall"),
    ("convnext", "base"): _convnext("ConvNeXtBase"),
    ("convnext", "large"): _convnext("ConvNeXtLarge"),
}

ANOTHER: dict[tuple[str, str], str] = {
    (
        "inception",
        "small",
    ): "InceptionV3's averages leave out what is beyond the edges, zoo's count it as zeros",
    **{("resnet", size): "its ResNets are version 1, zoo's are version 1.5" for size in ("small", "base", "large")},
}
"""Networks of the same name in Keras that are not zoo's, and why."""
