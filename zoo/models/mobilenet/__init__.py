"""MobileNetV3."""

from __future__ import annotations

from typing import Literal

from zoo.family import Family, Size
from zoo.inputs.image.settings import ImageSettings
from zoo.models.mobilenet.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule
from zoo.weights.names import TIMM_BLOCKS, Names
from zoo.weights.pretrained import (
    APACHE,
    HALF,
    KERAS_TAG,
    TORCHVISION,
    KerasApplication,
    Published,
    PublishedInput,
    Tag,
)

Block = tuple[int, int, float, int, bool, Literal["relu", "hard_swish"]]
"""A block: kernel, stride (2 halves the map), expansion, channels, squeeze-and-excitation, activation."""

Stages = tuple[tuple[Block, ...], ...]

# Tables 1 and 2 of the paper; an expansion is the number of expanded channels over that of the block's input.
SMALL: Stages = (
    ((3, 2, 1, 16, True, "relu"),),
    ((3, 2, 4.5, 24, False, "relu"), (3, 1, 3.67, 24, False, "relu")),
    ((5, 2, 4, 40, True, "hard_swish"), *2 * ((5, 1, 6, 40, True, "hard_swish"),)),
    2 * ((5, 1, 3, 48, True, "hard_swish"),),
    ((5, 2, 6, 96, True, "hard_swish"), *2 * ((5, 1, 6, 96, True, "hard_swish"),)),
)
LARGE: Stages = (
    ((3, 1, 1, 16, False, "relu"),),
    ((3, 2, 4, 24, False, "relu"), (3, 1, 3, 24, False, "relu")),
    ((5, 2, 3, 40, True, "relu"), *2 * ((5, 1, 3, 40, True, "relu"),)),
    (
        (3, 2, 6, 80, False, "hard_swish"),
        (3, 1, 2.5, 80, False, "hard_swish"),
        *2 * ((3, 1, 2.3, 80, False, "hard_swish"),),
    ),
    2 * ((3, 1, 6, 112, True, "hard_swish"),),
    ((5, 2, 6, 160, True, "hard_swish"), *2 * ((5, 1, 6, 160, True, "hard_swish"),)),
)


def keras_names(stages: Stages) -> Names:
    """Return the table of Keras' names, which number the blocks across stages, the first without a number."""
    blocks = [(s, b) for s, blocks in enumerate(stages, start=1) for b in range(1, len(blocks) + 1)]
    rows = {
        "expanded_conv_depthwise": "stage1_block1_depthwise",
        "expanded_conv_depthwise_bn": "stage1_block1_norm1",
        "expanded_conv_squeeze_excite_conv": "stage1_block1_squeeze",
        "expanded_conv_squeeze_excite_conv_1": "stage1_block1_excite",
        "expanded_conv_project": "stage1_block1_pointwise",
        "expanded_conv_project_bn": "stage1_block1_norm2",
    }
    for number, (stage, block) in list(enumerate(blocks))[1:]:
        keras_name, zoo_name = f"expanded_conv_{number}", f"stage{stage}_block{block}"
        rows |= {
            f"{keras_name}_expand": f"{zoo_name}_pointwise",
            f"{keras_name}_expand_bn": f"{zoo_name}_norm1",
            f"{keras_name}_depthwise": f"{zoo_name}_depthwise",
            f"{keras_name}_depthwise_bn": f"{zoo_name}_norm2",
            f"{keras_name}_squeeze_excite_conv": f"{zoo_name}_squeeze",
            f"{keras_name}_squeeze_excite_conv_1": f"{zoo_name}_excite",
            f"{keras_name}_project": f"{zoo_name}_narrow",
            f"{keras_name}_project_bn": f"{zoo_name}_norm3",
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


def _keras(model: str, stages: Stages, alpha: float = 1.0) -> KerasApplication:
    """Return the network of keras.applications.

    Its weights are those of tensorflow/models (research/slim), measured by its inception_preprocessing.py. At 224
    pixels, where they were trained, Keras' network pads differently from zoo's; at 225 both are the same.
    """
    published_input = PublishedInput(225, interpolation="bilinear", mean=HALF, std=HALF)
    return KerasApplication(
        model, keras_names(stages), (Tag(KERAS_TAG, "Apache-2.0", published_input),), alpha=alpha, pads_one_side=True
    )


_LARGE = {"stages": LARGE, "last": 960, "hidden": 1280}

FAMILY = Family(
    name="mobilenet",
    title="MobileNetV3",
    reference="Howard et al. 2019, arXiv:1905.02244, small 1.0, large 0.75 and large 1.0, as timm's "
    "mobilenetv3_small_100, mobilenetv3_large_075, mobilenetv3_large_100",
    builder=f"{__name__}.network",
    figures="small, large: torchvision's weights of mobilenet_v3_small, mobilenet_v3_large; base: tensorflow/models, "
    "research/slim/nets/mobilenet/README.md",
    # After the paper: little weight decay, because depthwise convolutions tolerate no more.
    recipe=Recipe(
        epochs=60,
        label_smoothing=0.1,
        optimizer=Optimizer(name="adamw", lr=2e-3, weight_decay=2e-2, clip_norm=1.0),
        schedule=Schedule(warmup_epochs=3),
        input=ImageSettings(shift=0.1),
    ),
    recipes=RECIPES,
    sizes=(
        Size(
            "small",
            ("mobilenetv3_small_100",),
            {"stages": SMALL, "last": 576, "hidden": 1024},
            2_542_856,
            56_510_400,
            weights={
                "timm": Published(
                    "mobilenetv3_small_100", TIMM_BLOCKS, (Tag("lamb_in1k", APACHE, PublishedInput(224)),)
                ),
                "keras": _keras("MobileNetV3Small", SMALL),
            },
        ),
        Size(
            "base",
            ("mobilenetv3_large_075",),
            {**_LARGE, "width": 0.75},
            3_993_528,
            154_560_624,
            weights={
                "timm": Published("mobilenetv3_large_075", TIMM_BLOCKS, reference=TORCHVISION),
                "keras": _keras("MobileNetV3Large", LARGE, 0.75),
            },
        ),
        Size(
            "large",
            ("mobilenetv3_large_100",),
            _LARGE,
            5_483_032,
            216_589_760,
            weights={
                "timm": Published(
                    "mobilenetv3_large_100",
                    TIMM_BLOCKS,
                    (
                        Tag("ra_in1k", APACHE, PublishedInput(224)),
                        Tag("ra4_e3600_r224_in1k", APACHE, PublishedInput(224, crop_pct=0.95, mean=HALF, std=HALF)),
                        Tag(
                            "miil_in21k_ft_in1k",
                            APACHE,
                            PublishedInput(224, interpolation="bilinear", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
                        ),
                    ),
                ),
                "keras": _keras("MobileNetV3Large", LARGE),
            },
        ),
    ),
)
