"""Two replicas compare the views of both, and the gradients of their losses are those of one device."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from zoo.tasks.simclr import graph
from zoo.training.strategy import choose

MODEL: Any = None


def main() -> None:
    strategy = choose("mirrored", logical_cpus=2)
    found = np.random.default_rng(0).normal(size=(6, 2, 8)).astype(np.float32)
    parts = np.split(found, 2)

    def on_replica(own: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(own)
            loss = tf.reduce_sum(graph.losses(None, own, MODEL))
        return loss, tape.gradient(loss, own)

    expected, gradient = on_replica(tf.constant(found))
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )
    losses, gradients = tf.function(lambda own: strategy.run(on_replica, (own,)))(values)
    np.testing.assert_allclose(strategy.reduce("SUM", losses, axis=None), expected, rtol=1e-5)
    together = np.concatenate([one.numpy() for one in strategy.experimental_local_results(gradients)])
    np.testing.assert_allclose(together, gradient, rtol=1e-4, atol=1e-6)


if __name__ == "__main__":
    main()
