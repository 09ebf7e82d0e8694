"""Time and memory of exporting each network at 224 pixels, and the verdicts of its gates.

The networks have random weights: `zoo pull` reads those of PEER_FILES, which `peers.export_timm --weights` wrote.
`cnn`, which has no peer, gets fresh weights.

usage: python -m benchmarks.exports PEER_FILES SCRATCH [PATTERN]      writes results/exports.json

Networks that the pattern leaves out keep their figures.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.measured import cost, record, recorded, zoo
from benchmarks.peers.export_zoo import pull
from zoo import artifact
from zoo.registry import Family, Size, matching

SIDE = 224
SECONDS, SECONDS_PER_MILLION = 60, 0.3
GIGABYTES, TIMES_THE_WEIGHTS = 1.5, 5


def run_folder(peer_files: Path, scratch: Path, family: Family, size: Size) -> Path:
    """A finished run of a network for 224 pixels."""
    key = f"{family.name}-{size.name}"
    folder, weights = scratch / f"{key}-run", peer_files / f"{key}.safetensors"
    if weights.exists():
        pull(peer_files, family.name, size.name, SIDE, folder)
    else:
        few = [part for setting in ("split.test=0.4", "split.validation=0.4") for part in ("--set", setting)]
        large = ("--set", f"image.size={SIDE}", "--set", "image.channels=3", "--epochs", 1)
        zoo("train", family.name, "--size", size.name, *few, *large, "--out", folder)
    return folder


def export(run: Path, out: Path, size: Size) -> dict[str, Any]:
    """The cost of an export with its bounds, and the verdicts of the gates."""
    _, spent = cost("export", run, "--out", out)
    weights = (run / "weights.safetensors").stat().st_size / 1e9
    figures: dict[str, Any] = {
        "parameters": size.parameters,
        "seconds": round(spent.seconds, 1),
        "seconds_allowed": round(SECONDS + SECONDS_PER_MILLION * size.parameters / 1e6, 1),
        "gigabytes": round(spent.peak_memory / 1e9, 2),
        "gigabytes_allowed": round(GIGABYTES + TIMES_THE_WEIGHTS * weights, 2),
        "status": spent.status,
    }
    if spent.status == 0:
        gates = artifact.read(out).gates
        agreements = {gate.name: gate.figures for gate in gates if "largest_difference" in gate.figures}
        figures["gates_passed"] = sum(gate.passed for gate in gates)
        figures["gates"] = len(gates)
        figures["largest_difference"] = {name: found["largest_difference"] for name, found in agreements.items()}
    return figures


def main() -> None:
    """Every network that the pattern matches."""
    peer_files, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    figures = recorded("exports")
    for family, size in matching(*sys.argv[3:]):
        key = f"{family.name}-{size.name}"
        run = run_folder(peer_files, scratch, family, size)
        figures[key] = export(run, scratch / key, size)
        print(key, figures[key], file=sys.stderr, flush=True)
        shutil.rmtree(run)
        # Record after each network, because all of them take most of an hour.
        record("exports", figures)


if __name__ == "__main__":
    main()
