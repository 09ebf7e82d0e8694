"""The functions of `zoo.input.Data` for texts."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import schema
from zoo.data.dataset import Dataset, Examples
from zoo.data.example import Example, RawDataset, Unreadable
from zoo.data.names import composed, shown
from zoo.errors import ZooError, listed
from zoo.family import Family, Size
from zoo.inputs.text import messages
from zoo.inputs.text.hard import LINES, random_text
from zoo.inputs.text.preprocessing import LONGEST_TEXT, SPECIAL, TEXT, TextPreprocessing, refusal
from zoo.inputs.text.settings import TextSettings
from zoo.inputs.text.text_files import read_text_file
from zoo.inputs.text.tokens import tokenized
from zoo.inputs.text.vocabulary import SPECIAL_TOKENS, read, trained

if TYPE_CHECKING:
    from zoo.description import Model

USUAL_LENGTH = 128
"""The most tokens of a text where the settings state no number."""

USUAL_UNKNOWN = 0.05
"""The share of unknown tokens above which a remark mentions them."""

HARD_TEXTS = 64
"""The number of generated texts that the gate on clients compares, beside the lines of `zoo.inputs.text.hard`."""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file, which is read when its text is needed."""

    path: str

    def read(self) -> str:
        """Read the text.

        Raises:
            ZooError: it cannot be read any more.
        """
        try:
            return read_text_file(Path(self.path))
        except ZooError as error:
            raise ZooError(f"{self.path} can no longer be read ({error}): start again") from None


RECORDS = (TextFile, None)


def inspect(path: Path, *, split: str, target: Any, name: str) -> Example:
    """Read a text file.

    Raises:
        ZooError: it is not UTF-8, too large, or cannot be read.
    """
    return described(read_text_file(path), TextFile(str(path)), split=split, target=target, name=name)


def described(text: Any, source: Any, *, split: str, target: Any, name: str) -> Example:
    """Describe a text; `source` is the text itself or an object that reads it.

    Raises:
        ZooError: it is not text, or networks refuse it.
    """
    reason = refusal(text)
    if reason:
        raise ZooError(reason)
    encoded = text.encode()
    return Example(split, target, name, source, len(encoded), hashlib.sha256(encoded).digest())


def dataset_of_frame(
    frame: Any, text: str, target: str | None, argument: str, data_dir: str | None, model: Model | None = None
) -> RawDataset:
    """Return the texts of a column of a table, with the columns of `--target` as their targets, if it names any.

    Rows without a target are unreadable, and so are rows with a number in place of a text, or with a text that is not
    valid Unicode or is too long. A missing text counts as an empty one, which is readable.

    Raises:
        ZooError: there is no such column, it is also a target, or the target has no values.
    """
    from zoo.inputs.table.targets import read_targets

    texts, targets = frame.column(text, "--text"), read_targets(frame, target, model)
    if text in targets.names:
        raise ZooError(f"--text and --target are both '{shown(text)}': name two columns")

    def example(number: int, row_target: Any) -> Example | Unreadable:
        content = "" if texts[number] is None else texts[number]
        split, row_name = frame.splits[number], frame.places[number]
        try:
            return described(content, content, split=split, target=row_target, name=row_name)
        except ZooError as error:
            return Unreadable(split, row_target, row_name, f"column '{shown(text)}' is {error}")

    examples, unreadable = targets.examples(frame, example)
    return RawDataset(
        "text", targets.labels, examples, unreadable, targets.task, argument, data_dir, form=text, parts=targets.parts
    )


def dataset_of_messages() -> RawDataset:
    """Return the synthetic messages of `zoo.inputs.text.messages`."""
    labels = tuple(messages.PHRASES)
    examples = [
        described(text, text, split="train", target=labels.index(label), name=f"message {number}")
        for number, (label, text) in enumerate(messages.messages(), start=1)
    ]
    return RawDataset("text", labels, examples)


def form(examples: Sequence[Example]) -> str:
    """Return the name of the column of texts, for a source that has no columns."""
    return TEXT


def suiting(dataset: Dataset, settings: TextSettings, like: TextPreprocessing | None) -> TextPreprocessing:
    """Return the preprocessing `like` of weights, or one with a vocabulary that is trained on the training split.

    Raises:
        ZooError: a text of the training split cannot be read, or none has a word.
    """
    if like:
        preprocessing = dataclasses.replace(like, max_length=settings.max_length or like.max_length)
    else:
        train = dataset.train
        texts = (train.read(number) for number in range(len(train)))
        length = settings.max_length or USUAL_LENGTH
        preprocessing = trained(texts, settings.vocabulary, length, settings.lowercase)
    return dataclasses.replace(preprocessing, column=dataset.form)


def kept(examples: Examples, preprocessing: TextPreprocessing) -> tuple[Examples, tuple[str, ...]]:
    """Return all texts: a source refuses those that no network reads, and longer ones are cut.

    Texts count as copies of training texts even if they differ in white space, in Unicode's form or, where the network
    lowercases them, in case.
    """
    return dataclasses.replace(examples, fitted_digests=_digests_of_words(examples, preprocessing)), ()


def _digests_of_words(texts: Examples, preprocessing: TextPreprocessing) -> np.ndarray:
    """Return a digest of the words of each text, uint64 [texts], see `Examples.fitted_digests`."""
    digests = np.empty(len(texts), np.uint64)
    for number in range(len(texts)):
        words = " ".join(composed(texts.read(number)).split())
        words = words.lower() if preprocessing.lowercase else words
        # The prefix makes it differ from the digest of a text's bytes.
        digest = hashlib.sha256(b"words\0" + words.encode(errors="surrogatepass")).digest()
        digests[number] = int.from_bytes(digest[:8], "little")
    return digests


def remarks(splits: Sequence[Examples], preprocessing: TextPreprocessing) -> Iterator[str]:
    """Say how many texts have no word, and how many tokens are unknown, if they are many."""
    tokens_of_splits = [tokenized(split, preprocessing) for split in splits]
    empty = [
        split.names(int(index))
        for split, tokens in zip(splits, tokens_of_splits, strict=True)
        for index in np.flatnonzero(tokens.lengths == SPECIAL)
    ]
    if empty:
        yield f"{len(empty)} of {sum(map(len, splits))} texts are empty: {listed(empty, most=3)}"
    unknown_id = preprocessing.id_of(preprocessing.unk_token)
    count = sum(len(tokens.ids) - SPECIAL * len(tokens.lengths) for tokens in tokens_of_splits)
    unknown = sum(int((tokens.ids == unknown_id).sum()) for tokens in tokens_of_splits)
    if unknown > USUAL_UNKNOWN * count:
        yield f"{unknown} of {count} tokens of the texts are unknown to the vocabulary"


def adjustments(dataset: Dataset, preprocessing: TextPreprocessing, settings: TextSettings) -> Iterator[str]:
    """Say the size of the vocabulary, and how many texts are cut to the network's length."""
    case = "lower case" if preprocessing.lowercase else "upper and lower case"
    yield f"a vocabulary of {len(preprocessing.vocabulary):,} WordPiece tokens in {case}"
    splits = (dataset.train, dataset.validation, dataset.test)
    cut = sum(int(tokenized(split, preprocessing).is_cut.sum()) for split in splits)
    if cut:
        yield (
            f"{cut} of {sum(map(len, splits))} texts have more than {preprocessing.max_length} tokens and lose the "
            "rest: --set text.max_length=… takes more"
        )


def reference(shape: Sequence[int]) -> TextPreprocessing:
    """Return the preprocessing of a network for texts of (most tokens, tokens of the vocabulary).

    Raises:
        ZooError: no network takes texts of so many tokens, or the vocabulary has no room for the special tokens.
    """
    length, count = shape
    if count < len(SPECIAL_TOKENS):
        raise ZooError(f"input_shape: the vocabulary should have at least {len(SPECIAL_TOKENS)} tokens, not {count}")
    other_tokens = (f"token{number}" for number in range(len(SPECIAL_TOKENS), count))
    values = {"vocabulary": (*SPECIAL_TOKENS, *other_tokens), "max_length": length}
    return schema.parse(TextPreprocessing, values, "input_shape")


def published(folder: Path, task: str, seconds: float | None = None) -> TextPreprocessing:
    """Return the preprocessing of a folder of transformers: its tokenizer, and the most tokens that it names.

    Raises:
        ZooError: there is no tokenizer, zoo cannot put it into a graph, or `seconds` is given.
    """
    if seconds is not None:
        raise ZooError("--seconds is for networks of sound, and this one takes texts: leave it out")
    return read(folder)


def structure(family: Family, size: Size, preprocessing: TextPreprocessing) -> None:
    """Return None: the vocabulary decides the form of the network."""
    return


def check(family: Family, size: Size, preprocessing: TextPreprocessing, structure: None) -> None:
    """Raise ZooError when texts may have more tokens than a network has positions."""
    longest = size.options.get("longest", preprocessing.max_length)
    if preprocessing.max_length > longest:
        raise ZooError(
            f"{family.name} {size.name} takes texts of up to {longest} tokens, not {preprocessing.max_length}: "
            f"--set text.max_length={longest}"
        )


def stand_ins() -> tuple[Examples, str]:
    """Return synthetic messages, and their license."""
    examples = [
        described(text, text, split="test", target=0, name=f"message {number}")
        for number, (_, text) in enumerate(messages.messages(11), start=1)
    ]
    return Examples.of(examples), messages.LICENSE


def samples(raw: Sequence[str], preprocessing: TextPreprocessing) -> list[str]:
    """Return a text that has to be cut, and then the texts as they are.

    The first text is repeated until it has more words than the network takes tokens, or is as long as a text may be.
    """
    unit = f"{raw[0]} . "
    times = min(preprocessing.max_length // len(unit.split()) + 1, LONGEST_TEXT // len(unit.encode()))
    return [unit * times or raw[0], *raw]


def doubtful(raw: Sequence[str], preprocessing: TextPreprocessing) -> list[str]:
    """Return texts that tokenizers disagree about, and the texts of the data."""
    generator = np.random.default_rng(0)
    random_texts = [
        random_text(preprocessing.vocabulary, preprocessing.max_length, generator) for _ in range(HARD_TEXTS)
    ]
    return [*raw, *LINES, *random_texts]


def damaged(raw: str, preprocessing: TextPreprocessing) -> dict[str, Any]:
    """Return texts that are not valid Unicode; `raw` is a valid one."""
    return {"a lone surrogate": "\ud800", "a text with a lone surrogate": f"{raw}\udfff"}


def hostile() -> tuple[dict[str, str], dict[str, str]]:
    """Return a text that is too long to be read, and texts of the greatest length."""
    units = {"one word": "a", "punctuation": ".", "spaces": " ", "short words": "a ", "accents": "e\u0301", "NUL": "\0"}
    refused = {"2 MiB": "a" * (2 * LONGEST_TEXT)}
    return refused, {f"1 MiB of {name}": unit * (LONGEST_TEXT // len(unit.encode())) for name, unit in units.items()}


def client_tolerance(preprocessing: TextPreprocessing) -> float:
    """Return 0: ids are equal or wrong."""
    return 0.0
