"""An example with its target, and the examples that a source reads, before they are divided into splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.description import Part

BadExamples = Literal["error", "skip"]
"""The treatment of examples that cannot be read: they are an error, or are left out."""

UNLABELED = "unlabeled"
"""The `task` of data without labels, which no network can be trained for, and the class of all their examples."""


def check_bad_examples(value: object) -> None:
    """Raise ZooError when a value is not one of `BadExamples`."""
    if value not in get_args(BadExamples):
        raise ZooError(f"bad_examples={value!r:.40}: write {' or '.join(get_args(BadExamples))}")


@dataclass(frozen=True, slots=True)
class Example:
    """One example with its target.

    Attributes:
        split: `train`, `validation` or `test`.
        target: the index of its class among the dataset's labels; its values, a tuple of floats; its text; or, if there
            are several targets, the index or value of each, a tuple of floats.
        name: its name in messages.
        content: the raw example, see `zoo.input`, or an object whose `read` returns it, which may also have a `file`.
        size: the size of the raw example in bytes.
        digest: the SHA-256 of the example as the source has it.
        traits: what its kind knows about it without reading it again, such as the size of an image.
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
        """True if the raw example is in memory, so that no file has to be read."""
        return not hasattr(self.content, "read")

    @property
    def file(self) -> str:
        """The path of a file that is read like the raw example; empty if its content names none."""
        return getattr(self.content, "file", "")

    def read(self) -> Any:
        """Return the raw example."""
        return self.content if self.in_memory else self.content.read()


@dataclass(frozen=True)
class Unreadable:
    """An example that a source could not read; messages write its `name`, a colon, and the `reason`."""

    split: str
    target: Any
    name: str
    reason: str


@dataclass(frozen=True)
class RawDataset:
    """The examples of a source, with the splits that the source itself has.

    Attributes:
        kind: the kind of input.
        labels: the names of the classes, or of the values; empty if targets are texts.
        examples: every example that can be read. Those of a source without splits are all in `train`.
        unreadable: the examples that cannot be read.
        task: the kind of answer.
        argument: the argument that reads the same data again, such as an absolute path or a name with its version.
        data_dir: the option `data_dir` that reads the same data again, None if the source has no such option.
        license: the license that the dataset itself states, None if it states none.
        form: the properties that all examples have in common, such as the columns of a table; None if the kind of input
            determines them.
        parts: the targets, if there are several; the task is then `several`, and `labels` has the labels of all.
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
