"""Checks of an artifact, or of a published version of it, from its files alone: without its run and TensorFlow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zoo import contract, formats
from zoo.artifact import CARD, GOLDEN, LABELS, MANIFEST, Gate, Manifest, changes, own_hashes, read
from zoo.errors import Refused, ZooError, one_line
from zoo.formats import Format
from zoo.input import Arrays, kind_of
from zoo.serving import versions
from zoo.serving.golden import read_golden, replay
from zoo.serving.runner import Runner
from zoo.signature import departures
from zoo.task import task_of


@dataclass(frozen=True)
class Report:
    """The result of a verification.

    Attributes:
        artifact: the folder.
        gates: all gates, in the order in which they were tried.
        missing: the libraries of all formats, if none of them is installed: the golden answers were then not computed.
    """

    artifact: Path
    gates: tuple[Gate, ...]
    missing: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True if all gates were passed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the gates that were not passed."""
        return tuple(gate.name for gate in self.gates if not gate.passed)


def verify(artifact: Path) -> Report:
    """Check an artifact against its manifest and the contract, and compare its outputs with its golden files.

    A damaged artifact gives failed gates, which say what is wrong and where. A file is opened only when it is the one
    that the manifest lists, byte for byte; where the files cannot be hashed, there are no gates on their content. A
    format with a heavy library, such as TensorFlow, is opened only where the artifact has no other and the library is
    installed. A base path that 'zoo publish' wrote, or one version of it, is compared with its own record.

    Raises:
        ZooError: the folder is neither an artifact nor anything that 'zoo publish' wrote.
        Refused: its manifest cannot be read.
    """
    if not (artifact / MANIFEST).exists() and versions.is_published(artifact):
        return Report(artifact, versions.gates(artifact))
    manifest = read(artifact)
    files, intact = _files(artifact, manifest)
    gates = [_manifest(manifest), files, _layout(manifest)]
    if intact is None:
        return Report(artifact, tuple(gates))
    gates.append(_labels(artifact, manifest, intact))
    golden, golden_gate = _golden(artifact, manifest, intact, GOLDEN, "golden_file")
    gates.append(golden_gate)
    rows = _to_open(manifest)
    for row in rows:
        expected = golden
        if row.golden != GOLDEN:
            expected, golden_gate = _golden(artifact, manifest, intact, row.golden, f"{row.name}_golden_file")
            gates.append(golden_gate)
        gates += _format(artifact, manifest, intact, row, expected)
    libraries = dict.fromkeys(formats.find(name).library for name in manifest.formats)
    return Report(artifact, tuple(gates), () if rows else tuple(libraries))


def _to_open(manifest: Manifest) -> list[Format]:
    """Return the formats to open: those with a light library, or else those whose heavy library is installed."""
    rows = [formats.find(name) for name in dict.fromkeys(manifest.formats)]
    light_formats = [row for row in rows if not row.heavy]
    return light_formats or [row for row in rows if formats.is_installed(row)]


def _manifest(manifest: Manifest) -> Gate:
    """The gate on contradictions within the manifest, which its schema cannot catch."""
    model, preprocessing = manifest.model, manifest.model.preprocessing
    problems = [f"the export's gate '{gate.name}' was not passed" for gate in manifest.gates if not gate.passed]
    if not manifest.formats or len(set(manifest.formats)) < len(manifest.formats):
        problems.append(f"formats are {list(manifest.formats)}")
    if len(model.labels) < task_of(model).fewest_labels or len(set(model.labels)) < len(model.labels):
        problems.append(f"{len(model.labels)} labels, {len(set(model.labels))} of them different")
    if model.scales and len(model.scales) != len(model.labels):
        problems.append(f"{len(model.scales)} scales of {len(model.labels)} values")
    problems += kind_of(preprocessing).client.problems(preprocessing)
    return Gate.of("manifest", problems, formats=list(manifest.formats), files=len(manifest.files))


def _files(artifact: Path, manifest: Manifest) -> tuple[Gate, frozenset[str] | None]:
    """Return the gate on the files' hashes, and the names of the files that are as the manifest lists them.

    The names are None if the files cannot be hashed.
    """
    try:
        hashes = own_hashes(artifact, manifest)
    except (ZooError, OSError) as error:
        return Gate.of("files", [str(error)]), None
    intact = frozenset(name for name, file in manifest.files.items() if hashes.get(name) == file)
    size = sum(file.bytes for file in hashes.values())
    # A server takes the highest folder for the newest version, even if it is empty.
    listed_folders = {str(folder) for name in manifest.files for folder in PurePosixPath(name).parents}
    places = [artifact / formats.find(name).place() for name in dict.fromkeys(manifest.formats)]
    subfolders = [path for place in places if place.is_dir() for path in sorted(place.iterdir()) if path.is_dir()]
    folder_names = [path.relative_to(artifact).as_posix() for path in subfolders]
    empty = [f"{name} is a folder without files of the manifest" for name in folder_names if name not in listed_folders]
    return Gate.of("files", [*changes(hashes, manifest.files), *empty], files=len(hashes), bytes=size), intact


def _layout(manifest: Manifest) -> Gate:
    """The gate on the manifest's list of files: all files of its formats are listed, and none of other formats."""
    sizes = {name: file.bytes for name, file in manifest.files.items()}
    rows = [formats.find(name) for name in dict.fromkeys(manifest.formats)]
    problems = []
    for name in dict.fromkeys([CARD, LABELS, GOLDEN, *(row.golden for row in rows)]):
        problems += formats.listed_alone(sizes, name)
    for row in rows:
        problems += row.layout(sizes, row.place())
    for row in formats.table().values():
        if row.path and row not in rows and any(row.owns(name) or name == _own_golden(row) for name in sizes):
            problems.append(f"there are files of {row.name}, which the manifest does not name as a format")
    return Gate.of("layout", problems)


def _own_golden(row: Format) -> str | None:
    return row.golden if row.golden != GOLDEN else None


def _not_opened(name: str) -> str:
    return f"not opened: {name} is not the file of the manifest"


def _labels(artifact: Path, manifest: Manifest, intact: Collection[str]) -> Gate:
    """The gate on `labels.txt`: the manifest's labels, one a line, in their order."""
    if LABELS not in intact:
        return Gate.of("labels", [_not_opened(LABELS)])
    try:
        lines = (artifact / LABELS).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, ValueError) as error:
        return Gate.of("labels", [f"{LABELS} cannot be read ({error})"])
    return Gate.of("labels", _first_difference(lines, manifest.model.labels), labels=len(lines))


def _first_difference(lines: list[str], labels: Collection[str]) -> list[str]:
    if len(lines) != len(labels):
        return [f"{LABELS} has {len(lines)} labels, the manifest {len(labels)}"]
    for number, (line, label) in enumerate(zip(lines, labels, strict=True)):
        if line != label:
            return [f"{LABELS}: label {number} is {line!r:.60}, in the manifest {label!r:.60}"]
    return []


def _golden(
    artifact: Path, manifest: Manifest, intact: Collection[str], file: str, name: str
) -> tuple[Arrays | None, Gate]:
    """Return the arrays of a golden file, None where it cannot be read, and the gate `name` on reading it."""
    if file not in intact:
        return None, Gate.of(name, [_not_opened(file)])
    try:
        golden = read_golden(artifact / file, manifest.model)
    except Refused as error:
        return None, Gate.of(name, [str(error)])
    return golden, Gate.of(name, [], examples=len(golden[task_of(manifest.model).outputs[0]]))


def _format(
    artifact: Path,
    manifest: Manifest,
    intact: Collection[str],
    row: Format,
    golden: Arrays | None,
) -> list[Gate]:
    """The gates on one format: it loads, its signature is the contract's, its own checks, and the golden outputs."""
    listed = [name for name in manifest.files if row.owns(name)]
    damaged = [name for name in listed if name not in intact] if listed else [row.place()]
    if damaged:
        return [Gate.of(f"{row.name}_loads", [_not_opened(damaged[0])])]
    formats.import_library(row)
    try:
        session = formats.open_session(artifact / row.place(), row)
        checks = row.checks(artifact / row.place(), session, manifest.model)
    except Exception as error:  # reading the metadata of a damaged file raises the library's own classes
        return [Gate.of(f"{row.name}_loads", [one_line(error, 1000)])]
    signature = contract.of_every_format(manifest.model)
    wrong = departures(session.signature, signature)
    gates = [
        Gate.of(f"{row.name}_loads", []),
        Gate.of(f"{row.name}_contract", wrong, **session.signature.described()),
        *(Gate.of(f"{row.name}_{name}", faults) for name, faults in checks.items()),
    ]
    if golden is not None and not wrong:
        gates.append(replay(row, Runner(session, signature, row.library), manifest.model, golden))
    return gates
