"""The share of an epoch's batches that one reader makes: one of a training's workers, or of the servers of its data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.errors import ZooError


@dataclass(frozen=True)
class Share:
    """A part of the batches of an epoch.

    Attributes:
        index: the number of this share among `count` equal shares of every batch, counted from 0.
        count: the number of workers that train together.
        turn: the number of this server among `turns` servers, each of which makes every `turns`-th batch, counted from
            0.
        turns: the number of servers that make the batches in turns; 0 if this process makes them.
    """

    index: int = 0
    count: int = 1
    turn: int = 0
    turns: int = 0

    def size(self, batch_size: int) -> int:
        """Return the number of examples of a batch that are in the share."""
        return batch_size // self.count

    def of(self, rows: np.ndarray, batch_size: int) -> np.ndarray:
        """Return the rows in the share, [batches · size, …], of the rows of an epoch, [examples, …].

        The whole share returns the rows unchanged; any other leaves out the rows of a last, smaller batch.
        """
        if self.count == 1 and self.turns <= 1:
            return rows
        size = self.size(batch_size)
        whole = rows[: len(rows) // batch_size * batch_size].reshape(-1, batch_size, *rows.shape[1:])
        part = whole[self.turn :: self.turns or 1, self.index * size : (self.index + 1) * size]
        return part.reshape(-1, *rows.shape[1:])

    def filled(self, examples: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the examples of an evaluation that are in the share, in order, int64 [rows], and their weights.

        The last batch is filled up with copies of the first example, whose weight is 0; that of all others is 1.
        """
        index = np.arange(-(-examples // batch_size) * batch_size)
        weights = (index < examples).astype(np.float32)
        index[examples:] = 0
        return self.of(index, batch_size), self.of(weights, batch_size)


def check_batch(batch_size: int, examples: int) -> None:
    """Raise ZooError if a batch is larger than the training split."""
    if batch_size > examples:
        raise ZooError(
            f"a batch of {batch_size} is more than the {examples} training examples: --set batch_size={examples}"
        )


WHOLE = Share()
"""The share of a worker that trains alone: all batches, whole."""
