"""The formats of an artifact: a row for each, with the code that opens it. Serving opens every format by its row.

Each module of this package has `FORMATS`, the rows of the formats that it opens. An installed package adds a module by
an entry point of the group `zoo.formats`, see `zoo.plugins`: a format with a writer of its own, or another runtime for
the file of an existing format. Opening a file imports its library; the modules themselves import none.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import plugins
from zoo.contract import TOLERANCE
from zoo.errors import Refused, ZooError, did_you_mean, one_line, out_of_memory
from zoo.signature import Signature

if TYPE_CHECKING:
    import numpy as np

    from zoo.description import Model

GOLDEN = "golden.npz"
"""The artifact's file with inputs of the contract and the outputs that Keras computes for them."""


Compute = Callable[[dict[str, "np.ndarray"]], dict[str, "np.ndarray"]]
"""Takes a batch, arrays by input name; returns arrays by output name."""


@dataclass(frozen=True)
class Session:
    """An open file, ready to compute on the CPU.

    `signature` is the one that the file itself states. `run` computes a batch. `native` is the library's own object,
    for features that only this format has.
    """

    signature: Signature
    run: Compute
    native: Any = None


def listed_alone(sizes: Mapping[str, int], path: str) -> list[str]:
    """Return the faults of a listing of files (bytes by path) for a format that is the one file `path`."""
    if path not in sizes:
        return [f"{path} is not listed"]
    return [] if sizes[path] else [f"{path} is empty"]


def no_checks(path: Path, session: Session, model: Model) -> dict[str, list[str]]:
    """Return no faults: the format has no checks beyond those of every format."""
    return {}


@dataclass(frozen=True)
class Format:
    """A format: where its file is, how it is opened, how exact it is, and the model card's words about it.

    Attributes:
        name: the name that users type and manifests store.
        library: the top-level module that opening needs.
        open: opens a file or a folder with a number of threads (None: all usable CPUs). If it raises an exception, the
            file is refused, unless the memory is used up.
        card: Markdown on how to use the format, from the artifact's name and the model's description.
        path: the file or folder within an artifact; empty for a runtime that opens the file of `source`.
        source: the format whose file this one is made of, or opens.
        write: writes the file of a format that zoo itself does not write. It is given the artifact's folder, in which
            `source` is finished, the Keras model (float32, from the network's inputs on) and its description.
        golden: the artifact's file with the inputs and outputs that `zoo verify` compares with.
        tolerance: the largest difference of the primary output from Keras', in units of the task's yardstick (see
            `zoo.agreement`).
        golden_tolerance: the same for the difference from the golden outputs, on any machine.
        batch_tolerance: the same for the difference between batches and single examples that this file computes, for
            formats whose rounding depends on the batch; None where batches are compared with Keras.
        heavy: whether importing the library takes seconds. `zoo verify` and `zoo predict` open such a format where
            there is no other.
        import_library: makes the settings that the library needs and imports it; a plain import where None.
        layout: the faults of a listing of an artifact's files (bytes by path) for this format, a phrase for each; the
            second argument is `path`.
        checks: further checks of the path, the open session and the model's description: the faults by check.
    """

    name: str
    library: str
    open: Callable[[Path, int | None], Session]
    card: Callable[[str, Model], str]
    path: str = ""
    source: str | None = None
    write: Callable[[Path, Any, Model], None] | None = None
    golden: str = GOLDEN
    tolerance: float = TOLERANCE
    golden_tolerance: float = TOLERANCE
    batch_tolerance: float | None = None
    heavy: bool = False
    import_library: Callable[[], Any] | None = None
    layout: Callable[[Mapping[str, int], str], list[str]] = listed_alone
    checks: Callable[[Path, Session, Model], dict[str, list[str]]] = no_checks

    def place(self) -> str:
        """Return the path within an artifact that is opened: its own, or that of its source."""
        return self.path or find(self.source or "").place()

    def owns(self, name: str) -> bool:
        """Return whether opening reads a file: the format's own, data named after it, or a file in its folder."""
        path = self.place()
        return name == path or name.startswith((f"{path}.", f"{path}/"))

    def available(self, formats: Collection[str]) -> bool:
        """Return whether an artifact with these formats has the file that this one opens."""
        return self.name in formats or (not self.path and self.source in formats)


@functools.cache
def table() -> dict[str, Format]:
    """Return every format by name: zoo's own, then those that installed packages add, which replace none of zoo's."""
    modules = sorted(plugins.modules(__name__).values(), key=lambda module: module.__package__ != __name__)
    formats: dict[str, Format] = {}
    for row in (row for module in modules for row in module.FORMATS):
        formats.setdefault(row.name, row)
    return formats


def find(name: str) -> Format:
    """Return the format of this name.

    Raises:
        ZooError: there is none.
    """
    if name not in table():
        raise ZooError(f"there is no format or runtime '{name:.60}': {did_you_mean(name, table())}")
    return table()[name]


def preferred(formats: Collection[str]) -> Format:
    """Return the format to open by default: preferably with a light library, and made of no other format.

    Raises:
        ZooError: there are none, or one is unknown.
    """
    if not formats:
        raise ZooError("the artifact has no format: export again")
    return min(map(find, formats), key=lambda row: (row.heavy, row.source is not None))


def is_installed(row: Format) -> bool:
    """Return whether the library of a format is installed, without importing it."""
    return importlib.util.find_spec(row.library) is not None


def import_library(row: Format) -> Any:
    """Import the library of a format, and return it.

    Raises:
        ZooError: it is not installed.
    """
    # TensorFlow, and libraries that are built on it, then log nothing below fatal errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        return row.import_library() if row.import_library else importlib.import_module(row.library)
    except ModuleNotFoundError as error:
        raise ZooError(
            f"{row.name} needs {error.name}, which is not installed: install it, or use another runtime"
        ) from None


def open_session(path: Path, row: Format, threads: int | None = None) -> Session:
    """Open a file of a format, whatever its signature.

    Raises:
        ZooError: the library is not installed, or cannot be set to this number of threads.
        Refused: the file cannot be loaded. Exceptions that say that the memory is used up stay as they are.
    """
    import_library(row)
    try:
        return row.open(path, threads)
    except ZooError:
        raise
    except Exception as error:  # each library raises its own classes, which are not part of its interface
        if out_of_memory(error):
            raise
        raise Refused(f"{path} cannot be loaded ({one_line(error)}): export again") from None
