"""Images: encoded files, which networks take as pixels.

Clients need `client` and `preprocessing`, training and exporting also `data`, and TensorFlow graphs are made with
`graph`. The other modules are parts of these.
"""

from __future__ import annotations

from zoo.input import Input
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.progressive import FIRST_SIZE, by_epoch
from zoo.inputs.image.recipes import SHARED
from zoo.inputs.image.settings import ImageSettings

INPUT = Input(
    kind="image",
    noun="image",
    plural="images",
    turned_off={
        "size_stages": ("first_size", (0,)),
        "policy_operations": ("policy", ("none", "trivialaugment")),
        "policy_magnitude": ("policy", ("none", "trivialaugment")),
        "erase_with": ("erase", (0.0,)),
    },
    pipelines={"classes": "image-classification"},
    preprocessing=Preprocessing,
    settings=ImageSettings,
    raw="serve_bytes",
    default_data="digits",
    client_module=f"{__name__}.client",
    data_module=f"{__name__}.data",
    graph_module=f"{__name__}.graph",
    views_module=f"{__name__}.views",
    client_libraries={"PIL": "pillow"},
    data_libraries={"simplejpeg": "simplejpeg"},
    recipes=SHARED,
    mixed_by=frozenset({"mixup", "cutmix"}),
    grown_by=FIRST_SIZE,
    by_epoch=by_epoch,
    space={"image.shift": {"low": 0.0, "high": 0.15}},
)
