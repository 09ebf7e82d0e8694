"""Cost of int8 on scored English sentences: a fine-tuned `bert` small in float32 and int8 on the same test sentences.

usage: python -m benchmarks.int8_sentences SENTENCES MINILM SCRATCH      writes results/int8_sentences.json

SENTENCES, MINILM, the split and the settings are those of `benchmarks.sentences`. The lowest score of a sentence comes
from results/sentences.json. If SCRATCH/bert-small exists, it is not trained again.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

from benchmarks.measured import record, recorded, zoo
from benchmarks.sentences import measured, sentences, written
from zoo import artifact
from zoo.run import read_finished

NAME = "bert-small"


def main() -> None:
    """Train, export with int8, and record what the export says."""
    archive, minilm, scratch = (Path(argument).resolve() for argument in sys.argv[1:])
    scratch.mkdir(parents=True, exist_ok=True)
    run, out = scratch / NAME, scratch / f"{NAME}-artifact"
    if not run.exists():
        least = recorded("sentences")["rule"]["least_score"]
        measured(NAME, written(list(sentences(archive)), least, scratch / "data"), scratch, minilm)
    start = time.perf_counter()
    zoo("export", run, "--int8", "--out", out)
    spent = time.perf_counter() - start
    trained, made = read_finished(run), artifact.read(out)
    assert made.int8 is not None
    figures = {
        "train": trained.results,
        "gates": {gate.name: gate.passed for gate in made.gates},
        "int8": dataclasses.asdict(made.int8),
        "export_seconds": round(spent, 1),
    }
    record("int8_sentences", figures, seed=trained.provenance.seed)


if __name__ == "__main__":
    main()
