"""`zoo.export_run`: the function of the verb `zoo export`; the name `zoo.export` is that of a package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo import artifact, provenance
from zoo import run as runs
from zoo.errors import ZooError, listed
from zoo.formats import find
from zoo.text import Say, silent
from zoo.verbs.arguments import StrPath, local_path, optional_path, several
from zoo.verbs.results import ArtifactFolder
from zoo.whole_numbers import check_whole


def export_run(
    run: StrPath | None = None,
    *,
    onnx: bool = False,
    saved_model: bool = False,
    int8: bool = False,
    max_drop: float | None = None,
    target: str | None = None,
    calibration_examples: int | None = None,
    force: bool = False,
    fp16: bool = False,
    format: Iterable[str] = (),
    opset: int | None = None,
    data_dir: StrPath | None = None,
    out: StrPath | None = None,
    say: Say = silent,
) -> ArtifactFolder:
    """Write the artifact of a finished run and put it through every gate.

    Args:
        run: the run folder; by default the newest finished one below `runs`.
        onnx: write ONNX. By default, both ONNX and a SavedModel are written.
        saved_model: write a SavedModel for TF Serving.
        int8: also write a quantized ONNX file, within a budget of accuracy.
        max_drop: points of accuracy that int8 may lose; by default 0.5.
        target: the processor of the int8 file: `x86-vnni`, `x86-avx2`, `arm64` or `portable`; by default this
            machine's.
        calibration_examples: the number of training examples that calibrate int8; by default 512.
        force: write an int8 file even if zoo refuses int8 for the family, or if the file is over its budget or no
            faster; the manifest then marks it.
        fp16: also write a float16 ONNX file, for GPUs.
        format: other formats to write, such as one that an installed package adds.
        opset: the version of ONNX's operator set; by default the newest that onnxruntime 1.20 takes.
        data_dir: the folder of the run's data, if they were moved.
        out: the artifact folder to write; by default `artifacts/NAME`.
        say: called with a line about everything that is written and measured.

    Raises:
        ZooError: the run or its data are missing or damaged, or the request is wrong.
        Refused: a gate failed; its name and figures are in the message, and no artifact is left.
    """
    for_int8 = {
        "--max-drop": max_drop,
        "--target": target,
        "--calibration-examples": calibration_examples,
        "--force": force or None,
    }
    others = several(format)
    int8 = int8 or any("onnx_int8" in (name, find(name).source) for name in others)
    given = [option for option, value in for_int8.items() if value is not None]
    if given and not int8:
        raise ZooError(f"{given[0]} is an option of int8: add --int8, or leave it out")
    requested = {
        "onnx": onnx,
        "onnx_fp16": fp16,
        "saved_model": saved_model,
        "onnx_int8": int8,
        **dict.fromkeys(others, True),
    }
    formats = [name for name, wanted in requested.items() if wanted]
    if not (onnx or saved_model or others):
        formats = list(dict.fromkeys(["onnx", *formats, "saved_model"]))
    if opset is not None and not any("onnx" in (name, find(name).source) for name in formats):
        raise ZooError(f"only ONNX has an opset, and not {listed(formats)}: add --onnx, or leave --opset out")
    check_whole("opset", opset, 21)
    folder = runs.newest(Path("runs")) if run is None else local_path(run)
    if run is None:
        say(f"exporting {folder}, the newest finished run")
    request = None
    if int8:
        from zoo.export.int8.options import int8_options

        request = int8_options(target, max_drop, calibration_examples, force)
    provenance.say_environment(say)
    from zoo.export.build import export
    from zoo.export.onnx.conversion import OPSET

    written = export(
        folder,
        formats,
        out=optional_path(out),
        data_dir=optional_path(data_dir),
        say=say,
        opset=OPSET if opset is None else opset,
        int8=request,
    )
    return ArtifactFolder(written, artifact.read(written))
