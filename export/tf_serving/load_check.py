"""A check that a SavedModel carries and that runs when it is loaded: without all its own weights it does not load.

A server may look at a version folder while it is being copied. With `saved_model.pb` there and `variables.index` not
yet, TensorFlow's loader restores nothing and says nothing: the version would be called available and would fail every
request, for good (tensorflow 2.21, TF Serving of the same time). Where a version is copied over another one, the
graph would answer with the other's weights. With an index there, reading the variables fails by itself when the data
are missing, cut short, or not those of the index's checksums.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

MISSING = "the weights are not all there: variables/ is missing or still being copied"
FOREIGN = "the weights are those of another model: variables/ is not what saved_model.pb was written with"

INCOMPLETE: dict[str, tuple[str, ...]] = {
    "saved_model.pb alone": ("saved_model.pb",),
    "saved_model.pb and the data": ("saved_model.pb", "variables/variables.data-*"),
    "saved_model.pb and the index": ("saved_model.pb", "variables/variables.index"),
}
"""Version folders that are still being copied, by their names: the files that are there already, as patterns."""


def load_check(variables: Sequence[Any]) -> Any:
    """A tf.Module that fails to load with any `variables` but those that have the values of now.

    A digest of them is both in the graph and a variable beside them. Loaders initialize the resources of a module after
    they have restored its variables, which they do all together or not at all: the resource of this module stores
    nothing and looks at the digest alone. (To ask all 320 variables of a ResNet-50 adds a third to the time of its
    load, tensorflow 2.21.)
    """
    import tensorflow as tf

    digest = _digest(variables)
    module = tf.Module()
    module.digest = tf.Variable(digest, dtype=tf.int64, trainable=False, name="digest_of_weights")

    class LoadCheck(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self) -> Any:
            return tf.raw_ops.VarHandleOp(dtype=tf.bool, shape=[])

        def _initialize(self) -> None:
            there = tf.raw_ops.VarIsInitializedOp(resource=module.digest.handle)
            with tf.control_dependencies([tf.debugging.Assert(there, [MISSING])]):
                tf.debugging.Assert(tf.equal(module.digest, tf.constant(digest, tf.int64)), [FOREIGN])

    module.resource = LoadCheck()
    return module


def _digest(variables: Sequence[Any]) -> int:
    """An int64 that two sets of weights have in common by accident only."""
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(np.ascontiguousarray(variable.numpy()).data)
    return int.from_bytes(digest.digest()[:8], signed=True)


def incomplete_copies(version_folder: Path, scratch: Path) -> dict[str, Path]:
    """Version folders below `scratch` as they are in the midst of copying, see `INCOMPLETE`; of links to the files."""
    copies = {}
    for number, (name, patterns) in enumerate(INCOMPLETE.items()):
        copies[name] = scratch / f"incomplete-{number}"
        for file in [path for pattern in patterns for path in version_folder.glob(pattern)]:
            link = copies[name] / file.relative_to(version_folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
    return copies
