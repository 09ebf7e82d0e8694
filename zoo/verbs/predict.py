"""`zoo.predict`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.text import Say, silent
from zoo.verbs.results import StrPath, artifact_or_newest, several_paths

if TYPE_CHECKING:
    from zoo.serving.predict import Prediction


def predict(
    artifact: StrPath | None,
    images: StrPath | Iterable[StrPath],
    *,
    top: int = 5,
    runtime: str | None = None,
    leave_out: Callable[[Path, str], None] = silent,
    say: Say = silent,
) -> list[Prediction]:
    """Return the likeliest labels of each image.

    Args:
        artifact: the artifact that answers; the newest one below `artifacts` when None.
        images: an image file, a folder of them, or several of either. A folder stands for the image files in it,
            whatever they are called.
        top: the number of labels of each image.
        runtime: the format that answers: `onnx`, `onnx_int8`, `onnx_fp16` or `saved_model`. ONNX when not given, or
            the SavedModel where there is no ONNX.
        leave_out: called with each visible entry of a folder that is no image, and the reason.
        say: told which artifact was chosen.

    Raises:
        ZooError: there is no artifact or no image, an image cannot be read, `top` is below 1, or the artifact lacks
            the runtime.
        Refused: the artifact is damaged.
    """
    from zoo.serving.predict import predict as label

    chosen = artifact_or_newest(artifact, say)
    return label(chosen, several_paths(images), top=top, runtime=runtime, leave_out=leave_out)
