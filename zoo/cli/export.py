"""`zoo export`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--onnx", is_flag=True, help="Write ONNX.")
@click.option("--saved-model", is_flag=True, help="Write a SavedModel for TF Serving.  [both when neither is named]")
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
    from zoo.cli.output import console, print_json, say, status_table
    from zoo.errors import ZooError
    from zoo.quiet import wake_tensorflow

    if run is None:
        run = runs.newest(Path("runs"))
        say(f"exporting {run}, the newest finished run")
    runs.read_finished(run)
    if opset is not None and saved_model and not onnx:
        raise ZooError("a SavedModel has no opset: add --onnx, or leave --opset out")
    wake_tensorflow()
    from zoo.export.build import export
    from zoo.export.onnx import OPSET

    formats: list[artifact.Format] = []
    if onnx or not saved_model:
        formats.append("onnx")
    if saved_model or not onnx:
        formats.append("saved_model")
    folder = export(run, formats, out=out, data_dir=data_dir, say=say, opset=OPSET if opset is None else opset)
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
            f"({figure.low:.4f} to {figure.high:.4f}, {figure.pictures} test pictures)"
        )
    say(f"wrote {folder}")
