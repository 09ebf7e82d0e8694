"""Time from the start of `zoo train` to the end of its first step on 100,000 small PNGs, for the first and second run.

The first run reads every file; the second uses the index of the folder. The script also measures the loading alone.

usage: python -m benchmarks.folder_start SCRATCH [--files 100000] [--load-only]

Writes results/folder_start.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.jpegs import write_small
from benchmarks.measured import record, watched

LONGEST_SECOND_START = 10.0


def main() -> None:
    """Measure first and second starts, or run one of them in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--load-only", action="store_true", help="measure no trainings")
    parser.add_argument("--child", choices=CHILDREN)
    asked = parser.parse_args()
    if asked.child:
        CHILDREN[asked.child](asked.scratch)
        return
    folder = asked.scratch / f"small-{asked.files}"
    if not folder.exists():
        write_small(folder, asked.files)
        # The index does not trust files that were written less than two seconds before they were read.
        time.sleep(3)
    os.environ["ZOO_CACHE_DIR"] = str(asked.scratch / "cache")
    figures: dict[str, Any] = {"files": asked.files, "longest_second_start": LONGEST_SECOND_START}
    for what in ("load",) if asked.load_only else CHILDREN:
        shutil.rmtree(asked.scratch / "cache", ignore_errors=True)
        figures[what] = {order: start(what, folder) for order in ("first", "second", "third")}
    index = next((asked.scratch / "cache").rglob("*.npz"))
    record("folder_start", {**figures, "index_mib": round(index.stat().st_size / 2**20, 1)})


def start(what: str, folder: Path) -> dict[str, Any]:
    """Seconds of a start, and the most memory that it held until its first step was done."""
    command = [sys.executable, "-m", "benchmarks.folder_start", str(folder), "--child", what]
    with tempfile.TemporaryFile("w+") as answer:
        spent = watched(command, answer)
        answer.seek(0)
        said = json.loads(answer.read())
    return {**said, "process_seconds": round(spent.seconds, 2), "peak_memory_mib": spent.peak_memory >> 20}


def load(folder: Path) -> None:
    """Load the folder, and print how long that took after the imports."""
    from zoo.data.load import load as load_data
    from zoo.recipe import Split

    began, spent = time.perf_counter(), time.process_time()
    data = load_data(f"folder:{folder}", "image", split=Split(copies_together=True))
    seconds, spent = time.perf_counter() - began, time.process_time() - spent
    print(
        json.dumps(
            {"load_seconds": round(seconds, 2), "load_processor_seconds": round(spent, 2), "images": len(data.train)}
        )
    )


def train(folder: Path) -> None:
    """Train up to the end of the first step."""
    import keras

    import zoo

    class FirstStep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            assert logs
            print(json.dumps({"processor_seconds": round(time.process_time(), 2), "loss": logs["loss"]}), flush=True)
            os._exit(0)

    with tempfile.TemporaryDirectory() as place:
        zoo.train("cnn", data=f"folder:{folder}", out=Path(place) / "run", epochs=1, callbacks=[FirstStep()])


CHILDREN = {"load": load, "train": train}

if __name__ == "__main__":
    main()
