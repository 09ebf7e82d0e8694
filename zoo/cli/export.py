"""`zoo export`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--onnx", is_flag=True, help="Write ONNX.")
@click.option("--saved-model", is_flag=True, help="Write a SavedModel for TF Serving.  [both when neither is named]")
@click.option("--int8", is_flag=True, help="Write an int8 file of the ONNX one, within a budget of accuracy.")
@click.option("--max-drop", type=float, help="Points of accuracy that int8 may lose.  [default: 0.5]")
@click.option(
    "--target", help="The processor of the int8 file: x86-vnni, x86-avx2, arm64 or portable.  [default: this]"
)
@click.option("--calibration-images", type=int, help="Training images that calibrate int8.  [default: 512]")
@click.option("--force", is_flag=True, help="Ship int8 that is above its budget or no faster, and mark it.")
@click.option("--fp16", is_flag=True, help="Write a float16 file of the ONNX one, for GPUs.")
@click.option(
    "--opset", type=int, help="The version of ONNX' operator set.  [default: the newest that onnxruntime 1.20 takes]"
)
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where the run's data are now, if not where they were."
)
@click.option("--out", type=click.Path(path_type=Path), help="The artifact folder to write.  [default: artifacts/NAME]")
@click.option("--json", "as_json", is_flag=True, help="The manifest as one JSON document on standard output.")
def command(
    run: Path | None,
    onnx: bool,
    saved_model: bool,
    opset: int | None,
    int8: bool,
    max_drop: float | None,
    target: str | None,
    calibration_images: int | None,
    force: bool,
    fp16: bool,
    data_dir: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Make an artifact of a RUN (the newest finished one when none is named) and put it through every gate.

    A gate that says no ends it with exit status 1, its name and its figures, and no artifact.
    """
    from zoo import artifact, schema
    from zoo import run as runs
    from zoo.cli import tables
    from zoo.cli.output import console, print_json, say, say_environment, status_table
    from zoo.errors import ZooError
    from zoo.export.int8 import quantize
    from zoo.tensorflow_setup import wake_keras

    given = [
        option
        for option, value in (
            ("--max-drop", max_drop),
            ("--target", target),
            ("--calibration-images", calibration_images),
            ("--force", force or None),
        )
        if value is not None
    ]
    if given and not int8:
        raise ZooError(f"{given[0]} says how int8 is to be: add --int8, or leave it out")
    if run is None:
        run = runs.newest(Path("runs"))
        say(f"exporting {run}, the newest finished run")
    runs.read_finished(run)
    if opset is not None and saved_model and not onnx:
        raise ZooError("a SavedModel has no opset: add --onnx, or leave --opset out")
    asked = None
    if int8:
        asked = quantize.request(
            target,
            quantize.MAX_DROP if max_drop is None else max_drop,
            quantize.CALIBRATION_IMAGES if calibration_images is None else calibration_images,
            force,
        )
    say_environment()
    wake_keras()
    from zoo.export.build import export
    from zoo.export.onnx.conversion import OPSET

    formats: list[artifact.Format] = []
    if onnx or int8 or fp16 or not saved_model:
        formats.append("onnx")
    if fp16:
        formats.append("onnx_fp16")
    if saved_model or not onnx:
        formats.append("saved_model")
    opset = OPSET if opset is None else opset
    folder = export(run, formats, out=out, data_dir=data_dir, say=say, opset=opset, int8=asked)
    manifest = artifact.read(folder)
    if as_json:
        print_json({"artifact": str(folder), **schema.plain(manifest)})
        return
    console().print(status_table(manifest.gates))
    if not manifest.accuracy:
        say("accuracy: not measured, for the run has no data; 'zoo evaluate ARTIFACT --data …' does it")
    for gate in manifest.gates:
        if gate.name == "onnx_lint":
            tables.graph(gate.figures)
    for kind, figure in manifest.accuracy.items():
        say(
            f"{kind}: accuracy {figure.accuracy:.4f} "
            f"({figure.low:.4f} to {figure.high:.4f}, {figure.images} test images)"
        )
    if manifest.int8 is not None:
        for line in quantize.lines(manifest.int8):
            say(line)
    say(f"wrote {folder}")
