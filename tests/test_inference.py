"""The batches in which a run's network is measured fit into memory."""

from __future__ import annotations

import zoo
from zoo.inference import BATCH, MEMORY, batch_within


def test_small_examples_are_measured_in_whole_batches() -> None:
    network = zoo.create("cnn", classes=3, input_shape=(28, 28, 1))
    assert batch_within(MEMORY, network, most=BATCH) == BATCH
    assert batch_within(1, network, most=BATCH) == 1


def test_long_clips_are_measured_a_few_at_a_time() -> None:
    network = zoo.create("wav2vec2", classes=2, input_shape=(1_000_000,))
    assert batch_within(MEMORY, network, most=BATCH) < BATCH / 4
