"""Peak memory of a training on 2,000 and on 20,000 JPEGs of 400x300 pixels: it must not grow with the number of files.

usage: python -m benchmarks.input_memory SCRATCH

Each is `zoo train mobilenet` for one epoch at 64 pixels, a process of its own. Writes results/input_memory.json.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from benchmarks.jpegs import write_jpegs
from benchmarks.measured import cost, record

COUNTS = (2_000, 20_000)
LARGEST_RATIO = 1.1


def main() -> None:
    """Train on both folders."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch", type=Path)
    scratch = parser.parse_args().scratch
    os.environ["ZOO_CACHE_DIR"] = str(scratch / "cache")
    figures = {}
    for count in COUNTS:
        folder, run = scratch / f"jpegs-{count}", scratch / f"run-{count}"
        if not folder.exists():
            write_jpegs(folder, count)
        shutil.rmtree(run, ignore_errors=True)
        settings = ("image.size=64", "batch_size=64", "image.smallest_crop=0.35", "image.flip=true")
        changes = [part for setting in settings for part in ("--set", setting)]
        _, spent = cost("train", "mobilenet", "--data", f"folder:{folder}", "--epochs", 1, *changes, "--out", run)
        if spent.status:
            raise SystemExit(f"training on {count} files failed")
        megabytes = sum(path.stat().st_size for path in folder.rglob("*.jpg")) >> 20
        figures[str(count)] = {
            "files_mib": megabytes,
            "peak_memory_mib": spent.peak_memory >> 20,
            "seconds": round(spent.seconds, 1),
        }
    few, many = (figures[str(count)]["peak_memory_mib"] for count in COUNTS)
    record("input_memory", {"by_files": figures, "ratio": many / few, "largest_ratio": LARGEST_RATIO})


if __name__ == "__main__":
    main()
