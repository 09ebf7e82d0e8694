"""An example with its target, and the examples that a source reads, before they are divided into splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.description import Part

UNLABELED = "unlabeled"
"""The `task` of data without labels, for which no network is trained, and the class of all their examples."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example with its target.

    Attributes:
        split: `train`, `validation` or `test`.
        target: the place of its class among the dataset's labels; its values, a tuple of floats; its text; or, where
            there are several targets, the place or value of each, a tuple of floats.
        name: what messages call it.
        content: the raw example, see `zoo.input`, or an object whose `read` returns it; it may have a `file`, too.
        size: bytes of the raw example.
        digest: SHA-256 of the example as the source has it.
        traits: what its kind knows of it without reading it again, such as the size of an image.
    """

    split: str
    target: Any
    name: str
    content: Any
    size: int
    digest: bytes
    traits: Any = None

    @property
    def in_memory(self) -> bool:
        """True where reading takes no file."""
        return not hasattr(self.content, "read")

    @property
    def file(self) -> str:
        """The path of the file that is the raw example, all of it; empty where its content names none."""
        return getattr(self.content, "file", "")

    def read(self) -> Any:
        """Return the raw example."""
        return self.content if self.in_memory else self.content.read()


@dataclass(frozen=True)
class Unreadable:
    """An example that a source could not read, and the reason in words that follow `NAME: `."""

    split: str
    target: Any
    name: str
    reason: str


@dataclass(frozen=True)
class RawDataset:
    """The examples of a source, with the splits that the source itself has.

    Attributes:
        kind: the kind of input.
        labels: the names of the classes, or of the values; none where targets are texts.
        examples: every example that can be read. Those of a source without splits are all in `train`.
        unreadable: the examples that cannot be read.
        task: the kind of answer.
        argument: the argument that reads the same data again, such as an absolute path or a name with its version.
        data_dir: the option `data_dir` that reads the same data again, None if the source has no such option.
        license: the license that the dataset itself states, None if it states none.
        form: what all examples have in common, such as the columns of a table; None where the kind finds it out.
        parts: the targets where there are several; the task is then `several`, and `labels` are those of all.
    """

    kind: str
    labels: tuple[str, ...]
    examples: list[Example]
    unreadable: tuple[Unreadable, ...] = ()
    task: str = "classes"
    argument: str = ""
    data_dir: str | None = None
    license: str | None = None
    form: Any = None
    parts: tuple[Part, ...] = ()
