"""The source `transcripts`: clips with a text file beside each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.inputs.audio.sounds import PLAIN
from zoo.data.dataset import Examples
from zoo.data.load import fingerprint, load, read_source
from zoo.data.sources import transcripts
from zoo.errors import ZooError
from zoo.recipe import Split


def folder(root: Path, **texts: str | None) -> Path:
    """Write a clip for each text, in a folder of its own where its name has a dash."""
    for name, text in texts.items():
        path = root.joinpath(*name.split("_"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".wav").write_bytes(PLAIN)
        if text is not None:
            path.with_suffix(".txt").write_text(text)
    return root


def test_clips_are_read_with_their_texts(tmp_path: Path) -> None:
    folder(tmp_path, b="two words\n", a_10="ten", a_9="nine", c=None)
    (tmp_path / "alone.txt").write_text("no clip")
    said: list[str] = []
    _, raw = read_source(f"transcripts:{tmp_path}", "audio", say=said.append)
    assert (raw.task, raw.labels, raw.unreadable) == ("transcript", (), ())
    assert [(one.name, one.target) for one in raw.examples] == [
        ("a/9.wav", "nine"),
        ("a/10.wav", "ten"),
        ("b.wav", "two words\n"),
    ]
    assert said == ["left out: 2 files that are not a clip with its text: alone.txt, c.wav"]
    targets = Examples.of(raw.examples).targets
    assert (targets.dtype, targets.tolist()) == (object, ["nine", "ten", "two words\n"])
    assert np.array_equal(Examples.of(raw.examples).only(np.array([1])).targets, ["ten"])


def test_other_files_beside_a_text_are_left_out(tmp_path: Path) -> None:
    root = folder(tmp_path, a="yes", b="no")
    for name in ("a.json", "a.srt", "b.flac"):
        (root / name).write_text("no sound")
    (root / "b.wav").write_text("damaged")
    said: list[str] = []
    raw = transcripts.read(str(root), said.append, "audio")
    assert [one.name for one in raw.examples] == ["a.wav"]
    assert [one.name for one in raw.unreadable] == ["b.flac", "b.wav"], "one of them may be the clip"
    assert said == ["left out: 2 files that are not a clip with its text: a.json, a.srt"]


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    (folder(tmp_path, a="yes") / "loop").symlink_to(tmp_path)
    said: list[str] = []
    assert len(read_source(f"transcripts:{tmp_path}", "audio", say=said.append)[1].examples) == 1
    assert said == ["left out: links to folders, which are not followed because they may form a cycle: loop"]


def test_the_fingerprint_is_also_that_of_the_texts(tmp_path: Path) -> None:
    first, other = (
        read_source(f"transcripts:{folder(tmp_path / name, a=text)}", "audio")[1]
        for name, text in (("one", "yes"), ("other", "no"))
    )
    assert fingerprint((), [first.examples]) != fingerprint((), [other.examples])
    assert fingerprint((), [first.examples]) == fingerprint((), [first.examples])


def test_texts_without_a_word_and_damaged_files_are_named(tmp_path: Path) -> None:
    root = folder(tmp_path, a="yes", b=" \n", c="no", d="x")
    (root / "c.wav").write_bytes(PLAIN[:-100])
    (root / "d.txt").write_bytes(b"\xff")
    with pytest.raises(ZooError, match=r"3 of 4 clips .* b\.wav: its text, b\.txt, has no word, c\.wav: .*cut short"):
        read_source(f"transcripts:{root}", "audio")
    _, raw = read_source(f"transcripts:{root}", "audio", bad_examples="skip")
    assert [one.target for one in raw.examples] == ["yes"]


@pytest.mark.parametrize(("source", "message"), [("nowhere", "there is no folder"), ("", "holds no clip with a text")])
def test_other_folders_are_refused(source: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=message) as said:
        load(f"transcripts:{tmp_path / source}", "audio", split=Split())
    assert "beside each a text file of the same name" in str(said.value)
