"""Which of zoo's folders a path is, so that a verb that is given another than it takes can say so."""

from __future__ import annotations

import json
from pathlib import Path

MARKS = {
    "run": ("run.json", {"model", "provenance"}),
    "artifact": ("manifest.json", {"model", "formats"}),
    "evaluation": ("report.json", {"target", "confusion"}),
}
"""The file that each kind of folder holds, and keys of that file: others write files of these names, too."""

ADVICE = {
    ("artifact", "run"): "make one of it with 'zoo export {path}', and name that",
    ("run", "artifact"): "name the run that it was made of",
}
"""What to do, by what is wanted and what was named."""

LARGEST = 64 * 2**20
"""Bytes of a description that is looked at."""


def kind(folder: Path) -> str | None:
    """`run`, `artifact` or `evaluation`; None for whatever zoo did not write."""
    for name, (mark, keys) in MARKS.items():
        try:
            if (folder / mark).stat().st_size <= LARGEST:
                values = json.loads((folder / mark).read_text(encoding="utf-8"))
                if isinstance(values, dict) and keys <= values.keys():
                    return name
        except (OSError, ValueError, RecursionError):
            continue
    return None


def mistaken(path: Path, wanted: str) -> str | None:
    """A sentence that says what `path` is instead of a `wanted`, and what to name; None where it is nothing of zoo's.

    It may be another kind of folder, a folder or file within one, or a folder that holds some.
    """
    article = "an" if wanted[0] in "aei" else "a"
    found = kind(path)
    if found and found != wanted:
        other = "an" if found[0] in "aei" else "a"
        advice = ADVICE.get((wanted, found), f"name {article} {wanted}").format(path=path)
        return f"{path} is {other} {found}, not {article} {wanted}: {advice}"
    for above in path.parents[:3]:
        within = kind(above)
        if within and not found:
            return f"{path} is a part of the {within} {above}, not {article} {wanted}: name the {wanted}'s folder"
    if not found and path.is_dir():
        held = [child.name for child in sorted(path.iterdir()) if kind(child) == wanted]
        if held:
            return f"{path} holds {wanted}s and is none: name one of them, such as {path / held[0]}"
    return None
