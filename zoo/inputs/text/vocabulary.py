"""Vocabularies of WordPiece tokens: trained on texts, or read from the files of transformers."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo import files, schema
from zoo.errors import ZooError, listed, one_line
from zoo.inputs.text.hard import LINES
from zoo.inputs.text.preprocessing import TextPreprocessing, import_tokenizers, refusal, tokenizer_of

TOKENIZER, VOCABULARY, CONFIG = "tokenizer.json", "vocab.txt", "tokenizer_config.json"
"""Files of transformers."""

LENGTHS = (
    ("sentence_bert_config.json", "max_seq_length"),
    (CONFIG, "model_max_length"),
    ("config.json", "max_position_embeddings"),
)
"""Files and the key in each that states the most tokens of a text, in order of precedence."""

UNKNOWN_LENGTH = 10**9
"""The library transformers writes a `model_max_length` beyond this where it knows no length."""

MODELS = ("Bert", "DistilBert", "Electra", "MobileBert", "ConvBert", "SqueezeBert")
"""Models of transformers whose `vocab.txt` goes with BERT's tokenizer."""

SUPPORTED = "zoo reads WordPiece with BertNormalizer or Lowercase, BertPreTokenizer, and a special token on each side"

NO_CHANGE = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
"""The options of a normalizer that changes nothing."""

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
"""The first tokens of a trained vocabulary."""

MOST_CHARACTERS, TOKENS_A_CHARACTER = 1000, 8
"""A trained vocabulary has at most 1000 characters that words are joined from, and 8 tokens for each. A word with a
rarer character is unknown."""

SHARE_OF_WORDS = 2
"""Characters that are whole words, as in Chinese, take at most half of a trained vocabulary."""

LEAST_SIZE = 100
"""The least size of a trained vocabulary, in tokens."""

LEAST_OFTEN = 2
"""Two tokens are joined to a longer token if they stand side by side at least this many times."""


def trained(
    texts: Iterable[str], size: int, max_length: int, lowercase: bool = True, strip_accents: bool | None = None
) -> TextPreprocessing:
    """Train a vocabulary on texts; their order has no influence on it.

    Args:
        texts: the texts of the training split.
        size: the most tokens, including the special tokens. If there are few texts, there are fewer tokens.
        max_length: the most tokens of a text that the network takes.
        lowercase: as in `TextPreprocessing`.
        strip_accents: as in `TextPreprocessing`; None takes the value of `lowercase`.

    Raises:
        ZooError: `size` is too small, a text cannot be read, or no text has a word.
    """
    if size < LEAST_SIZE:
        raise ZooError(f"a vocabulary of {size} tokens is too small: ask for {LEAST_SIZE} or more")
    options = {
        "max_length": max_length,
        "lowercase": lowercase,
        "strip_accents": lowercase if strip_accents is None else strip_accents,
    }
    untrained = schema.parse(TextPreprocessing, {"vocabulary": SPECIAL_TOKENS, **options}, "the vocabulary")
    vocabulary = _joined(_words(texts, untrained), size, untrained)
    return schema.parse(TextPreprocessing, {"vocabulary": vocabulary, **options}, "the vocabulary")


def _words(texts: Iterable[str], preprocessing: TextPreprocessing) -> collections.Counter[str]:
    """Count the words of texts."""
    tokenizer = tokenizer_of(preprocessing)
    words: collections.Counter[str] = collections.Counter()
    for number, text in enumerate(texts, 1):
        if reason := refusal(text):
            raise ZooError(f"text {number} is {reason}")
        parts = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        words.update(part for part, _ in parts if len(part) <= preprocessing.longest_word)
    if not words:
        raise ZooError("no text has a word to train a vocabulary on: name other texts")
    return words


def _joined(words: collections.Counter[str], size: int, preprocessing: TextPreprocessing) -> list[str]:
    """Return the special tokens, the characters of words, and the tokens that are joined from them."""
    tokenizers = import_tokenizers()
    counts: collections.Counter[str] = collections.Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    whole_words = [character for character in ranked if character in words]
    limit = min(MOST_CHARACTERS, size // TOKENS_A_CHARACTER)
    characters = sorted({*ranked[:limit], *whole_words[: size // SHARE_OF_WORDS]})
    first_characters = {word[0] for word in words}
    later_characters = {character for word in words for character in word[1:]}
    # The trainer finds characters that it is not given by itself, and numbers them in the order of a hash table, which
    # differs from process to process. If all characters are given as special tokens, it joins the same pairs each time.
    initial_tokens = [
        *SPECIAL_TOKENS,
        *(character for character in characters if character in first_characters),
        *(preprocessing.continuing + character for character in characters if character in later_characters),
    ]
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=LEAST_OFTEN,
        special_tokens=initial_tokens,
        initial_alphabet=characters,
        limit_alphabet=len(characters),
        continuing_subword_prefix=preprocessing.continuing,
        show_progress=False,
    )
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token=preprocessing.unk_token))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator((" ".join([word] * count) for word, count in words.items()), trainer)
    ids = tokenizer.get_vocab()
    return sorted(ids, key=ids.__getitem__)


def read(folder: Path, max_length: int | None = None) -> TextPreprocessing:
    """Read the tokenizer of a folder that transformers or sentence-transformers wrote.

    Args:
        folder: the folder, with `tokenizer.json`, or with `vocab.txt` and `tokenizer_config.json`.
        max_length: the most tokens of a text; None takes the number from the files.

    Raises:
        ZooError: files are missing or damaged, or zoo cannot put the tokenizer into a graph.
    """
    config = _config(folder)
    if (folder / TOKENIZER).exists():
        path, attributes = folder / TOKENIZER, _from_tokenizer(folder / TOKENIZER, config)
    else:
        path, attributes = folder / VOCABULARY, _from_vocabulary(folder / VOCABULARY, config)
    attributes["max_length"] = max_length or _max_length(folder)
    try:
        preprocessing = schema.parse(TextPreprocessing, attributes, "its tokenizer")
    except ZooError as error:
        raise ZooError(f"{path}: {error}") from None
    if path.name == TOKENIZER:
        _check(path, preprocessing)
    return preprocessing


def _unfit(path: Path, reason: str) -> ZooError:
    return ZooError(f"{path} {reason}, which does not fit: {SUPPORTED}")


def _config(folder: Path) -> dict[str, Any]:
    """Read `tokenizer_config.json`, and refuse settings that BERT's tokenizer does not have."""
    path = folder / CONFIG
    if not path.exists():
        if (folder / TOKENIZER).exists():
            return {}
        raise ZooError(f"{folder} has neither {TOKENIZER} nor {CONFIG}, which says if letters are lowercased: add one")
    config = _object(path)
    if config.get("do_basic_tokenize") is False:
        raise _unfit(path, "splits no words")
    if config.get("never_split"):
        raise _unfit(path, "names words that are never split")
    return config


def _object(path: Path) -> dict[str, Any]:
    document = files.read_json(path, "copy it again")
    if not isinstance(document, dict):
        raise ZooError(f"{path} holds no JSON object: copy it again")
    return document


def _max_length(folder: Path) -> Any:
    for name, key in LENGTHS:
        if (folder / name).exists():
            value = _object(folder / name).get(key)
            if value is not None and not (isinstance(value, int | float) and value > UNKNOWN_LENGTH):
                return value
    sources = listed(f"{key} of {name}" for name, key in LENGTHS)
    raise ZooError(f"{folder} does not state the most tokens of a text ({sources}): give max_length")


def _from_tokenizer(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Read the attributes of a `TextPreprocessing` from a `tokenizer.json`."""
    try:
        # The library checks the file and adds everything that older files leave out.
        document = json.loads(import_tokenizers().Tokenizer.from_file(str(path)).to_str())
    except Exception as error:  # the library has no exception class of its own
        raise ZooError(f"{path} cannot be read ({one_line(error)}): copy it again") from None
    model = document["model"]
    if model["type"] != "WordPiece":
        raise _unfit(path, f"is a tokenizer of type {model['type']}")
    if (splitter := _type(document["pre_tokenizer"])) != "BertPreTokenizer":
        raise _unfit(path, f"splits words with {splitter}")
    options = _normalizer(path, document["normalizer"])
    if config.get("do_lower_case", options["lowercase"]) != options["lowercase"]:
        raise ZooError(f"{path} and {CONFIG} disagree about do_lower_case: correct the one that is wrong")
    vocabulary = _in_order(path, model["vocab"])
    _check_added(path, document["added_tokens"], vocabulary)
    token_before, token_after = _around(path, document["post_processor"], model["vocab"])
    padding = document["padding"] or {}
    return {
        **options,
        "vocabulary": vocabulary,
        "cls_token": token_before,
        "sep_token": token_after,
        "pad_token": _token(config, "pad_token", padding.get("pad_token", "[PAD]")),
        "unk_token": model["unk_token"],
        "continuing": model["continuing_subword_prefix"],
        "longest_word": model["max_input_chars_per_word"],
    }


def _type(part: dict[str, Any] | None) -> str:
    """Return the type of a part of a tokenizer; for a sequence, with the types of its steps."""
    if part is None:
        return "nothing"
    steps = next((value for value in part.values() if isinstance(value, list)), [])
    step_types = [str(step["type"]) for step in steps if isinstance(step, dict) and "type" in step]
    return f"{part['type']}({', '.join(step_types)})" if step_types else str(part["type"])


def _normalizer(path: Path, normalizer: dict[str, Any] | None) -> dict[str, bool]:
    if normalizer is None:
        return NO_CHANGE
    if normalizer["type"] == "Lowercase":
        return {**NO_CHANGE, "lowercase": True}
    if normalizer["type"] != "BertNormalizer":
        raise _unfit(path, f"normalizes texts with {_type(normalizer)}")
    options = {name: normalizer[name] for name in NO_CHANGE}
    # BertNormalizer strips accents if it lowercases, unless `strip_accents` is set.
    return {
        **options,
        "strip_accents": options["lowercase"] if options["strip_accents"] is None else options["strip_accents"],
    }


def _in_order(path: Path, ids: dict[str, int]) -> list[str]:
    vocabulary = sorted(ids, key=ids.__getitem__)
    if [ids[token] for token in vocabulary] != list(range(len(ids))):
        raise _unfit(path, f"numbers its {len(ids)} tokens with gaps or twice")
    return vocabulary


def _check_added(path: Path, added: list[dict[str, Any]], vocabulary: list[str]) -> None:
    """Refuse added tokens that the tokenizer finds within texts, or that are not in the vocabulary."""
    vocabulary_tokens = set(vocabulary)
    if tokens_in_texts := [token["content"] for token in added if not token["special"]]:
        raise _unfit(path, f"finds added tokens within texts ({listed(tokens_in_texts, 3)})")
    if missing_tokens := [token["content"] for token in added if token["content"] not in vocabulary_tokens]:
        raise _unfit(path, f"adds tokens that its vocabulary lacks ({listed(missing_tokens, 3)})")


def _around(path: Path, processor: dict[str, Any] | None, ids: dict[str, int]) -> tuple[str, str]:
    """Return the special tokens before and after a text."""
    if processor is not None and processor["type"] == "BertProcessing":
        pairs = [tuple(processor[name]) for name in ("cls", "sep")]
    elif processor is not None and processor["type"] == "TemplateProcessing":
        match processor["single"]:
            case [
                {"SpecialToken": {"id": before, "type_id": 0}},
                {"Sequence": {"type_id": 0}},
                {"SpecialToken": {"id": after, "type_id": 0}},
            ]:
                tokens = processor["special_tokens"]
                pairs = [(name, *tokens[name]["ids"]) for name in (before, after)]
            case _:
                raise _unfit(path, "puts other tokens around texts than one before and one after")
    else:
        raise _unfit(path, f"puts tokens around texts with {_type(processor)}")
    if any(pair != (pair[0], ids.get(pair[0])) for pair in pairs):
        raise _unfit(
            path, f"has other ids for {listed(str(pair[0]) for pair in pairs)} around texts than in its vocabulary"
        )
    return pairs[0][0], pairs[1][0]


def _token(config: dict[str, Any], name: str, default: str) -> Any:
    """Return a special token that `tokenizer_config.json` names, as a string or as an object with its settings."""
    token = config.get(name)
    if isinstance(token, dict):
        token = token.get("content")
    return default if token is None else token


def _from_vocabulary(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Read the attributes of a `TextPreprocessing` from a `vocab.txt`, a token a line, and its configuration."""
    name = str(config.get("tokenizer_class") or "BertTokenizer").removesuffix("Fast").removesuffix("Tokenizer")
    if name not in MODELS:
        raise _unfit(path, f"is the vocabulary of a tokenizer of {name:.100}")
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except FileNotFoundError:
        raise ZooError(f"{path.parent} has neither {TOKENIZER} nor {VOCABULARY}: copy one there") from None
    except (OSError, ValueError) as error:
        raise ZooError(f"{path} cannot be read ({error}): copy it again") from None
    added = config.get("added_tokens_decoder") or {}
    if not (
        isinstance(added, dict) and all(isinstance(token, dict) and "content" in token for token in added.values())
    ):
        raise ZooError(f"{path.parent / CONFIG}: added_tokens_decoder holds no tokens: copy it again")
    _check_added(path.parent / CONFIG, [{"special": False, **token} for token in added.values()], lines)
    lowercase = config.get("do_lower_case", True)
    accents = config.get("strip_accents")
    return {
        "vocabulary": lines,
        "lowercase": lowercase,
        "strip_accents": lowercase if accents is None else accents,
        "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
        "cls_token": _token(config, "cls_token", "[CLS]"),
        "sep_token": _token(config, "sep_token", "[SEP]"),
        "pad_token": _token(config, "pad_token", "[PAD]"),
        "unk_token": _token(config, "unk_token", "[UNK]"),
    }


def _check(path: Path, preprocessing: TextPreprocessing) -> None:
    """Refuse a tokenizer whose ids of hard texts are not those that zoo makes."""
    file_tokenizer, zoo_tokenizer = import_tokenizers().Tokenizer.from_file(str(path)), tokenizer_of(preprocessing)
    file_tokenizer.encode_special_tokens = True
    file_tokenizer.no_padding()
    file_tokenizer.enable_truncation(preprocessing.max_length)
    for line in LINES:
        if file_tokenizer.encode(line).ids != zoo_tokenizer.encode(line).ids:
            raise _unfit(path, f"makes other tokens of {line[:40]!r} than zoo does")
