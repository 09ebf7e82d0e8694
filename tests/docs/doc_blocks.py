"""The code blocks of the documents: those that tests run, and those that a document marks as not run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LANGUAGES = ("sh", "console", "python")
"""Languages of blocks that people copy and run."""

BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]*?) -->\n+)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A code block: its position, language and text, and the reason if the document marks it as not run."""

    page: str
    line: int
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        """The position of the block, in the form PAGE:LINE."""
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        """True unless the document says that the block cannot be run."""
        return self.reason is None

    def commands(self) -> list[list[str]]:
        """The commands of a `sh` block, or those of a `console` block, whose lines begin with `$`, as words."""
        if self.language == "python":
            return []
        text = self.text.replace("\\\n", " ")
        lines = text.splitlines()
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        words = (shlex.split(line, comments=True) for line in lines)
        return [command for command in words if command]


def pages() -> list[Path]:
    """README.md and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a document in the languages that are run, in order."""
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        if found["language"] in LANGUAGES:
            line = text.count("\n", 0, found.start("language")) + 1
            yield Block(page.relative_to(ROOT).as_posix(), line, found["language"], found["text"], found["reason"])
