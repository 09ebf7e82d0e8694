"""The configuration that timm keeps beside weights: the network that they are of, and the images that they want."""

from __future__ import annotations

from pathlib import Path

from zoo import schema
from zoo.errors import ZooError
from zoo.weights.pretrained import Published, PublishedInput
from zoo.weights.reading import COLORS
from zoo.weights.transformers_reader import CONFIG, json_object

AS_TENSORFLOW = "tf_"
"""The beginning of timm's names of networks that pad as TensorFlow does and have its epsilon.

Their weights have the same names and shapes as those of the networks without this prefix.
"""

STATED = ("mean", "std", "crop_pct", "interpolation")
"""The keys that timm and zoo call the same."""

RESIZE_MODES = {"center": "shortest", "squash": "squash"}
"""zoo's resize modes by timm's crop modes. timm (1.0.31) also has `border`, which zoo does not have."""


def stated_input(file: Path, published: Published) -> PublishedInput | None:
    """Return the images that a file of weights wants, as timm's `config.json` in its folder states them.

    Values that it does not state are timm's defaults, except the side, which is then the published network's.

    Args:
        file: the file of weights.
        published: the network that they are read into.

    Returns:
        The input; None if the folder has no `config.json`, or one of another library, which names no architecture.

    Raises:
        ZooError: it cannot be read, states what zoo does not have, or is of a network with another padding and epsilon.
    """
    path = file.parent / CONFIG
    config = json_object(path) if path.is_file() else {}
    architecture = config.get("architecture")
    if architecture is None:
        return None
    if str(architecture).startswith(AS_TENSORFLOW) != published.model.startswith(AS_TENSORFLOW):
        raise ZooError(
            f"{path} is of {architecture!r:.60}, whose padding and epsilon differ from those of {published.model}: "
            f"name weights of {published.model}"
        )
    # Early configurations of timm have all keys at the top level.
    settings = config.get("pretrained_cfg", config)
    if not isinstance(settings, dict):
        raise ZooError(f"{path}: pretrained_cfg should be an object, not {settings!r:.60}: fetch it again")
    settings = {key: value for key, value in settings.items() if value is not None}
    size = settings.get("input_size", [COLORS, published.input.side, published.input.side])
    if not isinstance(size, list) or len(size) != 3 or size[0] != COLORS or size[1] != size[2]:
        raise ZooError(f"{path}: input_size should be [{COLORS}, side, side], not {size!r:.60}: name other weights")
    mode = settings.get("crop_mode", "center")
    values = {key: settings[key] for key in STATED if key in settings}
    for key in ("mean", "std"):
        if key in values and not (isinstance(values[key], list) and len(values[key]) == COLORS):
            raise ZooError(f"{path}: {key} should be {COLORS} numbers, not {values[key]!r:.60}: name other weights")
    values |= {"side": size[1], "resize_mode": RESIZE_MODES.get(str(mode), mode)}
    return schema.parse(PublishedInput, values, str(path))
