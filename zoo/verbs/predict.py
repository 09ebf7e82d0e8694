"""`zoo.predict`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.folder_kinds import check_new
from zoo.text import Say, silent
from zoo.verbs.arguments import StrPath, artifact_or_newest, optional_path, several_paths

if TYPE_CHECKING:
    from zoo.data.example import BadExamples
    from zoo.serving.predict import Prediction


def predict(
    artifact: StrPath | None,
    paths: StrPath | Iterable[StrPath],
    *,
    top: int = 5,
    runtime: str | None = None,
    out: StrPath | None = None,
    bad_examples: BadExamples = "error",
    leave_out: Callable[[Path, str], None] = silent,
    say: Say = silent,
) -> list[Prediction]:
    """Run an artifact on examples, and return the answer for each of them.

    Args:
        artifact: the artifact; None for the newest one below `artifacts`.
        paths: a file, a folder of files, or several of either, as the artifact's kind of input reads them.
        top: the maximum number of labels in an answer, if answers are labels.
        runtime: the format to run, such as `onnx`, `onnx_int8`, `onnx_fp16` or `saved_model`. By default ONNX, or the
            SavedModel if there is no ONNX.
        out: also write the answers to this CSV file, a row for each example. Names and labels are
            written as they are; a spreadsheet takes one such as `=1+1` for a formula, unless it imports the file as
            text.
        bad_examples: `error` (the default) refuses examples that cannot be read, `skip` leaves them out.
        leave_out: called with each visible entry of a folder that is not an example, with each example that is left
            out, and the reason.
        say: called with a line about the chosen artifact, about rows with unknown words, and about the written file.

    Raises:
        ZooError: there is no artifact or no example, an example cannot be read, `top` is below 1, `bad_examples` is
            neither `error` nor `skip`, the artifact lacks the runtime, or `out` exists.
        Refused: the artifact is damaged.
    """
    from zoo.serving import predict as answering

    target = optional_path(out)
    if target is not None:
        check_new(target)
    chosen = artifact_or_newest(artifact, say)
    predictions = answering.predict(
        chosen, several_paths(paths), top=top, runtime=runtime, bad_examples=bad_examples, leave_out=leave_out, say=say
    )
    if target is not None:
        answering.write_csv(target, predictions)
        say(f"wrote {target}")
    return predictions
