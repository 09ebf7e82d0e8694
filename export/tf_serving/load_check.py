"""The load check: a part of the SavedModel that makes loading fail unless all of its own weights are there.

A server may find a version folder while it is still being copied. If `saved_model.pb` exists and `variables.index` does
not, TensorFlow's loader restores nothing and reports no error: the server would call the version available, and every
request would fail for good (tensorflow 2.21 and its TF Serving). If a version is copied over another one, the graph
would answer with the weights of the other. Once the index exists, loading fails by itself if the data are missing,
truncated, or do not match the checksums of the index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.saved_model_folder import DATA, GRAPH, INDEX

MISSING = "the weights are not all there: variables/ is missing or still being copied"
FOREIGN = "the weights are those of another model: variables/ was not written with this saved_model.pb"

INCOMPLETE: dict[str, tuple[str, ...]] = {
    "saved_model.pb alone": (GRAPH,),
    "saved_model.pb and the data": (GRAPH, DATA),
    "saved_model.pb and the index": (GRAPH, INDEX),
}
"""States of a version folder that is still being copied: by name, glob patterns of the files that exist."""


def load_check(variables: Sequence[Any]) -> Any:
    """Return a tf.Module that fails to load if the `variables` have other values than now.

    A digest of their values is stored twice: as a constant in the graph, and as one more variable. A loader restores
    either all variables or none, and then initializes the resources of the module. The resource of this module stores
    nothing; its initialization compares the two digests. (Checking all 320 variables of a ResNet-50 instead makes
    loading a third slower, tensorflow 2.21.)
    """
    import tensorflow as tf

    digest = _digest(variables)
    module = tf.Module()
    module.digest = tf.Variable(digest, dtype=tf.int64, trainable=False, name="digest_of_weights")

    class LoadCheck(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self) -> Any:
            return tf.raw_ops.VarHandleOp(dtype=tf.bool, shape=[])

        def _initialize(self) -> None:
            is_restored = tf.raw_ops.VarIsInitializedOp(resource=module.digest.handle)
            with tf.control_dependencies([tf.debugging.Assert(is_restored, [MISSING])]):
                tf.debugging.Assert(tf.equal(module.digest, tf.constant(digest, tf.int64)), [FOREIGN])

    module.resource = LoadCheck()
    return module


def _digest(variables: Sequence[Any]) -> int:
    """Return the first 64 bits of a SHA-256 over the values of all variables, as int64."""
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(np.ascontiguousarray(variable.numpy()).data)
    return int.from_bytes(digest.digest()[:8], signed=True)


def incomplete_copies(version_folder: Path, scratch: Path) -> dict[str, Path]:
    """Create the folders of `INCOMPLETE` below `scratch`, with links to the files, and return them by name."""
    copies = {}
    for number, (name, patterns) in enumerate(INCOMPLETE.items()):
        copies[name] = scratch / f"incomplete-{number}"
        for file in [path for pattern in patterns for path in version_folder.glob(pattern)]:
            link = copies[name] / file.relative_to(version_folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
    return copies
