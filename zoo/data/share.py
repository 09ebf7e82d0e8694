"""The share of every batch that one of several workers reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Share:
    """One of `count` equal shares of every batch, counted from 0 by `index`."""

    index: int = 0
    count: int = 1

    def size(self, batch_size: int) -> int:
        """Return the number of examples of a batch that are in the share."""
        return batch_size // self.count

    def of(self, rows: np.ndarray, batch_size: int) -> np.ndarray:
        """Return the rows in the share, [batches · size, …], of the rows of an epoch, [examples, …].

        The share of all is the rows themselves; any other leaves out those of a last, smaller batch.
        """
        if self.count == 1:
            return rows
        size = self.size(batch_size)
        whole = rows[: len(rows) // batch_size * batch_size].reshape(-1, batch_size, *rows.shape[1:])
        return whole[:, self.index * size : (self.index + 1) * size].reshape(-1, *rows.shape[1:])


WHOLE = Share()
"""The share of a worker that is alone."""
