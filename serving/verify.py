"""What can be said of an artifact from the artifact alone: with neither the run that it came from nor TensorFlow."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import numpy as np

from zoo import migration, schema
from zoo.artifact import (
    CARD,
    GOLDEN,
    LABELS,
    MANIFEST,
    ONNX_FILES,
    SAVED_MODEL,
    Format,
    Gate,
    Manifest,
    differences,
    hashes,
    read,
)
from zoo.contract import IMAGE
from zoo.errors import Refused, ZooError
from zoo.onnx_file import DIGEST, graph_digest
from zoo.preprocess import Preprocessing
from zoo.serving import versions
from zoo.serving.golden import GOLDENS, read_golden, replay
from zoo.serving.runner import OnnxRunner, onnx_session, onnx_signature, open_runner
from zoo.serving.signature import departures


@dataclass(frozen=True)
class Report:
    """Every gate that an artifact was put through."""

    gates: tuple[Gate, ...]

    @property
    def passed(self) -> bool:
        """Whether all gates were passed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the gates that were not passed."""
        return tuple(gate.name for gate in self.gates if not gate.passed)


def verify(artifact: Path) -> Report:
    """Check an artifact against its manifest and the contract, and let it answer its golden inputs again.

    A damaged artifact gives failed gates, which say what is wrong and where. ONNX files and a SavedModel are opened
    only when they are the manifest's, byte for byte; a SavedModel only where there is no ONNX and TensorFlow is
    installed. What 'zoo publish' made of an artifact, a base path or one version of it, is compared with what it says
    of itself.

    Raises:
        ZooError: there is no artifact, and nothing that was published.
        Refused: its manifest cannot be read.
    """
    if not (artifact / MANIFEST).exists() and versions.is_published(artifact):
        return Report(versions.gates(artifact))
    manifest = read(artifact)
    files, intact = _files(artifact, manifest)
    gates = [_manifest(manifest), files, _layout(manifest), _labels(artifact, manifest)]
    golden, golden_gate = _golden(artifact, manifest)
    gates.append(golden_gate)
    onnx_formats = [kind for kind in ONNX_FILES if kind in manifest.formats]
    for kind in onnx_formats:
        own, own_gate = (golden, None) if kind not in GOLDENS else _golden(artifact, manifest, kind)
        gates += [own_gate] if own_gate else []
        gates += _onnx(artifact, manifest, intact, kind, own)
    if not onnx_formats and "saved_model" in manifest.formats and importlib.util.find_spec("tensorflow"):
        gates.append(_saved_model(artifact, manifest, intact, golden))
    return Report(tuple(gates))


def _gate(name: str, problems: list[str], **figures: Any) -> Gate:
    return Gate(name, not problems, {**figures, "problems": problems} if problems else figures)


def _manifest(manifest: Manifest) -> Gate:
    """What its schema cannot say: that it does not contradict itself."""
    model, preprocessing = manifest.model, manifest.model.preprocessing
    problems = [f"the export's gate '{gate.name}' was not passed" for gate in manifest.gates if not gate.passed]
    if not manifest.formats or len(set(manifest.formats)) < len(manifest.formats):
        problems.append(f"formats are {list(manifest.formats)}")
    if len(model.labels) < 2 or len(set(model.labels)) < len(model.labels):
        problems.append(f"{len(model.labels)} labels, {len(set(model.labels))} of them different")
    if min(preprocessing.height, preprocessing.width) < 1:
        problems.append(f"images of {preprocessing.height} by {preprocessing.width} pixels")
    if not len(preprocessing.mean) == len(preprocessing.std) == preprocessing.channels:
        problems.append(f"mean and std are not of {preprocessing.channels} channels")
    return _gate("manifest", problems, formats=list(manifest.formats), files=len(manifest.files))


def _files(artifact: Path, manifest: Manifest) -> tuple[Gate, frozenset[str]]:
    """Every file is there and as it was, and there is no other; with the names of those that are."""
    try:
        found = hashes(artifact)
    except (ZooError, OSError) as error:
        return _gate("files", [str(error)]), frozenset()
    intact = frozenset(name for name, file in manifest.files.items() if found.get(name) == file)
    size = sum(file.bytes for file in found.values())
    return _gate("files", differences(found, manifest.files), files=len(found), bytes=size), intact


def _layout(manifest: Manifest) -> Gate:
    """The manifest lists what each format needs, and nothing of a format that it does not name."""
    needed = [CARD, LABELS, GOLDEN, *(GOLDENS[kind] for kind in manifest.formats if kind in GOLDENS)]
    needed += [ONNX_FILES[kind] for kind in manifest.formats if kind in ONNX_FILES]
    problems = []
    if "saved_model" in manifest.formats:
        parts = [PurePosixPath(name).parts for name in manifest.files]
        numbers = sorted({part[1] for part in parts if part[0] == SAVED_MODEL and len(part) > 2})
        problems += [f"{SAVED_MODEL}/{name} is no version number" for name in numbers if not name.isdecimal()]
        problems += [] if numbers else [f"{SAVED_MODEL} has no version"]
        decimal = [version for version in numbers if version.isdecimal()]
        needed += [f"{SAVED_MODEL}/{version}/{name}" for version in decimal for name in versions.SERVED]
    problems += [f"{name} is not listed" for name in needed if name not in manifest.files]
    # An empty warm-up passes TF Serving silently and warms nothing.
    problems += [f"{name} is empty" for name in needed if name in manifest.files and not manifest.files[name].bytes]
    for kind in get_args(Format):
        own = {ONNX_FILES.get(kind, SAVED_MODEL), GOLDENS.get(kind, "/")}
        if kind not in manifest.formats and any(
            own.intersection((name, PurePosixPath(name).parts[0])) for name in manifest.files
        ):
            problems.append(f"there are files of {kind}, which is none of the formats")
    return _gate("layout", problems)


def _labels(artifact: Path, manifest: Manifest) -> Gate:
    """`labels.txt` has the manifest's labels, one a line, in their order."""
    try:
        lines = (artifact / LABELS).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, ValueError) as error:
        return _gate("labels", [f"{LABELS} cannot be read ({error})"])
    return _gate("labels", _list_difference(LABELS, lines, manifest), labels=len(lines))


def _list_difference(where: str, found: list[str], manifest: Manifest) -> list[str]:
    wanted = list(manifest.model.labels)
    if len(found) != len(wanted):
        return [f"{where} has {len(found)} labels, the manifest {len(wanted)}"]
    for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one != other:
            return [f"{where}: label {number} is {one!r:.60}, in the manifest {other!r:.60}"]
    return []


def _golden(
    artifact: Path, manifest: Manifest, kind: Format | None = None
) -> tuple[dict[str, np.ndarray] | None, Gate]:
    """The golden answers of a format that has its own, or those of the rest."""
    file, name = (GOLDENS[kind], f"{kind}_golden_file") if kind else (GOLDEN, "golden_file")
    try:
        golden = read_golden(artifact / file, manifest.model)
    except Refused as error:
        return None, _gate(name, [str(error)])
    return golden, _gate(name, [], images=len(golden[IMAGE]))


def _onnx(
    artifact: Path, manifest: Manifest, intact: frozenset[str], kind: Format, golden: dict[str, np.ndarray] | None
) -> list[Gate]:
    """It loads, its signature is the contract's, its metadata the manifest's, its graph as it was closed.

    And its answers are the golden ones.
    """
    file = ONNX_FILES[kind]
    if file not in intact:
        return [_gate(f"{kind}_loads", [f"not opened: {file} is not the file of the manifest"])]
    try:
        session = onnx_session(artifact / file)
        metadata = session.get_modelmeta().custom_metadata_map
        signature = onnx_signature(session)
    except Exception as error:  # metadata that are not UTF-8 raise only when they are asked for
        return [_gate(f"{kind}_loads", [str(error)])]
    wrong = departures(signature, manifest.model)
    gates = [
        _gate(f"{kind}_loads", []),
        _gate(f"{kind}_contract", wrong, **signature.inputs, **signature.outputs),
        _gate(f"{kind}_metadata", _metadata_differences(metadata, manifest)),
        _gate(f"{kind}_digest", _digest_differences(metadata, artifact / file)),
    ]
    if golden is not None and not wrong:
        gates.append(replay(kind, OnnxRunner(session, manifest.model), golden))
    return gates


def _metadata_differences(metadata: dict[str, str], manifest: Manifest) -> list[str]:
    """What `metadata_props` say otherwise than the manifest: `labels` and `preprocessing`, as JSON."""
    problems = []
    readings: tuple[tuple[str, Any, Callable[[Any], Any]], ...] = (
        ("labels", list(manifest.model.labels), list),
        ("preprocessing", manifest.model.preprocessing, _preprocessing),
    )
    for key, wanted, parse in readings:
        if key not in metadata:
            problems.append(f"metadata_props has no '{key}'")
            continue
        try:
            same = parse(json.loads(metadata[key])) == wanted
        except (ValueError, TypeError, RecursionError, ZooError):
            same = False
        if not same:
            problems.append(f"metadata_props has another '{key}' than the manifest: {metadata[key]:.60}")
    return problems


def _preprocessing(values: Any) -> Preprocessing:
    return schema.parse(Preprocessing, migration.preprocessing(values), "preprocessing")


def _digest_differences(metadata: dict[str, str], path: Path) -> list[str]:
    """Whether the graph is the one that the file was closed with: some changes of weights move no answer."""
    kept = metadata.get(DIGEST)
    if kept is None:
        return [f"metadata_props has no '{DIGEST}'"]
    try:
        found = graph_digest(path)
    except ValueError as error:
        return [str(error)]
    return [] if kept == found else [f"the graph's SHA-256 is {found[:12]}…, not {kept:.12}… as the file says"]


def _saved_model(
    artifact: Path, manifest: Manifest, intact: frozenset[str], golden: dict[str, np.ndarray] | None
) -> Gate:
    name = "saved_model_golden"
    damaged = [file for file in manifest.files if file.startswith(f"{SAVED_MODEL}/") and file not in intact]
    if damaged:
        return _gate(name, [f"not opened: {damaged[0]} is not the file of the manifest"])
    if golden is None:
        return _gate(name, ["not replayed: the golden file cannot be read"])
    try:
        return replay("saved_model", open_runner(artifact, "saved_model"), golden)
    except ZooError as error:
        return _gate(name, [str(error)])
