"""`zoo.verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.text import Say, silent
from zoo.verbs.results import StrPath, artifact_or_newest

if TYPE_CHECKING:
    from zoo.serving.verify import Report


def verify(artifact: StrPath | None = None, *, say: Say = silent) -> Report:
    """Check an artifact: its files against its manifest, its contract, and its golden answers.

    Needs neither TensorFlow nor the run. A damaged artifact is no error: its report has gates that failed.

    Args:
        artifact: the artifact folder, or what `zoo.publish` wrote; the newest one below `artifacts` when not given.
        say: told which artifact was chosen.

    Raises:
        ZooError: there is no artifact, and nothing that was published.
        Refused: its manifest cannot be read.
    """
    from zoo.serving.verify import verify as check

    return check(artifact_or_newest(artifact, say))
