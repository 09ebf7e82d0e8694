"""The kinds of folders that zoo writes, so that a verb can say which kind it was given instead of the one it takes."""

from __future__ import annotations

from pathlib import Path

from zoo import files
from zoo.errors import ZooError
from zoo.text import with_article

MARKERS = {
    "run": ("run.json", {"model", "provenance"}),
    "artifact": ("manifest.json", {"model", "formats"}),
    "evaluation": ("report.json", {"target", "overlap", "provenance"}),
    "study": ("study.json", {"asked", "settled", "provenance"}),
    "folder of sizes": ("sizes.json", {"asked", "settled", "provenance"}),
    "study of size": ("scale.json", {"asked", "settled", "provenance"}),
}
"""The file that marks each kind of folder, and keys that it must have: other programs write files of these names."""

ADVICE = {
    ("artifact", "run"): "make one from it with 'zoo export {path}', and name that",
    ("run", "artifact"): "name the run that it was made from",
    ("run", "study"): "name its best run, {path}/best",
    ("run", "folder of sizes"): "name one of the runs in it",
    ("run", "study of size"): "name one of the runs in {path}/runs",
    ("artifact", "study of size"): "name one of the artifacts in {path}/artifacts",
}
"""The advice in an error message, by the kind of folder that is wanted and the kind that was named."""


def kind(folder: Path) -> str | None:
    """Return the kind of a folder, one of `MARKERS`; None for a path that zoo did not write."""
    for name, (marker, keys) in MARKERS.items():
        try:
            values = files.read_json(folder / marker, "restore it")
        except ZooError:
            continue
        if isinstance(values, dict) and keys <= values.keys():
            return name
    return None


def check_new(target: Path) -> None:
    """Raise ZooError when `target` exists, cannot be made, or is within an artifact, which would no longer verify."""
    files.refuse_existing(target)
    within = next((folder for folder in target.resolve().parents if kind(folder) == "artifact"), None)
    if within:
        raise ZooError(
            f"{target} is within the artifact {within}, whose files must stay as they are: choose another place"
        )


def mistaken(path: Path, wanted: str) -> str | None:
    """Say what `path` is instead of the kind of folder that is `wanted`, and what to name.

    `path` may be another kind of folder, a part of a folder, or a parent of folders that zoo wrote. Returns None if it
    is none of these.
    """
    found = kind(path)
    if found and found != wanted:
        advice = ADVICE.get((wanted, found), f"name {with_article(wanted)}").format(path=path)
        return f"{path} is {with_article(found)}, not {with_article(wanted)}: {advice}"
    for above in path.parents[:3]:
        within = kind(above)
        if within and not found:
            return f"{path} is a part of the {within} {above}, not {with_article(wanted)}: name the {wanted}'s folder"
    if not found and path.is_dir():
        held = [child.name for child in sorted(path.iterdir()) if kind(child) == wanted]
        if held:
            return f"{path} holds {wanted}s but is not one: name one of them, such as {path / held[0]}"
    return None
