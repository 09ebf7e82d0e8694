"""The artifact folder and its manifest: the contract between the export and the serving. No framework is imported."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from zoo import files, migration, schema
from zoo.description import Data, InitialWeights, Model, Provenance, Weights
from zoo.errors import Refused, ZooError
from zoo.folder_kinds import mistaken
from zoo.recipe import Recipe
from zoo.schema import record

MANIFEST = "manifest.json"
CARD = "README.md"
LABELS = "labels.txt"
GOLDEN = "golden.npz"
ONNX = "onnx/model.onnx"
ONNX_INT8 = "onnx/model.int8.onnx"
ONNX_FP16 = "onnx/model.fp16.onnx"
GOLDEN_INT8 = "golden.int8.npz"
IMAGES = "images.npz"
SAVED_MODEL = "saved_model"

Format = Literal["onnx", "onnx_int8", "onnx_fp16", "saved_model"]

ONNX_FILES: dict[Format, str] = {"onnx": ONNX, "onnx_int8": ONNX_INT8, "onnx_fp16": ONNX_FP16}
"""The file of each format that is ONNX."""

Target = Literal["x86-vnni", "x86-avx2", "arm64", "portable"]
"""The processors that an int8 file can be made for."""


@record
class File:
    """A file of the artifact: its size in bytes and its SHA-256."""

    bytes: int
    sha256: str


@record
class Gate:
    """A check that the artifact passed, or did not, and the figures that it looked at."""

    name: str
    passed: bool
    figures: dict[str, Any]


@record
class Accuracy:
    """Top-1 accuracy of one format's files on the test split.

    With its 95 % Wilson interval, and how many images it was measured on.
    """

    accuracy: float
    low: float
    high: float
    correct: int
    images: int


@record
class Paired:
    """Two files on the same images: float32 is right on `lost` that int8 misses, and misses `gained` that int8 has.

    `drop` is by how many points int8 is less accurate, `low` and `high` the 95 % interval of that.
    """

    split: str
    images: int
    float32: float
    int8: float
    lost: int
    gained: int
    drop: float
    low: float
    high: float


@record
class Speed:
    """Latency of int8 as a multiple of that of float32, in turns within one process; `low` and `high` at 95 %.

    Of one thread, in the time that it was at work.
    """

    float32_ms: float
    int8_ms: float
    ratio: float
    low: float
    high: float
    rounds: int
    threads: int = 1
    batch: int = 1


@record
class Kept:
    """A node that stays in float32.

    `cost` is how far the logits move when it alone is in 8 bits, as a share of their standard deviation; for curves,
    which go together, how much further they move with all of them than without.
    """

    node: str
    cost: float


@record
class Int8:
    """How an int8 file was made and what it costs.

    Of `nodes` with weights, and curves, those of `kept` stay in float32. `validation` is what that was decided on,
    `test` what came out, on images that decided nothing. `speed` is None where the target is another kind of
    processor than this machine's. `forced` are the reasons for which it would not have been shipped without --force.
    """

    target: Target
    max_drop: float
    calibration_images: int
    method: str
    nodes: int
    kept: tuple[Kept, ...]
    scaled: int
    validation: Paired
    test: Paired
    speed: Speed | None
    forced: tuple[str, ...] = ()


@record
class Manifest:
    """`manifest.json`.

    `files` are by path within the artifact, all but the manifest itself; `accuracy` is by format, and empty where there
    were no data to measure it on. `data`, `recipe`, `weights` and `initial` are the run's, and `training` says what
    made the run. `opset` and `ir_version` are those of the ONNX file.
    """

    schema: int
    model: Model
    data: Data | None
    recipe: Recipe | None
    training: Provenance
    export: Provenance
    formats: tuple[Format, ...]
    files: dict[str, File]
    gates: tuple[Gate, ...]
    accuracy: dict[Format, Accuracy]
    license: dict[str, str]
    opset: int | None = None
    weights: Weights | None = None
    ir_version: int | None = None
    int8: Int8 | None = None
    initial: InitialWeights | None = None


def read(folder: Path) -> Manifest:
    """The manifest of the artifact at `folder`; its files are not looked at.

    Raises:
        ZooError: there is no artifact.
        Refused: its manifest is damaged.
    """
    if not (folder / MANIFEST).is_file() and (instead := mistaken(folder, "artifact")):
        raise ZooError(instead)
    if not folder.is_dir():
        raise ZooError(f"there is no artifact at {folder}: name a folder that 'zoo export' wrote")
    if not (folder / MANIFEST).is_file():
        raise ZooError(f"{folder} has no {MANIFEST}: name a folder that 'zoo export' wrote")
    try:
        values = files.read_json(folder / MANIFEST, "export again")
        values = migration.migrated(values, str(folder / MANIFEST), "export again with this version")
        manifest = schema.parse(Manifest, values, str(folder / MANIFEST))
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
    """Close the artifact: the manifest with the hash of every file that is there."""
    complete = dataclasses.replace(manifest, files=hashes(folder))
    files.write_json(folder / MANIFEST, schema.plain(complete))


def hashes(folder: Path, record: str = MANIFEST) -> dict[str, File]:
    """Every file of the folder but the one that keeps their hashes, by its path in the folder."""
    return {
        path.relative_to(folder).as_posix(): File(path.stat().st_size, files.sha256(path))
        for path in files.files_below(folder)
        if path != folder / record
    }


def differences(found: dict[str, File], wanted: dict[str, File]) -> list[str]:
    """How the files of a folder differ from those of its record, a phrase for each; empty where they do not."""
    both = found.keys() & wanted.keys()
    changed = [f"{name}: {_change(found[name], wanted[name])}" for name in sorted(both) if found[name] != wanted[name]]
    missing = [f"{name} is missing" for name in sorted(wanted.keys() - both)]
    extra = [f"{name} is not in the manifest" for name in sorted(found.keys() - both)]
    return changed + missing + extra


def _change(found: File, wanted: File) -> str:
    if found.bytes != wanted.bytes:
        return f"{found.bytes} bytes, not {wanted.bytes}"
    return f"SHA-256 {found.sha256[:12]}…, not {wanted.sha256[:12]}…"


def newest(root: Path) -> Path:
    """The newest artifact below `root`.

    Raises:
        ZooError: there is none.
    """

    def finished(folder: Path) -> str | None:
        try:
            return read(folder).export.finished
        except ZooError:
            return None

    found = files.newest(root, MANIFEST, finished)
    if found is None:
        raise ZooError(f"there is no artifact in {root}: name one, or make one with 'zoo export'")
    return found


def first_format(manifest: Manifest) -> Format:
    """The format that answers when nobody says: ONNX where there is one, for it needs no TensorFlow."""
    return "onnx" if "onnx" in manifest.formats else manifest.formats[0]
