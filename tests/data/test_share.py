"""Workers' shares of a batch: together they contain each example exactly once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zoo.data.load import load
from zoo.data.share import WHOLE, Share
from zoo.input import find
from zoo.recipe import Split


def test_shares_are_the_batches() -> None:
    rows = np.arange(22)
    first, second = (Share(index, 2).of(rows, 6) for index in range(2))
    assert first.tolist() == [0, 1, 2, 6, 7, 8, 12, 13, 14]
    assert second.tolist() == [3, 4, 5, 9, 10, 11, 15, 16, 17]
    assert WHOLE.of(rows, 6) is rows
    turns = [Share(0, 2, turn, 2).of(rows, 6).tolist() for turn in range(2)]
    assert turns == [[0, 1, 2, 12, 13, 14], [6, 7, 8]]
    assert Share(turns=1).of(rows, 6) is rows
    assert Share(turn=4, turns=5).of(rows, 6).tolist() == []
    assert Share(1, 3).of(np.stack([rows, rows], 1), 6).shape == (6, 2)


@pytest.mark.parametrize(("source", "kind"), [("digits", "image"), ("iris", "table"), ("messages", "text")])
def test_the_batches_of_workers_are_shares_of_those_of_one(source: str, kind: str) -> None:
    found = find(kind)
    data = load(source, kind, split=Split(), data_dir=None, options={}, bad_examples="error")
    settings = found.settings()
    preprocessing = found.data.suiting(data, settings, None)
    train, test = data.train.only(np.arange(80)), data.test.only(np.arange(27))

    def batches(share: Share) -> tuple[list[Any], list[Any]]:
        options: dict[str, Any] = {"batch_size": 12, "share": share}
        training = found.graph.training_batches(train, preprocessing, settings, seed=1, epoch=2, start=3, **options)
        evaluation = found.graph.evaluation_batches(test, preprocessing, **options)
        return [*training.take(3).as_numpy_iterator()], [*evaluation.as_numpy_iterator()]

    whole, shares = batches(WHOLE), [batches(Share(index, 3)) for index in range(3)]
    for part in range(2):
        for number, batch in enumerate(whole[part]):
            pieces = [share[part][number] for share in shares]
            for column in range(1, len(batch)):
                np.testing.assert_array_equal(np.concatenate([piece[column] for piece in pieces]), batch[column])
            for name, values in batch[0].items():
                if kind == "text":
                    # A share is padded to its own longest text.
                    pieces_of = [
                        np.trim_zeros(row) for piece in pieces for row in piece[0]["attention_mask"] * piece[0][name]
                    ]
                    assert [row.tolist() for row in pieces_of] == [
                        np.trim_zeros(row).tolist() for row in batch[0]["attention_mask"] * values
                    ]
                else:
                    np.testing.assert_array_equal(np.concatenate([piece[0][name] for piece in pieces]), values)
