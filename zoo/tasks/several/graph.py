"""Several targets in TensorFlow operations: the outputs of each, and the sum of their weighted losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.tasks.several.heads import Head, heads

if TYPE_CHECKING:
    from zoo.description import Model


def answers(vectors: Any, model: Model) -> dict[str, Any]:
    """Return the outputs of all targets; those of a task are named `TARGET_OUTPUT`."""
    outputs: dict[str, Any] = {}
    for head, vector in _split(vectors, model)[0]:
        outputs |= head.named(head.task.graph.answers(vector, head.model(model)))
    return outputs


def losses(targets: Any, vectors: Any, model: Model, smoothing: float = 0.0) -> Any:
    """Return the sum of the targets' losses for each example, float32 [batch], weighted by their uncertainty.

    With the log variance s of a target, the network's own parameter, cross-entropies count as exp(-s) · loss + s / 2
    and squared errors as exp(-s) · loss / 2 + s / 2 (Kendall, Gal and Cipolla 2018, arXiv:1705.07115).

    `targets` are float32 [batch, targets]. `vectors` are the vectors of all heads, with the log variances after them.
    Without log variances, all targets have the same weight.
    """
    import tensorflow as tf

    head_vectors, variances = _split(vectors, model)
    total = tf.zeros_like(vectors[:, 0])
    for head, vector in head_vectors:
        loss = head.task.graph.losses(head.targets(targets), vector, head.model(model), smoothing)
        loss = loss if head.is_label else loss / 2
        if variances is not None:
            variance = variances[:, head.number]
            loss = tf.exp(-variance) * loss + variance / 2
        total += tf.cast(loss, total.dtype)
    return total


def sums(targets: Any, vectors: Any, model: Model, weights: Any = 1.0) -> dict[str, Any]:
    """Return the sum of all unweighted losses, and for each target the sums of its task and the sum of its weights."""
    import tensorflow as tf

    head_vectors, variances = _split(vectors, model)
    summed: dict[str, Any] = {}
    for head, vector in head_vectors:
        of_head = head.task.graph.sums(head.targets(targets), vector, head.model(model), weights)
        if variances is not None:
            weight = tf.exp(-variances[:, head.number])
            of_head |= {"weight": tf.reduce_sum(tf.cast(weights, weight.dtype) * weight)}
        summed |= head.named(of_head)
    return {"loss": tf.add_n([summed[head.output("loss")] for head, _ in head_vectors]), **summed}


def _split(vectors: Any, model: Model) -> tuple[list[tuple[Head, Any]], Any]:
    """Return each head with the vectors that the network computes for it, and the log variances; None without them."""
    import tensorflow as tf

    all_heads = heads(model.parts, model.scales)
    widths = [len(head.part.labels) for head in all_heads]
    rest = vectors.shape[-1] - sum(widths)
    parts = tf.split(vectors, [*widths, rest] if rest else widths, -1)
    return list(zip(all_heads, parts, strict=False)), parts[-1] if rest else None
