"""Effect of pruning: a run before and after channels are removed, in float32 and int8.

RUN is pruned to a share of its multiply-adds and fine-tuned on its own data. The original and the pruned run are
exported to float32 and int8, and all files answer all test examples; the accuracies are recorded with the paired
interval of their difference. Latency is that of one example on one thread, measured in turns within this process.

usage: python -m benchmarks.pruning RUN SHARE SCRATCH [--epochs N] [--set KEY=VALUE …]      writes results/pruning.json

Networks other than RUN's keep their figures. A run SCRATCH/NAME-SHARE and artifacts that the same commands have made
are used again.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import made, portable, record, recorded
from zoo import artifact, provenance, schema
from zoo.data.reload import load_again
from zoo.formats.onnx import open_onnx
from zoo.intervals import paired_difference, ratio_of_medians, wilson
from zoo.run import Run, read_finished

FILES = {"float32": "onnx/model.onnx", "int8": "onnx/model.int8.onnx"}
BATCH = 64


def main() -> None:
    """Prune, fine-tune, export, compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path, help="a finished run of a family whose channels can be removed")
    parser.add_argument("share", type=float, help="the share of the multiply-adds that is left")
    parser.add_argument("scratch", type=Path, help="a folder for the runs and the artifacts")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of fine-tuning [10]")
    parser.add_argument("--set", action="append", default=[], help="a change of the recipe")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of measuring latency [20]")
    asked = parser.parse_args()
    whole = read_finished(asked.run)
    pruned = asked.scratch / f"{asked.run.resolve().name}-{asked.share:g}"
    made(pruned, "train", "--weights", asked.run, "--prune", asked.share, *_data(whole), "--epochs", asked.epochs,
         *(word for one in asked.set for word in ("--set", one)))  # fmt: skip
    places = exported(asked.run.resolve(), asked.scratch), exported(pruned, asked.scratch)
    smaller = read_finished(pruned)
    assert smaller.initial is not None
    figures = recorded("pruning")
    figures[f"{whole.model.family}-{whole.model.size} to {asked.share:g}"] = {
        "machine": provenance.machine(),
        "pruning": schema.to_dict(smaller.initial.pruning),
        "train_commands": [portable(whole.provenance.command), portable(smaller.provenance.command)],
        "epochs": [whole.results["epochs"], smaller.results["epochs"]],
        "train_seconds": [whole.results["train_seconds"], smaller.results["train_seconds"]],
        **{name: compared(places, path, whole, asked.seconds) for name, path in FILES.items()},
    }
    record("pruning", figures, seed=smaller.provenance.seed)


def _data(run: Run) -> list[object]:
    """The options of `zoo train` for the data that a run learned from."""
    assert run.data is not None
    words: list[object] = ["--data", run.data.source]
    words += ["--data-dir", run.data.data_dir] if run.data.data_dir else []
    for key, value in run.data.options.items():
        words += [f"--{key}", value]
    return words


def exported(run: Path, scratch: Path) -> Path:
    """The artifact of a run, in float32 and int8."""
    place = scratch / f"{run.name}-artifact"
    made(place, "export", run, "--onnx", "--int8", "--force")
    return place


def compared(places: tuple[Path, Path], file: str, run: Run, seconds: float) -> dict[str, Any]:
    """The files of one format of the whole and of the pruned network: bytes, accuracy on the test examples, latency."""
    from zoo.data.pipeline import encoded_batches
    from zoo.export.accuracy import primary_outputs, right
    from zoo.export.int8.latency_ratio import processor_seconds

    model = artifact.read(places[0]).model
    assert run.data is not None
    assert run.recipe is not None
    examples = load_again(run.data, model.preprocessing.kind, run.recipe.split, None).test
    paths = [folder / file for folder in places]
    sessions = [open_onnx(path, threads=1) for path in paths]
    before, after = (
        right(primary_outputs(session.run, examples, model, BATCH), examples, model) for session in sessions
    )
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    drop, low, high = paired_difference(lost, gained, len(before))
    example, _ = next(iter(encoded_batches(examples, model.preprocessing, batch_size=1)))
    first, second = processor_seconds([functools.partial(session.run, example) for session in sessions], seconds)
    ratio, ratio_low, ratio_high = ratio_of_medians(second, first, seed=0)
    sizes = [path.stat().st_size for path in paths]
    return {
        "accuracy": [_accuracy(one) for one in (before, after)],
        "accuracy_drop": {"value": drop, "low": low, "high": high, "examples": len(before)},
        "bytes": sizes,
        "bytes_ratio": sizes[1] / sizes[0],
        "milliseconds": [1e3 * float(np.median(one)) for one in (first, second)],
        "latency_ratio": {"value": ratio, "low": ratio_low, "high": ratio_high, "rounds": len(first)},
    }


def _accuracy(correct: np.ndarray) -> dict[str, float]:
    low, high = wilson(int(correct.sum()), len(correct))
    return {"value": float(correct.mean()), "low": low, "high": high}


if __name__ == "__main__":
    main()
