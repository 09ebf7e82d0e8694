"""`zoo.pull`."""

from __future__ import annotations

from zoo import run
from zoo.text import Say, silent
from zoo.verbs.arguments import StrPath, optional_path
from zoo.verbs.results import RunFolder


def pull(
    family: str,
    *,
    size: str | None = None,
    from_: str = "timm",
    tag: str | None = None,
    classes: int | None = None,
    image_size: int | None = None,
    channels: int | None = None,
    seconds: float | None = None,
    file: StrPath | None = None,
    license: str | None = None,
    out: StrPath | None = None,
    say: Say = silent,
) -> RunFolder:
    """Fetch published weights, or read them from a file, and write a finished run folder.

    Args:
        family: a family such as `resnet`, or an alias such as `resnet50`.
        size: `small` (the default), `base`, `large`, or another size of the family.
        from_: the publisher of the weights: `timm`, `keras` or `transformers`.
        tag: the tag of the published weights, as `zoo.info` lists them; by default the first.
        classes: the number of classes of the weights; by default ImageNet's 1000, or, for a folder, the number that it
            states, or 2.
        image_size: the side of the network's input in pixels; by default the weights' own.
        channels: 1 to 4 input channels, by default 3; the first layer's weights are adapted to any other number.
        seconds: the length of the clips that a network of sound takes, by default 1; not for transcripts. Longer clips
            keep their middle, and shorter ones are repeated.
        file: a file of weights, or a folder of transformers or sentence-transformers; nothing is fetched.
        license: the SPDX identifier of the license of a `file` that has no `tag`, or states none in a README.md.
        out: the run folder to write; by default `runs/NAME`.
        say: called with a line about the weights, and about each change made to them.

    Raises:
        ZooError: the request is wrong, the weights cannot be fetched or read, or they do not fit the network.
    """
    from zoo.weights.pull import pull as write_run

    folder = write_run(
        family,
        size=size,
        origin=from_,
        tag=tag,
        classes=classes,
        image_size=image_size,
        channels=channels,
        seconds=seconds,
        file=optional_path(file),
        license=license,
        out=optional_path(out),
        say=say,
    )
    return RunFolder(folder, run.read_finished(folder))
