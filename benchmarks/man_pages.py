"""Accuracy of `lstm` small at identifying nine languages, on paragraphs of Debian's manual pages.

usage: python -m benchmarks.man_pages FOLDER      writes results/man_pages.json

FOLDER holds the unpacked Debian packages of manual pages. Each page has its own license, and the results contain none:

    apt-get download manpages{,-dev,-de,-de-dev,-es,-es-dev,-fr,-fr-dev,-it,-it-dev,-nl,-nl-dev,-pl,-pl-dev}
    apt-get download manpages{-pt-br,-pt-br-dev,-ru,-ru-dev}
    for package in *.deb; do dpkg-deb -x "$package" FOLDER; done

The selection: a text is a paragraph, without its markup, of at least `FEWEST` words that have letters only. Examples,
tables, and paragraphs that occurred before on any page are left out. Pages that are not completely translated have
paragraphs in English, so paragraphs of other languages with any of the words `ENGLISH` are left out, too. The script
takes the first `EACH` paragraphs of each language, at most `A_PAGE` per page, in the order of a hash of the page's
name. By the same hash, a fifth of the pages is for the test and a tenth of the others for validation, the same pages
in all languages. Thus no page of the test, nor a translation of it, is used for training.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measured import record, zoo

LANGUAGES = {
    "Dutch": "nl",
    "English": "",
    "French": "fr",
    "German": "de",
    "Italian": "it",
    "Polish": "pl",
    "Portuguese": "pt_BR",
    "Russian": "ru",
    "Spanish": "es",
}
"""The languages, with the folder of their pages."""

EACH, A_PAGE, FEWEST = 1500, 20, 8

ENGLISH = frozenset(
    ("the", "and", "this", "that", "with", "are", "which", "from", "when", "if", "not", "be", "should", "can")
)
"""Words of English that none of the other languages has."""

PARTS = ("train", "val", "test")

FONTS = (".B", ".I", ".BR", ".BI", ".IR", ".IB", ".RB", ".RI", ".SM", ".SB")
"""Macros whose arguments are words of the paragraph; all other macros end the paragraph."""

UNFILLED = {".nf": ".fi", ".EX": ".EE", ".TS": ".TE"}
"""Macros that begin an example or a table, and those that end it."""

ACCENTS = {":": "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", ",": "\u0327", "~": "\u0303"}
"""Combining characters by their sign in an escape, such as the sign of a German umlaut."""

ACCENTED = re.compile(r"\\\((?P<accent>[:'`^,~])(?P<letter>\w)")

ESCAPES = (
    (re.compile(r'\\".*'), ""),
    (re.compile(r"\\f(\[[^]]*\]|\(..|.)"), ""),
    (re.compile(r"\\s[-+]?\d+"), ""),
    (re.compile(r"\\\(aq"), "'"),
    (re.compile(r"\\-"), "-"),
    (re.compile(r"\\\*?(\[[^]]*\]|\(..)|\\\*."), ""),
    (re.compile(r"\\[&|^/,%:c]"), ""),
    (re.compile(r"\\[ ~0]"), " "),
    (re.compile(r"\\[e\\]"), r"\\"),
)
"""Replacements for the markup within a line."""


def paragraphs(page: str) -> Iterator[str]:
    """Yield the paragraphs of a page in roff, without its markup, headings, examples and tables."""
    words: list[str] = []
    until = ""
    for line in (*page.splitlines(), ".PP"):
        macro = line.split(" ")[0]
        if until:
            until = "" if macro == until else until
        elif line and not line.startswith((".", "'")):
            words += plain(line).split()
        elif macro in FONTS:
            words += plain(line.removeprefix(macro).replace('"', "")).split()
        else:
            if sum(word.strip(".,;:!?").isalpha() for word in words) >= FEWEST:
                yield " ".join(words)
            words = []
            until = UNFILLED.get(macro, "")


def plain(line: str) -> str:
    """Return a line without its escapes."""
    line = ACCENTED.sub(lambda found: found["letter"] + ACCENTS[found["accent"]], line)
    for pattern, text in ESCAPES:
        line = pattern.sub(text, line)
    return unicodedata.normalize("NFC", line)


def is_english(text: str) -> bool:
    """Return whether a paragraph has a word of English."""
    return not ENGLISH.isdisjoint(re.findall(r"\w+", text.lower()))


def hashed(name: str) -> float:
    """Return a number from 0 to 1 for the name of a page."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def texts(folder: Path, language: str, left_out: Counter[str]) -> Iterator[tuple[str, str]]:
    """Yield the part and the text of paragraphs of a language."""
    root = folder / "usr/share/man" / LANGUAGES[language]
    pages = {path.name.removesuffix(".gz"): path for path in root.glob("man*/*.gz")}
    seen: set[str] = set()
    for name in sorted(pages, key=hashed):
        place = (hashed(name) * 1e6) % 1
        part = "test" if place < 0.2 else "val" if place < 0.28 else "train"
        taken = 0
        for text in paragraphs(gzip.decompress(pages[name].read_bytes()).decode("utf-8", "replace")):
            if language != "English" and is_english(text):
                left_out[language] += 1
            elif text not in seen and len(seen) < EACH and taken < A_PAGE:
                seen.add(text)
                taken += 1
                yield part, text


def main() -> None:
    """Write the paragraphs as tables, train and measure."""
    folder = Path(sys.argv[1])
    left_out: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        paths = {part: Path(scratch, f"{part}.csv") for part in PARTS}
        rows: dict[str, list[tuple[str, str]]] = {part: [("text", "language")] for part in PARTS}
        for language in LANGUAGES:
            for part, text in texts(folder, language, left_out):
                rows[part].append((text, language))
        for part, path in paths.items():
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows[part])
        start = time.perf_counter()
        data = "csv:" + ",".join(map(str, paths.values()))
        made = zoo(
            "train", "lstm", "--size", "small", "--data", data, "--text", "text", "--target", "language",
            "--out", Path(scratch, "run"),
        )  # fmt: skip
        seconds = time.perf_counter() - start
        evaluated = zoo("evaluate", Path(scratch, "run"), "--out", Path(scratch, "evaluation"))
    results = made["results"]
    record(
        "man_pages",
        {
            "network": "lstm-small",
            "paragraphs": dict(Counter(language for part in PARTS for _, language in rows[part][1:])),
            "left_out_as_english": dict(left_out),
            "counts": made["data"]["counts"],
            "accuracy": results["test_accuracy"],
            "interval": results["test_interval"],
            "recall": {one["label"]: one["recall"] for one in evaluated["classes"]},
            "train_seconds": results["train_seconds"],
            "seconds": seconds,
        },
    )


if __name__ == "__main__":
    main()
