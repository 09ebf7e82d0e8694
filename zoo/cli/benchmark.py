"""`zoo benchmark`: latency, throughput, memory and accuracy of artifacts, side by side."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from zoo.cli.output import console, print_json, progress, say

SEED = 0


@click.command("benchmark")
@click.argument("artifacts", metavar="[ARTIFACT]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--batch", default="1,8,32", show_default=True, help="Images in a request, separated by commas.")
@click.option("--threads", help="Numbers of threads, separated by commas.  [default: 1 and the usable CPUs]")
@click.option(
    "--runtime", help="onnx, onnx_int8, onnx_fp16, saved_model, with commas.  [default: what each artifact has]"
)
@click.option("--seconds", default=3.0, show_default=True, help="How long each line is measured.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write the lines to this file, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(
    artifacts: tuple[Path, ...],
    batch: str,
    threads: str | None,
    runtime: str | None,
    seconds: float,
    csv_file: Path | None,
    as_json: bool,
) -> None:
    """Measure each ARTIFACT (the newest, when none is named), several of them in turns within one process."""
    from zoo import provenance, schema
    from zoo.artifact import newest
    from zoo.files import refuse_existing
    from zoo.serving.benchmark import benchmark
    from zoo.serving.table import NARROWEST, plain, tables, write_csv

    if csv_file is not None:
        refuse_existing(csv_file)
    if not artifacts:
        artifacts = (newest(Path("artifacts")),)
        say(f"the newest artifact: {artifacts[0]}")
    made = provenance.here(SEED)
    with progress() as show:
        rows = benchmark(
            artifacts,
            batches=_numbers("--batch", batch),
            threads=None if threads is None else _numbers("--threads", threads),
            runtimes=None if runtime is None else [word.strip() for word in runtime.split(",")],
            seconds=seconds,
            seed=SEED,
            progress=show,
        )
    made = dataclasses.replace(made, finished=provenance.now())
    if csv_file is not None:
        write_csv(csv_file, rows, made)
        say(f"written: {csv_file}")
    if as_json:
        print_json({"provenance": schema.plain(made), "seconds": seconds, "rows": plain(rows)})
    else:
        output = console()
        output.print(*tables(rows), sep="\n", width=max(output.width, NARROWEST), crop=False)


def _numbers(option: str, text: str) -> list[int]:
    from zoo.errors import ZooError

    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ZooError(
            f"{option} {text} are no whole numbers: write them with commas between, such as 1,8,32"
        ) from None
