"""Workers' shares of a batch: together they contain each example exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.inputs.audio.sounds import encoded, noise
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


@pytest.mark.parametrize(
    ("source", "kind", "changes"),
    [
        ("digits", "image", {}),
        ("iris", "table", {}),
        ("messages", "text", {}),
        ("clips", "audio", {"shift": 0.2, "noise": 0.5, "frequency_masks": 2, "time_masks": 2}),
    ],
)
def test_the_batches_of_workers_are_shares_of_those_of_one(
    source: str, kind: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    """An epoch that begins with a later batch has the batches of the whole epoch, too."""
    found = find(kind)
    if kind == "audio":
        source = f"folder:{tmp_path}"
        for number in range(160):
            (tmp_path / f"class{number % 2}").mkdir(exist_ok=True)
            (tmp_path / f"class{number % 2}/{number}.wav").write_bytes(encoded(noise(3_200, seed=number)))
    data = load(source, kind, split=Split(test=0.25), data_dir=None, options={}, bad_examples="error")
    settings = found.settings(**changes)
    preprocessing = found.data.suiting(data, settings, None)
    train, test = data.train.only(np.arange(80)), data.test.only(np.arange(27))

    def batches(share: Share, start: int = 3) -> tuple[list[Any], list[Any]]:
        options: dict[str, Any] = {"batch_size": 12, "share": share}
        training = found.graph.training_batches(train, preprocessing, settings, seed=1, epoch=2, start=start, **options)
        evaluation = found.graph.evaluation_batches(test, preprocessing, **options)
        return [*training.as_numpy_iterator()], [*evaluation.as_numpy_iterator()]

    whole, shares = batches(WHOLE), [batches(Share(index, 3)) for index in range(3)]
    assert len(whole[0]) == 3
    for batch, other in zip(whole[0], batches(WHOLE, start=0)[0][3:], strict=True):
        for values, others in zip((*batch[0].values(), *batch[1:]), (*other[0].values(), *other[1:]), strict=True):
            np.testing.assert_array_equal(values, others)
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
