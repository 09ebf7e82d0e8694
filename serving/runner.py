"""Runners: open formats of an artifact that compute batches of images, and refuse arrays that are none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo import contract, formats
from zoo.artifact import Manifest, read
from zoo.contract import BATCH
from zoo.errors import Refused, ZooError
from zoo.formats import Format, Session
from zoo.signature import Tensor, departures


@dataclass(frozen=True)
class Runner:
    """An open format of an artifact, called with images."""

    session: Session
    shape: tuple[int, int, int]
    library: str

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """`logits` and `probabilities`, float32 [batch, classes], of uint8 images [batch, height, width, channels].

        Raises:
            ZooError: the images have another dtype or shape, or there are none.
            Refused: the library fails to compute them.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != self.shape or not len(pixels):
            found, wanted = Tensor(pixels.dtype.name, pixels.shape), Tensor("uint8", (BATCH, *self.shape))
            raise ZooError(
                f"the pixels are {found}, not {wanted}: zoo.inputs.image.preprocessing.pixels_from_bytes makes them"
            )
        try:
            return self.session.run(pixels)
        except Exception as error:  # each library raises its own
            raise Refused(f"{self.library} failed to compute the images ({one_line(error)})") from None


def open_runner(artifact: Path, runtime: str, *, threads: int | None = None) -> Runner:
    """Open one format of an artifact on the CPU.

    Args:
        artifact: its folder.
        runtime: the name of one of its formats, or of another runtime for the file of one.
        threads: how many the library may use; the usable CPUs when None.

    Raises:
        ZooError: there is no artifact, it cannot be opened so, or the threads cannot be had.
        Refused: the file is damaged or departs from the contract.
    """
    row = formats.find(runtime)
    if threads is not None and threads < 1:
        raise ZooError(f"{threads} threads cannot work: ask for at least 1")
    manifest = read(artifact)
    refuse_unavailable(artifact, manifest, row, "export it with that format")
    session = open_session(artifact, row, threads)
    wrong = departures(session.signature, contract.of_every_format(manifest.model))
    if wrong:
        raise Refused(f"{artifact / row.place()} departs from the contract: {'; '.join(wrong)}: export again")
    return Runner(session, manifest.model.preprocessing.shape, row.library)


def refuse_unavailable(artifact: Path, manifest: Manifest, row: Format, mend: str) -> None:
    """Raise ZooError unless the artifact has the format, or the one whose file the runtime opens."""
    if not row.available(manifest.formats):
        raise ZooError(f"{artifact} has no {row.name}, only {', '.join(manifest.formats)}: {mend}")


def open_session(artifact: Path, row: Format, threads: int | None = None) -> Session:
    """Open the file of one format of an artifact, whatever its signature.

    Raises:
        ZooError: the library is not installed, or cannot be set to so many threads.
        Refused: the file cannot be loaded.
    """
    formats.import_library(row)
    try:
        return row.open(artifact / row.place(), threads)
    except ZooError:
        raise
    except Exception as error:  # each library raises its own classes, which are no part of its interface
        raise Refused(f"{artifact / row.place()} cannot be loaded ({one_line(error)}): export again") from None


def one_line(error: Exception) -> str:
    """The message of an exception in one line of at most 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__
