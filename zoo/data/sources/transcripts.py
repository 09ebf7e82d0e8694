"""The source `transcripts`: clips, and next to each a text file of the same name with the words spoken in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo import input as inputs
from zoo.data.entries import say_links, visible_entries
from zoo.data.example import Example, RawDataset, Unreadable
from zoo.data.names import shown
from zoo.data.prefetch import map_ahead
from zoo.data.source import Source, absolute_path
from zoo.data.store_copy import folder_of
from zoo.errors import ZooError, listed
from zoo.input import Input
from zoo.inputs.text.text_files import read_text_file
from zoo.text import Say

LAYOUT = "it should hold clips such as a.wav, and beside each a text file of the same name, a.txt"

READ_AHEAD = 64

TEXT = ".txt"


def read(argument: str, say: Say, kind: str) -> RawDataset:
    """Read every clip of a folder and of the folders in it, with its text. The data have no splits.

    A clip whose text has no word is an unreadable example. Of several files beside a text, such as a clip and
    subtitles, those that cannot be read are left out if another one is a clip. `say` is called for files that are left
    out, for texts without a clip, and for links to folders, which are left out.

    Raises:
        ZooError: the folder is missing, or has no readable clip with a text.
    """
    root, recorded = folder_of(argument, say)
    if not root.is_dir():
        raise ZooError(f"there is no folder {root}: {LAYOUT}")
    input_kind = inputs.find(kind)
    entries = list(_entries(root))
    links = [entry for entry in entries if entry.is_dir()]
    say_links(links, root, say)
    linked = set(links)
    files = [entry for entry in entries if entry not in linked]
    texts = {file for file in files if file.suffix == TEXT}
    clips = [file for file in files if file not in texts and file.with_suffix(TEXT) in texts]
    inspected = dict(
        zip(clips, map_ahead(lambda clip: _inspected(clip, root, input_kind), clips, READ_AHEAD), strict=True)
    )
    texts_with_clip = {clip.with_suffix(TEXT) for clip, result in inspected.items() if isinstance(result, Example)}
    kept = {
        clip: result
        for clip, result in inspected.items()
        if isinstance(result, Example) or clip.with_suffix(TEXT) not in texts_with_clip
    }
    paired = {*kept, *(clip.with_suffix(TEXT) for clip in kept)}
    alone = [shown(file.relative_to(root)) for file in files if file not in paired]
    if alone:
        say(f"left out: {len(alone)} files that are not a {input_kind.noun} with its text: {listed(alone, most=3)}")
    examples = [result for result in kept.values() if isinstance(result, Example)]
    unreadable = tuple(result for result in kept.values() if isinstance(result, Unreadable))
    if not examples:
        first = f" ({unreadable[0].name}: {unreadable[0].reason})" if unreadable else ""
        raise ZooError(f"{root} holds no {input_kind.noun} with a text{first}: {LAYOUT}")
    return RawDataset(kind, (), examples, unreadable, "transcript", argument=recorded)


def _entries(folder: Path) -> Iterator[Path]:
    """Yield the visible files and links of a folder and of the folders in it, in natural order.

    Links to folders are not followed: they may form a cycle.
    """
    for entry in visible_entries(folder):
        if entry.is_dir() and not entry.is_symlink():
            yield from _entries(entry)
        else:
            yield entry


def _inspected(clip: Path, root: Path, kind: Input) -> Example | Unreadable:
    """Read a whole clip, to find damage, and its text."""
    name, beside = shown(clip.relative_to(root)), clip.with_suffix(TEXT)
    try:
        text = read_text_file(beside)
    except ZooError as error:
        return Unreadable("train", "", name, f"its text, {shown(beside.name)}, is {error}")
    if not text.split():
        return Unreadable("train", "", name, f"its text, {shown(beside.name)}, has no word")
    try:
        return kind.data.inspect(clip, split="train", target=text, name=name)
    except ZooError as error:
        return Unreadable("train", text, name, str(error))


SOURCE = Source(
    scheme="transcripts",
    kinds=("audio",),
    argument="PATH",
    argument_is_path=True,
    absolute=absolute_path,
    summary="your own clips, each with a text file of the same name beside it",
    read=read,
    short_name=lambda argument: Path(argument).name,
)
