"""Latency of our ONNX files against the peers', by the peers' own script: one file against the other, in turns.

OURS has FAMILY-SIZE.onnx files that `zoo export --onnx` wrote, PEERS those of `export_timm.py` and `export_keras.py`.
Ours take uint8 pixels and normalize them, the peers' take floats; "from pixels" has the peers' normalized by numpy.

usage: python benchmarks/latency.py COMPARE_PY OURS PEERS SETTING...      writes results/latency.json

Settings that are not named keep their figures. Files have one size of image: "160 pixels" wants both folders of it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

from measured import record, recorded

SETTINGS = {
    "one thread, one image": (),
    "from pixels": ("--from-pixels",),
    "eight images": ("--batch", "8", "--seconds", "4"),
    "two threads": ("--threads", "2"),
    "160 pixels": (),
}
LINE = re.compile(
    r"(?P<key>\S+)\s+ours\s+(?P<ours>\S+) ms\s+best peer\s+(?P<peer>\S+) ms \((?P<file>\S+)\)\s+"
    r"ratio (?P<ratio>\S+) \[(?P<low>\S+), (?P<high>\S+)\]\s+n=(?P<runs>\d+)"
)
MEAN = re.compile(r"geometric mean (?P<mean>[\d.]+)")


def compared(command: list[str]) -> dict[str, Any]:
    """What the script prints, as numbers: milliseconds, and ratios of ours to the best peer's with their intervals."""
    # It exits with 1 when one ratio is above 1: what that means is for the reader of the figures.
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout
    networks = {
        found["key"]: {
            "ours_ms": float(found["ours"]),
            "peer_ms": float(found["peer"]),
            "peer": found["file"],
            **{key: float(found[key]) for key in ("ratio", "low", "high")},
            "runs": int(found["runs"]),
        }
        for found in LINE.finditer(said)
    }
    mean = MEAN.search(said)
    if not networks or mean is None:
        raise SystemExit(f"{' '.join(command)} compared nothing")
    return {"geometric_mean": float(mean["mean"]), "networks": networks}


def main() -> None:
    """Each setting that is named."""
    script, ours, peers, *names = sys.argv[1:]
    for name in names:
        figures = recorded("latency") | {name: compared([sys.executable, script, ours, peers, *SETTINGS[name]])}
        record("latency", figures)


if __name__ == "__main__":
    main()
