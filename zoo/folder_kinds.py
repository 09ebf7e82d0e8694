"""The kinds of folders that zoo writes, so that a verb can say which kind it was given instead of the one it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo import files
from zoo.errors import ZooError
from zoo.text import with_article


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder.

    Attributes:
        title: what messages call such a folder.
        marker: the name of the file that marks it.
        keys: keys that this file must have, because other programs write files of the same name.
    """

    title: str
    marker: str
    keys: frozenset[str]


_SERIES = frozenset({"asked", "settled", "provenance"})

KINDS = {
    "run": FolderKind("run", "run.json", frozenset({"model", "provenance"})),
    "artifact": FolderKind("artifact", "manifest.json", frozenset({"model", "formats"})),
    "evaluation": FolderKind("evaluation", "report.json", frozenset({"target", "overlap", "provenance"})),
    "study": FolderKind("study", "study.json", _SERIES),
    "sizes": FolderKind("folder of sizes", "sizes.json", _SERIES),
    "pruned": FolderKind("folder of pruned networks", "pruned.json", _SERIES),
    "scale": FolderKind("study of size", "scale.json", _SERIES),
}
"""All kinds of folders by name."""

ADVICE = {
    ("artifact", "run"): "make one from it with 'zoo export {path}', and name that",
    ("run", "artifact"): "name the run that it was made from",
    ("run", "study"): "name its best run, {path}/best",
    ("run", "sizes"): "name one of the runs in it",
    ("run", "pruned"): "name one of the runs in it",
    ("run", "scale"): "name one of the runs in {path}/runs",
    ("artifact", "scale"): "name one of the artifacts in {path}/artifacts",
}
"""The advice in an error message, by the kind of folder that is wanted and the kind that was named."""


def kind(folder: Path) -> str | None:
    """Return the name of a folder's kind, a key of `KINDS`; None for a path that zoo did not write."""
    for name, folder_kind in KINDS.items():
        try:
            values = files.read_json(folder / folder_kind.marker, "restore it")
        except ZooError:
            continue
        if isinstance(values, dict) and folder_kind.keys <= values.keys():
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
    actual, title = kind(path), KINDS[wanted].title
    if actual and actual != wanted:
        advice = ADVICE.get((wanted, actual), f"name {with_article(title)}").format(path=path)
        return f"{path} is {with_article(KINDS[actual].title)}, not {with_article(title)}: {advice}"
    for parent in path.parents[:3]:
        owner_kind = kind(parent)
        if owner_kind and not actual:
            owner = f"the {KINDS[owner_kind].title} {parent}"
            return f"{path} is a part of {owner}, not {with_article(title)}: name the {title}'s folder"
    if not actual and path.is_dir():
        names = [child.name for child in sorted(path.iterdir()) if kind(child) == wanted]
        if names:
            return f"{path} holds {title}s but is not one: name one of them, such as {path / names[0]}"
    return None
