"""Compare the logits of zoo's Wav2Vec 2.0 with those of transformers for the same random weights.

FOLDER holds SIZE-HEAD.safetensors and SIZE-HEAD.npz, as `export_transformers_wav2vec2` writes them.

usage: .venv/bin/python -m benchmarks.peers.wav2vec2_logits FOLDER [--only large-classes,...]

Writes results/wav2vec2_logits.json. The exit status is 1 if networks differ.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record, recorded
from zoo.models.wav2vec2.reader import read_wav2vec2
from zoo.models.wav2vec2.sizes import OPTIONS
from zoo.tensorflow_setup import import_keras

BOUND = 2e-5
"""The largest difference of float32 logits that is accepted, relative to the largest logit."""


def network(size: str, head: Any, count: int, samples: int | None) -> Any:
    """A Keras network for waveforms with a fixed or an open number of samples."""
    import_keras()
    import keras

    from zoo.models.wav2vec2.network import build

    keras.backend.clear_session()
    waveform = keras.Input((samples,), name="waveform")
    return keras.Model(waveform, build(waveform, count, None, head=head, **OPTIONS[size]).logits)


def compare(weights: Path) -> dict[str, Any]:
    """The largest difference of logits, relative to the largest logit, with a fixed and with an open length."""
    size, _, head = weights.stem.partition("-")
    answers = np.load(weights.with_suffix(".npz"), allow_pickle=False)
    waveform, expected = answers["waveform"], answers["logits"]
    differences = {}
    for length in ("fixed", "open"):
        model = network(size, head, expected.shape[-1], waveform.shape[1] if length == "fixed" else None)
        read_wav2vec2(weights, model)
        ours = model(waveform, training=False).numpy()
        differences[length] = float(np.abs(ours - expected).max() / np.abs(expected).max())
    return {"input": list(waveform.shape), "output": list(expected.shape), "difference": differences}


def main() -> int:
    """Every network of the folder, the smallest first."""
    parser = argparse.ArgumentParser(description="Compare the logits of zoo's Wav2Vec 2.0 with transformers'.")
    parser.add_argument("folder", type=Path, help="what export_transformers_wav2vec2 wrote")
    parser.add_argument("--only", default="", help="networks to compare; others keep their figures [all]")
    asked = parser.parse_args()
    figures = recorded("wav2vec2_logits").get("networks", {}) if asked.only else {}
    for path in sorted(asked.folder.glob("*.safetensors"), key=lambda path: path.stat().st_size):
        if asked.only and path.stem not in asked.only.split(","):
            continue
        figures[path.stem] = compare(path)
        print(path.stem, figures[path.stem], file=sys.stderr, flush=True)
    above = [name for name, found in figures.items() if max(found["difference"].values()) > BOUND]
    record("wav2vec2_logits", {"bound": BOUND, "networks": figures, "above": above})
    return 1 if above or not figures else 0


if __name__ == "__main__":
    sys.exit(main())
