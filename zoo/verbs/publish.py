"""`zoo.publish`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.text import Say, silent
from zoo.verbs.arguments import StrPath, artifact_or_newest, local_path

if TYPE_CHECKING:
    from zoo.serving.publish import Publication


def publish(
    artifact: StrPath | None, base: StrPath, *, keep: int | None = None, rollback: bool = False, say: Say = silent
) -> Publication:
    """Publish an artifact's SavedModel as the next version below `base`, a model base path of TF Serving.

    No version number is ever used twice, and no reader sees half a version. Needs no TensorFlow.

    Args:
        artifact: the artifact; None for the newest one below `artifacts`.
        base: the folder whose version folders TF Serving reads.
        keep: remove all but this many of the newest versions; by default all are kept.
        rollback: publish again what `base` served before its newest version; `artifact` must be None.
        say: called with a line about the chosen artifact, and about versions that could not be removed.

    Raises:
        ZooError: there is no artifact, it has no SavedModel, or `base` cannot hold versions.
        Refused: `zoo.verify` refuses the artifact, or there is no earlier version to go back to.
    """
    from zoo.serving import publish as publishing

    base_folder = local_path(base)
    if rollback:
        if artifact is not None:
            raise ZooError(f"--rollback publishes what {base} holds: leave {artifact} out")
        return publishing.roll_back(base_folder, keep=keep, say=say)
    return publishing.publish(artifact_or_newest(artifact, say), base_folder, keep=keep, say=say)
