"""Runners: open formats of an artifact, which compute batches and refuse arrays that do not fit the contract."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo import contract, formats
from zoo.artifact import Manifest, read
from zoo.errors import Refused, ZooError, one_line
from zoo.formats import Format, Session
from zoo.input import Arrays
from zoo.serving.misfit import misfit
from zoo.signature import Signature, departures


@dataclass(frozen=True)
class Runner:
    """An open format of an artifact, called with batches; `signature` is that of the contract."""

    session: Session
    signature: Signature
    library: str

    def __call__(self, inputs: Arrays) -> Arrays:
        """Return the outputs of the contract for a batch of its inputs.

        Raises:
            ZooError: the inputs have other names, dtypes or shapes, or there are none.
            Refused: the library fails to compute them.
        """
        wrong = misfit(inputs, self.signature.inputs)
        if wrong:
            raise ZooError(
                f"{wrong}: make the arrays with zoo.input.kind_of(preprocessing).client.encode(examples, preprocessing)"
            )
        try:
            outputs = self.session.run(inputs)
        except Exception as error:  # each library raises its own
            raise Refused(f"{self.library} failed to compute the batch ({one_line(error)})") from None
        # TensorFlow promises no order.
        return {name: outputs[name] for name in self.signature.outputs}


def open_runner(artifact: Path, runtime: str, *, threads: int | None = None) -> Runner:
    """Open one format of an artifact on the CPU.

    Args:
        artifact: its folder.
        runtime: the name of one of its formats, or of another runtime for the file of one.
        threads: how many the library may use. With None, onnxruntime uses the usable CPUs, and TensorFlow what this
            process has set.

    Raises:
        ZooError: there is no artifact, it lacks the runtime, or the library cannot use so many threads.
        Refused: the file is damaged or departs from the contract.
    """
    row = formats.find(runtime)
    if threads is not None and threads < 1:
        raise ZooError(f"{threads} threads: at least 1 is needed")
    manifest = read(artifact)
    refuse_unavailable(artifact, manifest, row, "export it with that format")
    session = formats.open_session(artifact / row.place(), row, threads)
    signature = contract.of_every_format(manifest.model)
    wrong = departures(session.signature, signature)
    if wrong:
        raise Refused(f"{artifact / row.place()} departs from the contract: {'; '.join(wrong)}: export again")
    return Runner(session, signature, row.library)


def refuse_unavailable(artifact: Path, manifest: Manifest, row: Format, mend: str) -> None:
    """Raise ZooError unless the artifact has the format, or the one whose file the runtime opens."""
    if not row.available(manifest.formats):
        raise ZooError(f"{artifact} has no {row.name}, only {', '.join(manifest.formats)}: {mend}")
