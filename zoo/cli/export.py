"""`zoo export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from zoo.int8_defaults import CALIBRATION_EXAMPLES, MAX_DROP, Target


@click.command("export")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--onnx", is_flag=True, help="Write ONNX.")
@click.option(
    "--saved-model", is_flag=True, help="Write a SavedModel for TF Serving. Without a format, both are written."
)
@click.option("--int8", is_flag=True, help="Also write a quantized ONNX file, within a budget of accuracy.")
@click.option("--max-drop", type=float, help=f"Points of accuracy that int8 may lose.  [default: {MAX_DROP:g}]")
@click.option(
    "--target",
    help=f"The processor of the int8 file: {', '.join(get_args(Target))}.  [default: this machine's]",
)
@click.option(
    "--calibration-examples",
    type=int,
    help=f"Training examples that calibrate int8.  [default: {CALIBRATION_EXAMPLES}]",
)
@click.option(
    "--force",
    is_flag=True,
    help="Write an int8 file even if zoo refuses int8 for the family, or if the file is over its budget or no faster; "
    "the manifest then marks it.",
)
@click.option("--fp16", is_flag=True, help="Also write a float16 ONNX file, for GPUs.")
@click.option("--format", multiple=True, metavar="NAME", help="Write this format, such as one that a package adds.")
@click.option(
    "--opset", type=int, help="The version of ONNX's operator set.  [default: the newest that onnxruntime 1.20 takes]"
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the run's data are now, if they were moved.")
@click.option("--out", type=click.Path(path_type=Path), help="The artifact folder to write.  [default: artifacts/NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Export a RUN (the newest finished one, if none is named) to an artifact and put it through every gate.

    If a gate fails, the exit status is 1, the gate's name and figures are printed, and no artifact is left.
    """
    import zoo
    from zoo.cli import tables
    from zoo.cli.output import console, print_json, say, say_parts
    from zoo.input import kind_of
    from zoo.schema import to_dict

    artifact_folder = zoo.export_run(**options, say=say)
    manifest = artifact_folder.manifest
    if as_json:
        print_json({"artifact": str(artifact_folder.folder), **to_dict(manifest)})
        return
    console().print(tables.gates(manifest.gates))
    if not manifest.score:
        say("score: not measured, because the run has no data; measure it with 'zoo evaluate ARTIFACT --data …'")
    for gate in manifest.gates:
        if gate.name == "onnx_lint":
            tables.graph(gate.figures)
    plural = kind_of(manifest.model.preprocessing).plural
    for name, score in manifest.score.items():
        say(
            f"{name}: {score.metric} {score.value:.4f} "
            f"({score.low:.4f} to {score.high:.4f}, {score.examples} test {plural})"
        )
        say_parts(score)
    if manifest.int8 is not None:
        from zoo.export.int8.verdict import lines

        for line in lines(manifest.int8):
            say(line)
    say(f"wrote {artifact_folder.folder}")
