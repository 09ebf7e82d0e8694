"""ResNet, version 1.5: the stride of a bottleneck sits in its 3×3 convolution."""

from __future__ import annotations

from zoo.family import Family, Size
from zoo.inputs.image.settings import ImageSettings
from zoo.models.resnet.recipes import RECIPES
from zoo.recipe import Recipe
from zoo.weights.pretrained import APACHE, BSD, HALF, NON_COMMERCIAL, TORCHVISION, Published, PublishedInput, Tag

TIMM_NAMES = {
    "conv1": "stem",
    "bn1": "stem_norm",
    "layer{s}.{b}.conv{n}": "stage{s}_block{b+1}_conv{n}",
    "layer{s}.{b}.bn{n}": "stage{s}_block{b+1}_conv{n}_norm",
    "layer{s}.{b}.downsample.0": "stage{s}_block{b+1}_shortcut",
    "layer{s}.{b}.downsample.1": "stage{s}_block{b+1}_shortcut_norm",
    "fc": "logits",
}

_A1 = PublishedInput(224, crop_pct=0.95)
_KERAS = {"keras": "its ResNets are version 1, zoo's are version 1.5"}


def _timm(model: str, *tags: Tag) -> dict[str, Published]:
    return {"timm": Published(model, TIMM_NAMES, tags)}


FAMILY = Family(
    name="resnet",
    title="ResNet v1.5",
    reference="He et al. 2015, arXiv:1512.03385, with the stride as in torchvision's resnet18, resnet34, resnet50, "
    "resnet101",
    builder=f"{__name__}.network",
    figures="torchvision's weights",
    small_images="halvings are left out, from the first on, while the last map is under 4 pixels: at 32 pixels a 3×3 "
    "stem and no pool",
    recipe=Recipe(epochs=60, label_smoothing=0.1, input=ImageSettings(shift=0.1)),
    measured="resnet small with batch_size=10 and keep=last: 0.84 on five classes of Fashion-MNIST after 5 epochs with "
    "50 images a class (results/fine_tuning.json)",
    recipes=RECIPES,
    sizes=(
        Size(
            "small",
            ("resnet18",),
            {"block": "basic", "blocks": (2, 2, 2, 2)},
            11_689_512,
            1_814_073_344,
            weights=_timm(
                "resnet18",
                Tag("a1_in1k", APACHE, _A1),
                Tag("a2_in1k", APACHE, _A1),
                Tag("tv_in1k", BSD, TORCHVISION),
                Tag("gluon_in1k", APACHE, PublishedInput(224)),
                Tag("fb_swsl_ig1b_ft_in1k", NON_COMMERCIAL, TORCHVISION),
            ),
            differs=_KERAS,
        ),
        Size(
            "34",
            ("resnet34",),
            {"block": "basic", "blocks": (3, 4, 6, 3)},
            21_797_672,
            3_663_761_408,
            weights=_timm(
                "resnet34",
                Tag("a1_in1k", APACHE, _A1),
                Tag("a2_in1k", APACHE, _A1),
                Tag("ra4_e3600_r224_in1k", APACHE, PublishedInput(224, crop_pct=0.9, mean=HALF, std=HALF)),
                Tag("tv_in1k", BSD, TORCHVISION),
                Tag("gluon_in1k", APACHE, PublishedInput(224)),
            ),
            differs=_KERAS,
        ),
        Size(
            "base",
            ("resnet50",),
            {"block": "bottleneck", "blocks": (3, 4, 6, 3)},
            25_557_032,
            4_089_184_256,
            weights=_timm(
                "resnet50",
                Tag("a1_in1k", APACHE, _A1),
                Tag("a1h_in1k", APACHE, PublishedInput(176, crop_pct=0.9)),
                Tag("ram_in1k", APACHE, PublishedInput(224)),
                Tag("tv_in1k", BSD, TORCHVISION),
                Tag("tv2_in1k", BSD, PublishedInput(176, interpolation="bilinear")),
                Tag("fb_swsl_ig1b_ft_in1k", NON_COMMERCIAL, TORCHVISION),
            ),
            differs=_KERAS,
        ),
        Size(
            "large",
            ("resnet101",),
            {"block": "bottleneck", "blocks": (3, 4, 23, 3)},
            44_549_160,
            7_801_405_440,
            weights=_timm(
                "resnet101",
                Tag("a1h_in1k", APACHE, _A1),
                Tag("a1_in1k", APACHE, _A1),
                Tag("tv_in1k", BSD, TORCHVISION),
                Tag("tv2_in1k", BSD, PublishedInput(176, interpolation="bilinear")),
            ),
            differs=_KERAS,
        ),
    ),
)
