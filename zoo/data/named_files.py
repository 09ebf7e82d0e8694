"""The files that people name on the command line to get predictions, with one example in each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo.data.entries import visible_entries
from zoo.errors import ZooError
from zoo.folder_kinds import kind, mistaken


def named_files(
    named: Path,
    noun: str,
    wanted: str,
    reason_against: Callable[[Path], str | None],
    leave_out: Callable[[Path, str], None],
) -> list[Path]:
    """Return the files that a path stands for: the file itself, or the files of a folder that hold examples.

    Args:
        named: the path.
        noun: an example in messages, such as `image`.
        wanted: the files that a folder should hold, in messages, such as `JPEG, PNG, BMP or GIF`.
        reason_against: called with an entry of the folder; returns the reason why it is not an example, or None.
        leave_out: called with each entry of a folder that is not an example, and the reason.

    Raises:
        ZooError: there is no such path, it is a folder that zoo wrote, or no file in the folder is an example.
    """
    try:
        if named.is_file():
            return [named]
        there = named.is_dir()
    except OSError:  # such as a name that is too long
        there = False
    if not there:
        raise ZooError(f"there is no {noun} at {named!s:.200}: name a file, or a folder of {noun}s")
    folder_kind = kind(named)
    if folder_kind == "artifact":
        raise ZooError(f"{named} is a second artifact: name one, and {noun}s after it")
    if folder_kind:
        raise ZooError(mistaken(named, "artifact") or "")
    entries = visible_entries(named)
    reasons = {entry: "a folder" if entry.is_dir() else reason_against(entry) for entry in entries}
    examples = [entry for entry in entries if reasons[entry] is None]
    if not examples:
        raise ZooError(
            mistaken(named, "artifact") or f"{named} holds no {wanted}: name {noun}s, or the folder that they lie in"
        )
    for entry, reason in reasons.items():
        if reason is not None:
            leave_out(entry, reason)
    return examples
