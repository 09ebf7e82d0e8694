"""Inception v3, Inception v4 and Inception-ResNet v2: three networks of one kind, each a table of parts."""

from __future__ import annotations

from zoo.family import Family, Size
from zoo.inputs.image.settings import ImageSettings
from zoo.models.inception.names import KERAS_RESNET_V2, TIMM_RESNET_V2, TIMM_V3, TIMM_V4
from zoo.models.inception.parts import RESNET_V2, V3, V4
from zoo.models.inception.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule
from zoo.weights.pretrained import APACHE, HALF, KERAS_TAG, KerasApplication, Published, PublishedInput, Tag

_INPUT = PublishedInput(299, mean=HALF, std=HALF)
_RESNET_INPUT = PublishedInput(299, crop_pct=0.8975, mean=HALF, std=HALF)
# Weights of tensorflow/models (research/slim), measured by its inception_preprocessing.py.
_KERAS_INPUT = PublishedInput(299, interpolation="bilinear", mean=HALF, std=HALF)

FAMILY = Family(
    name="inception",
    title="Inception v3, v4 and Inception-ResNet v2",
    reference="Szegedy et al. 2015, arXiv:1512.00567 (small, without its auxiliary classifier), and 2016, "
    "arXiv:1602.07261 (base, large), as timm's inception_v3, inception_v4, inception_resnet_v2",
    builder=f"{__name__}.network",
    figures="at 299 pixels: torchvision's weights of inception_v3 (small), timm's "
    "results/benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv (base, large)",
    small_images="below 97 pixels, the first halvings are left out, and convolutions and pools pad the edges of maps",
    recipe=Recipe(
        epochs=60,
        label_smoothing=0.1,
        optimizer=Optimizer(lr=0.02, clip_norm=1.0),
        schedule=Schedule(warmup_epochs=2),
        input=ImageSettings(shift=0.1),
    ),
    recipes=RECIPES,
    sizes=(
        Size(
            "small",
            ("inception_v3",),
            {"stages": V3, "dropout": 0.2, "average_counts_edges": True},
            23_834_568,
            2_837_921_120,
            smallest_side=75,
            weights={
                "timm": Published(
                    "inception_v3",
                    TIMM_V3,
                    (
                        Tag("tv_in1k", APACHE, _INPUT),
                        Tag("tf_in1k", APACHE, _INPUT),
                        Tag("tf_adv_in1k", APACHE, _INPUT),
                        Tag("gluon_in1k", APACHE, PublishedInput(299)),
                    ),
                )
            },
            differs={"keras": "InceptionV3's averages leave out what is beyond the edges, zoo's count it as zeros"},
        ),
        Size(
            "base",
            ("inception_v4",),
            {"stages": V4, "dropout": 0.2},
            42_679_816,
            6_121_894_752,
            smallest_side=75,
            weights={"timm": Published("inception_v4", TIMM_V4, (Tag("tf_in1k", APACHE, _INPUT),))},
        ),
        Size(
            "large",
            ("inception_resnet_v2",),
            {"stages": RESNET_V2, "dropout": 0.2},
            55_843_464,
            6_468_961_120,
            smallest_side=75,
            weights={
                "timm": Published(
                    "inception_resnet_v2",
                    TIMM_RESNET_V2,
                    (Tag("tf_in1k", APACHE, _RESNET_INPUT), Tag("tf_ens_adv_in1k", APACHE, _RESNET_INPUT)),
                ),
                "keras": KerasApplication(
                    "InceptionResNetV2",
                    KERAS_RESNET_V2,
                    (Tag(KERAS_TAG, APACHE, _KERAS_INPUT),),
                    norm_lacks=("gamma",),
                ),
            },
        ),
    ),
)
