"""The choice of the examples of an epoch, and their order.

An epoch has as many draws as there are examples. Each draw is of one example, and is augmented independently.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Sampling:
    """The way in which the examples of an epoch are drawn.

    Attributes:
        repeats: how often each example of an epoch appears in it. All copies of an example are in the same batch, if
            the batch size allows it (texts are sorted by length afterwards, which may separate copies); this is
            repeated augmentation (Hoffer et al. 2019, arXiv:1901.09335).
        classes: the class of each example, int64 [examples], to draw equally many examples of every class; None to draw
            each example equally often.
    """

    repeats: int = 1
    classes: np.ndarray | None = None

    def epoch(self, count: int, batch_size: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw an epoch of `count` examples.

        Returns:
            The numbers of the draws in the order of the epoch, int64 [draws], and the example of each draw by its
            number, int64 [count]. With repeats, the draws of a last, smaller batch are left out.
        """
        if self.repeats == 1:
            drawn = np.arange(count) if self.classes is None else _balanced(self.classes, count, generator)
            return generator.permutation(count), drawn
        different = -(-count // self.repeats)
        if self.classes is None:
            chosen = generator.permutation(count)[:different]
        else:
            chosen = generator.permutation(_balanced(self.classes, different, generator))
        batches = count // batch_size
        order = np.arange(batches * batch_size).reshape(batches, batch_size)
        return generator.permuted(order, axis=1).reshape(-1), np.repeat(chosen, self.repeats)[:count]


def _balanced(targets: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw `count` examples; the numbers of examples of any two classes differ by at most one.

    An example is drawn again only after all others of its class.
    """
    classes = generator.permutation(np.unique(targets))
    draws_per_class, classes_with_one_more = divmod(count, len(classes))
    drawn = []
    for number, class_index in enumerate(classes):
        members = np.flatnonzero(targets == class_index)
        passes, rest = divmod(draws_per_class + (number < classes_with_one_more), len(members))
        drawn += [generator.permutation(members) for _ in range(passes)]
        drawn.append(generator.permutation(members)[:rest])
    return np.concatenate(drawn)


ALL = Sampling()
"""Each example once."""
