"""Rates of dropout and drop-path that replace a family's own, for any network.

Builders do not know of them. While a network is built, `residual` and `logits` ask this module; afterwards, `settle`
sets the rates of the layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras

from zoo.dropout import Dropout
from zoo.errors import ZooError
from zoo.recipe import OWN_RATES, Network

LAST = "logits_dropout"
"""The dropout before the logits of a network that has none of its own."""


class Rates:
    """The requested rates of a network under construction, and the layers that they apply to."""

    def __init__(self, asked: Network) -> None:
        self.asked = asked
        self._branches: list[Any] = []
        self._family_spreads = False
        self._last: Any = None

    def last_branch(self, rate: float) -> float:
        """Return the drop-path rate of the last branch, for a family that spreads its own rate over its blocks.

        `rate` is the family's own rate of that branch.
        """
        self._family_spreads = True
        return self.asked.drop_path if self.asked.drop_path >= 0 else rate

    def of_branch(self, x: Any, rate: float, *, name: str) -> Any:
        """Add drop-path to the residual branch of a block; a rate of 0 adds no layer.

        `rate` is the family's; `settle` may replace it. `name` is the block's.
        """
        ending = "drop"
        if self.asked.drop_path >= 0 and not self._family_spreads:
            # A family may already use the name NAME_drop for a layer.
            rate, ending = self.asked.drop_path, "drop_path"
        if not rate:
            return x
        shape = (None, *(1,) * (len(x.shape) - 1))
        layer = Dropout(rate, noise_shape=shape, name=f"{name}_{ending}")
        self._branches.append(layer)
        return layer(x)

    def before_logits(self, x: Any) -> Any:
        """Add dropout before the logits; `settle` sets its rate to 0 if the network has dropout of its own."""
        if self.asked.dropout <= 0:
            return x
        self._last = Dropout(self.asked.dropout, name=LAST)
        return self._last(x)

    def settle(self, model: Any, title: str) -> None:
        """Set the requested rates in a network that was built.

        Raises:
            ZooError: the network has no layer for a requested rate. The message calls the network `title`.
        """
        dropout, drop_path = self.asked.dropout, self.asked.drop_path
        if drop_path > 0 and not self._branches:
            raise ZooError(f"{title} has no residual branches that could be dropped: leave network.drop_path out")
        if drop_path > 0 and not self._family_spreads:
            for layer, rate in zip(self._branches, evenly(drop_path, len(self._branches)), strict=True):
                layer.rate = rate
        if dropout < 0:
            return
        others = [self._last, *self._branches]
        dropout_layers = [layer for layer in _dropouts(model) if not any(layer is other for other in others)]
        for layer in dropout_layers:
            layer.rate = dropout
        if self._last is not None and dropout_layers:
            self._last.rate = 0.0
        if dropout > 0 and not dropout_layers and self._last is None:
            raise ZooError(f"{title} has no place for dropout: leave network.dropout out")


def _dropouts(model: Any) -> list[Any]:
    """Return the dropout layers of a network, nested ones included.

    Layers that were made with a rate of 0 are left out: they have no random generator, so a rate cannot be set later.
    """
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.Dropout) and hasattr(layer, "seed_generator")]


def evenly(last: float, blocks: int) -> list[float]:
    """Return a rate for each of `blocks` blocks, rising evenly from 0 to `last`."""
    return [last * number / max(1, blocks - 1) for number in range(blocks)]


_PRESENT: ContextVar[Rates | None] = ContextVar("rates", default=None)


@contextmanager
def standing_in(asked: Network) -> Iterator[Rates]:
    """Use the rates in `asked` instead of the family's for the network that is built in the block."""
    rates = Rates(asked)
    token = _PRESENT.set(rates)
    try:
        yield rates
    finally:
        _PRESENT.reset(token)


def present() -> Rates:
    """Return the rates of the network that is being built."""
    return _PRESENT.get() or Rates(OWN_RATES)
