"""`zoo.verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.text import Say, silent
from zoo.verbs.arguments import StrPath, artifact_or_newest

if TYPE_CHECKING:
    from zoo.serving.verify import Report


def verify(artifact: StrPath | None = None, *, say: Say = silent) -> Report:
    """Check an artifact: its files against its manifest, its contract, and its golden answers.

    Needs neither TensorFlow nor the run. A damaged artifact does not raise: its report has gates that failed.

    Args:
        artifact: the artifact folder, or a folder that `zoo.publish` wrote; by default the newest artifact below
            `artifacts`.
        say: called with a line about the chosen artifact, and if no library is installed that can open one of its
            formats.

    Raises:
        ZooError: the folder is neither an artifact nor one that was published.
        Refused: its manifest cannot be read.
    """
    from zoo.serving.verify import verify as check

    report = check(artifact_or_newest(artifact, say))
    if report.missing:
        say(f"the golden answers were not computed: install {' or '.join(report.missing)} for that")
    return report
