"""Published recipes of VGG."""

from __future__ import annotations

from zoo.inputs.image.recipes import DROPS, DROPS_DIFFER, strikes_back
from zoo.named_recipe import NamedRecipe

RECIPES = {
    "original": NamedRecipe(
        title="stochastic gradient descent with drops of the rate, as torchvision trains it",
        source="Simonyan & Zisserman 2014, arXiv:1409.1556, section 3.1; rate, decay, epochs and drops with batch "
        "normalization: torchvision's references/classification",
        cost="90 epochs of ImageNet-1k in batches of 256",
        expected="70.37 % of ImageNet-1k with vgg11, 73.36 % with vgg16, 74.22 % with vgg19 (torchvision's "
        "IMAGENET1K_V1 of vgg11_bn, vgg16_bn, vgg19_bn)",
        differs=DROPS_DIFFER,
        keys=DROPS,
    ),
    "a3": NamedRecipe(
        title="the procedure A3 of ResNet strikes back, on another network",
        source="Wightman et al. 2021, arXiv:2110.00476, table 2",
        cost="100 epochs of ImageNet-1k in batches of 2048, at 160 pixels",
        differs="cross-entropy, not binary cross-entropy; the magnitudes of RandAugment do not vary; zoo tests at the "
        "size that it trains at",
        keys={
            **strikes_back(magnitude=6),
            "image.size": 160,
            "epochs": 100,
            "mixup": 0.1,
            "optimizer.lr": 8e-3,
            "optimizer.weight_decay": 0.02,
        },
    ),
}
