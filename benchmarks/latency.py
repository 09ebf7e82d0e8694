"""Latency of zoo's ONNX files compared with the peers' files, in turns.

OURS is a folder of files FAMILY-SIZE.onnx that `peers.export_zoo` wrote, PEERS a folder of files of `peers.export_timm`
and `peers.export_keras`. zoo's files take uint8 pixels and normalize them; the peers' files take floats. The setting
"from pixels" adds the time in which numpy normalizes the peers' input.

usage: python -m benchmarks.latency OURS PEERS SETTING...      writes results/latency.json

Settings that are not named keep their figures. Files have a fixed image size: "160 pixels" needs files of that size in
both folders.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.measured import record, recorded
from benchmarks.peers.compare_latency import Setting, compare_folders, geometric_mean

SETTINGS = {
    "one thread, one image": Setting(),
    "from pixels": Setting(from_pixels=True),
    "eight images": Setting(batch=8, seconds=4),
    "two threads": Setting(threads=2),
    "160 pixels": Setting(image_size=160),
}


def measure(ours: Path, peers: Path, setting: Setting) -> dict[str, Any]:
    """Milliseconds of every network, and the ratio of zoo's file to the fastest peer's, with its interval."""
    networks, ratios = {}, []
    for name, peer, found in compare_folders(ours, peers, setting):
        networks[name] = {
            "ours_ms": round(found.ours_ms, 2),
            "peer_ms": round(found.peer_ms, 2),
            "peer": peer,
            "ratio": round(found.ratio, 3),
            "low": round(found.low, 3),
            "high": round(found.high, 3),
            "runs": found.rounds,
        }
        ratios.append(found.ratio)
        print(name, networks[name], file=sys.stderr, flush=True)
    return {"geometric_mean": round(geometric_mean(ratios), 3), "networks": networks}


def main() -> None:
    """Measure each setting that is named."""
    parser = argparse.ArgumentParser(description="Record the latency of zoo's ONNX files against the peers'.")
    parser.add_argument("ours", type=Path, help="a folder of FAMILY-SIZE.onnx")
    parser.add_argument("peers", type=Path, help="a folder of FAMILY-SIZE.onnx and FAMILY-SIZE.*.onnx")
    parser.add_argument("settings", nargs="+", choices=SETTINGS, metavar="SETTING", help=" | ".join(SETTINGS))
    asked = parser.parse_args()
    for name in asked.settings:
        record("latency", recorded("latency") | {name: measure(asked.ours, asked.peers, SETTINGS[name])})


if __name__ == "__main__":
    main()
