"""The published ImageNet-1k weights of timm for zoo's networks, and how each wants its images.

From the `pretrained_cfg` of timm 1.0.31, which states license, size and preprocessing of every tag; those with 1000
classes, timm's own choice first. Nothing is imported for it: `zoo list` reads it, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CLASSES = 1000

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
HALF: Triple = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Input:
    """How weights want their images: `side` by `side` pixels of three channels, the rest as in `Preprocessing`."""

    side: int
    crop_pct: float = 0.875
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    resize_mode: Literal["shortest", "squash"] = "shortest"
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD


@dataclass(frozen=True)
class Tag:
    """One training of a network that somebody published; `license` is an SPDX identifier."""

    name: str
    license: str
    input: Input


@dataclass(frozen=True)
class Network:
    """What a network is called by those who publish its weights, and their tags, the usual one first.

    `reference` is the input that its definition names where nothing is published.
    """

    model: str
    tags: tuple[Tag, ...] = ()
    reference: Input = Input(224)

    @property
    def input(self) -> Input:
        """The input that is taken when nobody says which weights they are."""
        return self.tags[0].input if self.tags else self.reference

    def repository(self, tag: Tag) -> str:
        """Where a tag's weights are on the Hugging Face hub."""
        return f"timm/{self.model}.{tag.name}"


APACHE, BSD, NON_COMMERCIAL = "Apache-2.0", "BSD-3-Clause", "CC-BY-NC-4.0"

_TORCHVISION = Input(224, interpolation="bilinear")
_A1 = Input(224, crop_pct=0.95)
_INCEPTION = Input(299, mean=HALF, std=HALF)
_INCEPTION_RESNET = Input(299, crop_pct=0.8975, mean=HALF, std=HALF)
_EFFICIENTNET_SMALL = Input(300, crop_pct=1.0, mean=HALF, std=HALF)
_EFFICIENTNET = Input(384, crop_pct=1.0, resize_mode="squash", mean=HALF, std=HALF)
_CONVNEXT_384 = Input(384, crop_pct=1.0, resize_mode="squash")
_CLIP = Input(256, crop_pct=1.0, mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
_VIT = Input(224, crop_pct=0.9, mean=HALF, std=HALF)

TIMM: dict[tuple[str, str], Network] = {
    ("resnet", "small"): Network(
        "resnet18",
        (
            Tag("a1_in1k", APACHE, _A1),
            Tag("a2_in1k", APACHE, _A1),
            Tag("tv_in1k", BSD, _TORCHVISION),
            Tag("gluon_in1k", APACHE, Input(224)),
            Tag("fb_swsl_ig1b_ft_in1k", NON_COMMERCIAL, _TORCHVISION),
        ),
    ),
    ("resnet", "base"): Network(
        "resnet50",
        (
            Tag("a1_in1k", APACHE, _A1),
            Tag("a1h_in1k", APACHE, Input(176, crop_pct=0.9)),
            Tag("ram_in1k", APACHE, Input(224)),
            Tag("tv_in1k", BSD, _TORCHVISION),
            Tag("tv2_in1k", BSD, Input(176, interpolation="bilinear")),
            Tag("fb_swsl_ig1b_ft_in1k", NON_COMMERCIAL, _TORCHVISION),
        ),
    ),
    ("resnet", "large"): Network(
        "resnet101",
        (
            Tag("a1h_in1k", APACHE, _A1),
            Tag("a1_in1k", APACHE, _A1),
            Tag("tv_in1k", BSD, _TORCHVISION),
            Tag("tv2_in1k", BSD, Input(176, interpolation="bilinear")),
        ),
    ),
    ("vgg", "small"): Network("vgg11_bn", (Tag("tv_in1k", BSD, _TORCHVISION),)),
    ("vgg", "base"): Network("vgg16_bn", (Tag("tv_in1k", BSD, _TORCHVISION),)),
    ("vgg", "large"): Network("vgg19_bn", (Tag("tv_in1k", BSD, _TORCHVISION),)),
    ("inception", "small"): Network(
        "inception_v3",
        (
            Tag("tv_in1k", APACHE, _INCEPTION),
            Tag("tf_in1k", APACHE, _INCEPTION),
            Tag("tf_adv_in1k", APACHE, _INCEPTION),
            Tag("gluon_in1k", APACHE, Input(299)),
        ),
    ),
    ("inception", "base"): Network("inception_v4", (Tag("tf_in1k", APACHE, _INCEPTION),)),
    ("inception", "large"): Network(
        "inception_resnet_v2",
        (Tag("tf_in1k", APACHE, _INCEPTION_RESNET), Tag("tf_ens_adv_in1k", APACHE, _INCEPTION_RESNET)),
    ),
    ("mobilenet", "small"): Network("mobilenetv3_small_100", (Tag("lamb_in1k", APACHE, Input(224)),)),
    ("mobilenet", "base"): Network("mobilenetv3_large_075", reference=_TORCHVISION),
    ("mobilenet", "large"): Network(
        "mobilenetv3_large_100",
        (
            Tag("ra_in1k", APACHE, Input(224)),
            Tag("ra4_e3600_r224_in1k", APACHE, Input(224, crop_pct=0.95, mean=HALF, std=HALF)),
            Tag(
                "miil_in21k_ft_in1k",
                APACHE,
                Input(224, interpolation="bilinear", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
            ),
        ),
    ),
    ("efficientnet", "small"): Network(
        "tf_efficientnetv2_s",
        (Tag("in21k_ft_in1k", APACHE, _EFFICIENTNET_SMALL), Tag("in1k", APACHE, _EFFICIENTNET_SMALL)),
    ),
    ("efficientnet", "base"): Network(
        "tf_efficientnetv2_m", (Tag("in21k_ft_in1k", APACHE, _EFFICIENTNET), Tag("in1k", APACHE, _EFFICIENTNET))
    ),
    ("efficientnet", "large"): Network(
        "tf_efficientnetv2_l", (Tag("in21k_ft_in1k", APACHE, _EFFICIENTNET), Tag("in1k", APACHE, _EFFICIENTNET))
    ),
    ("convnext", "small"): Network(
        "convnext_small",
        (
            Tag("in12k_ft_in1k", APACHE, Input(224, crop_pct=0.95)),
            Tag("fb_in22k_ft_in1k", APACHE, Input(224)),
            Tag("fb_in1k", APACHE, Input(224)),
            Tag("fb_in22k_ft_in1k_384", APACHE, _CONVNEXT_384),
        ),
    ),
    ("convnext", "base"): Network(
        "convnext_base",
        (
            Tag("fb_in22k_ft_in1k", APACHE, Input(224)),
            Tag("fb_in1k", APACHE, Input(224)),
            Tag("fb_in22k_ft_in1k_384", APACHE, _CONVNEXT_384),
            Tag("clip_laion2b_augreg_ft_in12k_in1k", APACHE, _CLIP),
        ),
    ),
    ("convnext", "large"): Network(
        "convnext_large",
        (
            Tag("fb_in22k_ft_in1k", APACHE, Input(224)),
            Tag("fb_in1k", APACHE, Input(224)),
            Tag("fb_in22k_ft_in1k_384", APACHE, _CONVNEXT_384),
        ),
    ),
    ("vit", "small"): Network(
        "vit_small_patch16_224", (Tag("augreg_in21k_ft_in1k", APACHE, _VIT), Tag("augreg_in1k", APACHE, _VIT))
    ),
    ("vit", "base"): Network(
        "vit_base_patch16_224",
        (
            Tag("augreg2_in21k_ft_in1k", APACHE, _VIT),
            Tag("augreg_in21k_ft_in1k", APACHE, _VIT),
            Tag("augreg_in1k", APACHE, _VIT),
            Tag("orig_in21k_ft_in1k", APACHE, _VIT),
            Tag("sam_in1k", APACHE, _VIT),
        ),
    ),
    ("vit", "large"): Network("vit_large_patch16_224", (Tag("augreg_in21k_ft_in1k", APACHE, _VIT),)),
}
"""By family and size. A network without tags has no published weights."""
