"""A process of its own with two replicas, of which one has a batch that is not finite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.training.tiny import CLASSES, averaged_parts, parts
from zoo import recipe as recipes
from zoo.recipe import Recipe
from zoo.training.schedule import learning_rate
from zoo.training.strategy import choose


def held(strategy: Any, variables: Iterable[Any]) -> list[np.ndarray]:
    """The values of variables on every replica."""
    found = [strategy.experimental_local_results(variable.value) for variable in variables]
    return [one.numpy() for values in found for one in values]


def batch(strategy: Any, bad: bool) -> Any:
    """A batch of eight examples; if `bad`, the last one, which goes to the second replica, is not finite."""
    images = np.random.default_rng(0).random((8, 8, 8, 3), np.float32)
    images[-1, 0, 0, 0] = np.nan if bad else 0.0
    data = tf.data.Dataset.from_tensor_slices(({"image": images}, np.arange(8) % CLASSES)).batch(8)
    return next(iter(strategy.experimental_distribute_dataset(data)))


def main() -> None:
    """Compare what the replicas hold before and after."""
    strategy = choose("mirrored", logical_cpus=2)

    settings = ["on_nan=skip", "batch_size=8", "ema_decay=0.5"]
    model, optimizer, step, average = averaged_parts(recipes.override(Recipe(), settings), strategy)
    assert float(step(*batch(strategy, bad=False))["left_out_steps"]) == 0
    variables = [*model.weights, *optimizer.variables, *average.model.weights]
    before = held(strategy, variables)
    sums = step(*batch(strategy, bad=True))
    assert float(sums["left_out_steps"]) == 1, sums
    assert float(sums["loss"]) == 0, sums
    same = [*map(np.array_equal, before, held(strategy, variables))]
    assert all(same), same
    assert [value.numpy() for value in strategy.experimental_local_results(optimizer.step)] == [2, 2]
    assert float(optimizer.learning_rate) == float(learning_rate(recipes.override(Recipe(), settings), 10)(2))

    _, optimizer, step = parts(recipes.override(Recipe(), ["precision=float16", "batch_size=8"]), strategy)
    assert float(step(*batch(strategy, bad=False))["left_out_steps"]) == 0
    scale = optimizer.loss_scale.scale
    scale.assign(2.0**40)
    assert float(step(*batch(strategy, bad=False))["left_out_steps"]) == 1
    assert held(strategy, [scale]) == [2.0**39] * 2
    print("as it should be")


if __name__ == "__main__":
    main()
