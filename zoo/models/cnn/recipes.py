"""Published recipes of AlexNet."""

from __future__ import annotations

from zoo.inputs.image.recipes import DROPS, DROPS_DIFFER
from zoo.named_recipe import NamedRecipe

RECIPES = {
    "original": NamedRecipe(
        title="stochastic gradient descent with drops of the rate, as torchvision trains AlexNet",
        source="Krizhevsky et al. 2012, section 5; batch, decay and drops: torchvision's references/classification",
        cost="90 epochs of ImageNet-1k in batches of 256",
        expected="56.52 % of ImageNet-1k (torchvision's IMAGENET1K_V1)",
        differs=DROPS_DIFFER,
        sizes=("large",),
        keys={**DROPS, "optimizer.lr": 0.01},
    ),
}
