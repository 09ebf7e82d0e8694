"""The section of a recipe that belongs to images: their size, and random changes in training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.errors import ZooError
from zoo.schema import record


@record
class ImageSettings:
    """The network's input, and random changes of training images, drawn for each image in each epoch.

    `size` is the input's side in pixels, `crop_pct` the share of an image's side that is kept. A value of 0 stands for
    that of the weights that training starts from. Where it starts from scratch, `size` and `channels` are then those of
    the data (224 pixels where images differ in size or have a side longer than that), and `crop_pct` is 1, the whole
    side.

    `white_level` is the sample that is white in images of 16 bits, such as 4095 where they use 12 bits; 0 stands for
    that of the weights, or else 65535. `background` is the color behind transparent images where the network takes 1 or
    3 channels; `none` ignores alpha, and `auto` stands for that of the weights, or else white.

    With a `first_size`, training begins with images of this side in pixels. It grows linearly over `size_stages`
    stages, which divide the epochs evenly; the last one has the full size, see `zoo.inputs.image.progressive`. 0 trains
    at the full size throughout.

    `flip` mirrors half of the images left to right, which suits photographs and ruins digits and letters. `shift` moves
    an image by up to this share of its side, and fills the border by reflection. `smallest_crop` is the least area of a
    random crop, as a share of the part that evaluation shows; the crop is scaled to full size, and 1 means no crop.
    `crop_ratio` is the largest aspect ratio of such a crop, in units of the image's, and its inverse the smallest.

    `policy` changes shape and color of each image by random operations, see `zoo.inputs.image.policies`:
    `policy_operations` is the number of operations that `randaugment` applies to an image, and `policy_magnitude` their
    strength; `trivialaugment` ignores both. `erase` is the probability that a random rectangle of an image is erased;
    `erase_with` fills it: `noise` with random pixels, `mean` with the color that is subtracted as the mean.
    """

    kind: Literal["image"] = "image"
    size: Annotated[int, Field(ge=0, le=4096)] = 0
    first_size: Annotated[int, Field(ge=0, le=4096)] = 0
    size_stages: Annotated[int, Field(ge=2, le=100)] = 4
    channels: Annotated[int, Field(ge=0, le=4)] = 0
    crop_pct: Annotated[float, Field(ge=0, le=1)] = 0.0
    white_level: Annotated[int, Field(ge=0, le=65535)] = 0
    background: Literal["auto", "none", "white", "black"] = "auto"
    flip: bool = False
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    smallest_crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    crop_ratio: Annotated[float, Field(ge=1, le=10)] = 1.0
    policy: Literal["none", "randaugment", "trivialaugment"] = "none"
    policy_operations: Annotated[int, Field(ge=1, le=10)] = 2
    policy_magnitude: Annotated[float, Field(ge=0, le=10)] = 9.0
    erase: Annotated[float, Field(ge=0, le=1)] = 0.0
    erase_with: Literal["noise", "mean"] = "noise"

    def __post_init__(self) -> None:
        if self.crop_ratio > 1 and self.smallest_crop == 1:
            raise ZooError(
                f"image.crop_ratio={self.crop_ratio:g} is for random crops, and image.smallest_crop=1 makes none: "
                "set that below 1, such as 0.25"
            )
