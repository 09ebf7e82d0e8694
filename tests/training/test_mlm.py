"""Masked language modeling: the hidden tokens, the loss, and a run that resumes and is fine-tuned."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.training.test_training import SignalAt, train
from tests.trainings import SINGLE
from zoo import factory, registry, run, weights_file
from zoo.data.load import load
from zoo.data.numbered import numbered
from zoo.family import Size
from zoo.inputs.text.masking import hidden
from zoo.inputs.text.preprocessing import TextPreprocessing
from zoo.recipe import Split
from zoo.tasks.mlm import graph
from zoo.training import start

SETTINGS = ("epochs=2", "batch_size=64", "text.vocabulary=200", "text.max_length=16")
MODEL: Any = None


@pytest.fixture(autouse=True, params=["mean", "first"], scope="module")
def family(request: pytest.FixtureRequest) -> Any:
    """BERT with a size of two narrow blocks."""
    bert = registry.families()["bert"]
    options = {**bert.size("small").options, "width": 16, "depth": 2, "heads": 2, "pooling": request.param}
    tiny = Size("tiny", (), options, 0, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.families(), "bert", dataclasses.replace(bert, sizes=(*bert.sizes, tiny)))
        yield request.param


def pretrain(folder: Path, **options: Any) -> Path:
    return train(folder, *SETTINGS, family="bert", size="tiny", source="messages", method="mlm", **options)


def test_hidden_tokens_are_shown_as_the_paper_says() -> None:
    words = tuple(f"w{number}" for number in range(96))
    preprocessing = TextPreprocessing(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *words), 64)
    generator = np.random.default_rng(0)
    ids = generator.integers(4, 100, (200, 64))
    ids[:, 0], ids[:, 40], ids[:, 41:] = 2, 3, 0
    ids[0] = [2, 3, *[0] * 62]
    random = tf.constant(generator.random((200, 64, 3), np.float32))
    shown, asked = (one.numpy() for one in hidden(tf.constant(ids), random, preprocessing, 0.15))
    is_asked = asked != graph.NOT_ASKED
    np.testing.assert_array_equal(asked[is_asked], ids[is_asked])
    np.testing.assert_array_equal(shown[~is_asked], ids[~is_asked])
    assert not is_asked[ids < 4].any()
    assert is_asked[1:].any(-1).all()
    assert not is_asked[0].any()
    assert is_asked[1:, 1:40].mean() == pytest.approx(0.15, abs=0.015)
    assert (shown[is_asked] == 1).mean() == pytest.approx(0.8, abs=0.03)
    assert (shown[is_asked] == ids[is_asked]).mean() == pytest.approx(0.1, abs=0.03)


def test_the_loss_is_the_mean_over_the_hidden_tokens_of_a_text() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    targets = np.array([[-1, 2, 4], [-1, -1, -1]])
    log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = [-(log[0, 1, 2] + log[0, 2, 4]) / 2, 0.0]
    np.testing.assert_allclose(graph.losses(tf.constant(targets), tf.constant(logits), MODEL), expected, rtol=1e-5)


@pytest.mark.full
def test_it_resumes_bit_for_bit_and_is_fine_tuned(tmp_path: Path) -> None:
    alone = pretrain(tmp_path / "alone")
    with pytest.raises(KeyboardInterrupt):
        pretrain(tmp_path / "stopped", callbacks=[SignalAt(3)])
    start.resume(tmp_path / "stopped", None, SINGLE)
    assert (alone / run.WEIGHTS).read_bytes() == (tmp_path / "stopped" / run.WEIGHTS).read_bytes()
    done = run.read_finished(alone)
    assert done.results["test_loss"] < np.log(200)
    kept, _ = weights_file.read(alone / run.WEIGHTS)
    assert set(kept) == set(weights_file.weights(factory.build(done.model)))
    tuned = train(tmp_path / "tuned", "epochs=1", family=None, size=None, source="messages", weights=alone)
    after = run.read_finished(tuned)
    assert after.model.preprocessing.vocabulary == done.model.preprocessing.vocabulary
    assert after.initial is not None
    assert after.initial.new_head


def test_texts_are_numbered_once_and_so_tokenized_once() -> None:
    examples = load("messages", "text", split=Split()).train
    assert numbered(examples) is numbered(examples)
    assert numbered(examples).targets.tolist() == list(range(len(examples)))
