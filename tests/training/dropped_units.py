"""A process of its own with two replicas, which drop other units of their parts of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.training.tiny import described
from zoo import recipe as recipes
from zoo import weights_file
from zoo.recipe import Recipe
from zoo.training.checkpoint import State
from zoo.training.strategy import choose
from zoo.training.trainee import Trainee, build


def trainee_on(strategy: Any) -> Trainee:
    """A network with one layer of dropout, at the beginning of its training."""
    made = build(described(), recipes.override(Recipe(), ["batch_size=8"]), strategy, steps=1)
    made.start_from(State())
    return made


def dropped(trainee: Trainee) -> list[np.ndarray]:
    """The units that each replica drops in a step."""
    layer = trainee.model.get_layer("dropout")

    @tf.function
    def step() -> Any:
        return trainee.strategy.run(lambda: layer(tf.ones((1, 1000)), training=True))

    return [found.numpy() == 0 for found in trainee.strategy.experimental_local_results(step())]


def main() -> None:
    """Compare the replicas with each other, with one device, and with themselves after a checkpoint."""
    strategy = choose("mirrored", logical_cpus=2)
    trainee = trainee_on(strategy)
    first, second = dropped(trainee)
    assert 300 < (first ^ second).sum() < 700
    (one,) = dropped(trainee_on(tf.distribute.OneDeviceStrategy("CPU:0")))
    np.testing.assert_array_equal(first, one)

    variables = weights_file.variables(trainee.model)
    saved = {name: variable.numpy() for name, variable in variables.items()}
    trainee.start_from(State(epochs_done=1))
    expected = dropped(trainee)
    assert not np.array_equal(first, expected[0])
    weights_file.assign(variables, saved, "a checkpoint")
    trainee.start_from(State(epochs_done=1))
    np.testing.assert_array_equal(dropped(trainee), expected)
    print("as it should be")


if __name__ == "__main__":
    main()
