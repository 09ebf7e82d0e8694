"""The artifact folder and its manifest, which the export writes and the serving reads. No framework is imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from zoo import files, formats, migration, schema
from zoo.description import Data, InitialWeights, Model, Provenance, Teacher, Weights
from zoo.differences import differences
from zoo.errors import Refused, ZooError
from zoo.folder_kinds import KINDS, mistaken
from zoo.int8_defaults import Target
from zoo.recipe import Recipe
from zoo.schema import record
from zoo.task import Score

MANIFEST = KINDS["artifact"].marker
CARD = "README.md"
LABELS = "labels.txt"
GOLDEN = formats.GOLDEN


@record
class File:
    """A file of the artifact: its size in bytes and its SHA-256."""

    bytes: int
    sha256: str


@record
class Gate:
    """A check of the artifact: whether it was passed, and the figures that decided it."""

    name: str
    passed: bool
    figures: dict[str, Any]

    @classmethod
    def of(cls, name: str, problems: Sequence[str], **figures: Any) -> Gate:
        """Return a gate that is passed if there are no problems; the figures list those that there are."""
        return cls(name, not problems, {**figures, "problems": [*problems]} if problems else figures)


@record
class PairedAccuracy:
    """The share of right answers of a float32 file and of an int8 file on the same examples of a split.

    The task decides which answers are right. Only float32 is right on `lost` examples, only int8 on `gained`. int8 is
    less accurate by `drop` points, with the 95 % interval from `low` to `high`.
    """

    split: str
    examples: int
    float32: float
    int8: float
    lost: int
    gained: int
    drop: float
    low: float
    high: float


@record
class LatencyRatio:
    """The latency of int8 as a multiple of float32's, with its 95 % interval from `low` to `high`.

    Both files ran in turns within one process; only the processor time of their thread counts. `shapes` are those of
    the inputs, by name; None if they were not recorded.
    """

    float32_ms: float
    int8_ms: float
    ratio: float
    low: float
    high: float
    rounds: int
    threads: int = 1
    batch: int = 1
    shapes: dict[str, tuple[int, ...]] | None = None


@record
class Float32Node:
    """A node of an int8 file that stays in float32.

    `cost` is the root mean square change of the primary output when only this node is in 8 bits, in units of the
    output's std. In networks with more than 64 such nodes, it is the change when only the nodes of this node's group
    are in 8 bits. Activation functions stay in float32 together; their cost is the further change when all of them are
    in 8 bits.
    """

    node: str
    cost: float


@record
class Int8:
    """The settings of an int8 file, and its accuracy and latency compared with float32.

    `nodes` counts the nodes with weights or activation functions; those in `kept` stay in float32. `validation` is the
    accuracy that decided which nodes stay, `test` the accuracy on examples that decided nothing. `scaled` counts the
    activations that were equalized. `speed` is None if the target is another kind of processor than this machine's.
    `forced` lists why the file would have been refused without --force.
    """

    target: Target
    max_drop: float
    calibration_examples: int
    method: str
    nodes: int
    kept: tuple[Float32Node, ...]
    scaled: int
    validation: PairedAccuracy
    test: PairedAccuracy
    speed: LatencyRatio | None
    forced: tuple[str, ...] = ()


@record
class Manifest:
    """The contents of `manifest.json`.

    `files` lists every file of the artifact except the manifest itself, by path. `score` has the score of each format;
    it is empty if the run has no data. `data`, `unlabeled`, `recipe`, `weights`, `initial` and `teacher` are copied
    from the run; `training` is the run's provenance and `export` the artifact's. `opset` and `ir_version` are those of
    the ONNX file.
    """

    schema: int
    model: Model
    data: Data | None
    recipe: Recipe | None
    training: Provenance
    export: Provenance
    formats: tuple[str, ...]
    files: dict[str, File]
    gates: tuple[Gate, ...]
    score: dict[str, Score]
    license: dict[str, str]
    opset: int | None = None
    weights: Weights | None = None
    ir_version: int | None = None
    int8: Int8 | None = None
    initial: InitialWeights | None = None
    teacher: Teacher | None = None
    unlabeled: Data | None = None


def read(folder: Path) -> Manifest:
    """Read the manifest of the artifact at `folder`; its files are not read.

    Raises:
        ZooError: there is no artifact.
        Refused: its manifest is damaged, or it has a format that no installed package opens.
    """
    if not (folder / MANIFEST).is_file() and (message := mistaken(folder, "artifact")):
        raise ZooError(message)
    if not folder.is_dir():
        raise ZooError(f"there is no artifact at {folder}: name a folder that 'zoo export' wrote")
    if not (folder / MANIFEST).is_file():
        raise ZooError(f"{folder} has no {MANIFEST}: name a folder that 'zoo export' wrote")
    try:
        values = files.read_json(folder / MANIFEST, "export again")
        values = migration.migrated(values, str(folder / MANIFEST), "export again with this version")
        manifest = schema.parse(Manifest, values, str(folder / MANIFEST))
        for name in manifest.formats:
            if name not in formats.table():
                raise ZooError(
                    f"{folder / MANIFEST}: no installed package opens the format '{name:.60}': "
                    "install the one that brings it, or export again"
                )
        for name in manifest.files:
            check_inside(name)
    except ZooError as error:
        raise Refused(str(error)) from None
    return manifest


def check_inside(name: str) -> None:
    """Raise ZooError when a path of a manifest points outside its artifact."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name:
        raise ZooError(f"the manifest names '{name}', which is outside the artifact: export again")


def write(folder: Path, manifest: Manifest) -> None:
    """Finish an artifact: write its manifest, with the hash of every file in the folder."""
    complete = dataclasses.replace(manifest, files=hashes(folder))
    files.write_json(folder / MANIFEST, schema.to_dict(complete))


def hashes(folder: Path, record: str = MANIFEST, without: Collection[str] = ()) -> dict[str, File]:
    """Return the size and hash of every file in the folder by path, except of `record`, the file that lists them.

    The entries of the folder itself with the names `without` are left out.
    """
    return {
        path.relative_to(folder).as_posix(): File(path.stat().st_size, files.sha256(path))
        for path in files.files_below(folder, without)
        if path != folder / record
    }


def own_hashes(folder: Path, manifest: Manifest) -> dict[str, File]:
    """Return the size and hash of every file of an artifact by path, except of its manifest.

    Hidden entries of the folder itself that the manifest does not list are not the artifact's: git, downloads from the
    Hugging Face Hub (`.gitattributes`, `.cache`) and file managers (`.DS_Store`) leave them.
    """
    listed = {PurePosixPath(name).parts[0] for name in manifest.files}
    return hashes(folder, without=[name for name in files.hidden(folder) if name not in listed])


def changes(found: dict[str, File], recorded: dict[str, File]) -> list[str]:
    """Return a phrase for each difference between the files of a folder and those that its record lists."""

    def change(name: str, here: File, there: File) -> str:
        if here.bytes != there.bytes:
            return f"{name}: {here.bytes} bytes, not {there.bytes}"
        return f"{name}: SHA-256 {here.sha256[:12]}…, not {there.sha256[:12]}…"

    return differences(found, recorded, changed=change, missing="{} is missing", extra="{} is not in the manifest")


def newest(root: Path) -> Path:
    """Return the newest artifact below `root`.

    Raises:
        ZooError: there is none.
    """

    def finished(folder: Path) -> str | None:
        try:
            return read(folder).export.finished
        except ZooError:
            return None

    newest_folder = files.newest(root, MANIFEST, finished)
    if newest_folder is None:
        raise ZooError(f"there is no artifact in {root}: name one, or make one with 'zoo export'")
    return newest_folder
