"""Word dropout: a share of the tokens of training texts, drawn for each text and epoch, the same on all workers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from zoo.data.dataset import Dataset
from zoo.data.load import load
from zoo.data.sampling import Sampling
from zoo.data.share import Share
from zoo.inputs.text import data
from zoo.inputs.text.batches import training_batches
from zoo.inputs.text.preprocessing import TextPreprocessing
from zoo.inputs.text.settings import TextSettings
from zoo.inputs.text.tokens import tokenized
from zoo.recipe import Split


@pytest.fixture(scope="module")
def messages() -> tuple[Dataset, TextPreprocessing]:
    found = load("messages", "text", split=Split())
    return found, data.suiting(found, TextSettings(), None)


def epoch(made: tuple[Dataset, TextPreprocessing], dropped: float, **changes: Any) -> list[list[list[int]]]:
    """The tokens of each text of each batch."""
    found, preprocessing = made
    options: dict[str, Any] = {"examples": found.train, "batch_size": 12, "seed": 1, "epoch": 2} | changes
    batches = training_batches(options.pop("examples"), preprocessing, TextSettings(word_dropout=dropped), **options)
    return [
        [ids[mask > 0].tolist() for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True)]
        for inputs, _ in batches.as_numpy_iterator()
    ]


def test_a_share_of_the_tokens_is_unknown_and_the_others_stay(messages: tuple[Dataset, TextPreprocessing]) -> None:
    plain, changed = epoch(messages, 0.0), epoch(messages, 0.25)
    unknown = messages[1].id_of("[UNK]")
    before, after = (np.array([one for batch in texts for text in batch for one in text]) for texts in (plain, changed))
    hidden = after != before
    assert (after[hidden] == unknown).all()
    inner = ~np.isin(before, [messages[1].id_of("[CLS]"), messages[1].id_of("[SEP]")])
    assert not hidden[~inner].any()
    assert abs(hidden[inner].mean() - 0.25) < 0.05


def test_it_repeats_on_any_workers_and_differs_between_epochs(messages: tuple[Dataset, TextPreprocessing]) -> None:
    whole = epoch(messages, 0.25)
    assert epoch(messages, 0.25, start=3) == whole[3:]
    halves = [epoch(messages, 0.25, share=Share(index, 2)) for index in range(2)]
    assert [one + two for one, two in zip(*halves, strict=True)] == whole
    assert epoch(messages, 0.25, epoch=3) != whole


def test_copies_of_a_text_hide_other_words(messages: tuple[Dataset, TextPreprocessing]) -> None:
    examples = dataclasses.replace(messages[0].train, sampling=Sampling(3))
    different = {tuple(text) for batch in epoch(messages, 0.5, examples=examples) for text in batch}
    assert len(different) > 1.5 * len(messages[0].train) / 3


def test_tokens_of_places_are_those_of_the_texts(messages: tuple[Dataset, TextPreprocessing]) -> None:
    tokens = tokenized(messages[0].train, messages[1])
    places = np.array([5, 0, 5, 7])
    texts = np.split(tokens.ids, np.cumsum(tokens.lengths)[:-1])
    found = tokens.of(places)
    np.testing.assert_array_equal(found.ids, np.concatenate([texts[place] for place in places]))
    np.testing.assert_array_equal(found.lengths, tokens.lengths[places])
