"""From an artifact to a base path that TF Serving polls: the next version, whole from the moment that it is visible."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo import artifact, files, provenance, run, schema
from zoo.artifact import File
from zoo.errors import Refused, ZooError
from zoo.serving import versions
from zoo.serving.runner import latest_version
from zoo.serving.verify import verify
from zoo.serving.versions import NUMBERS, RECORD, Published

LOCK = ".zoo.lock"
STAGING, REMOVED = ".tmp-zoo-", ".removed-zoo-"
"""How folders begin that are written to or deleted. TF Serving ignores them, and the next publisher deletes them."""

CHUNK = 2**20
"""Bytes that are copied at a time."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Publication:
    """A version that was published: its folder, what it says of itself, and the older versions that were removed."""

    folder: Path
    record: Published
    removed: tuple[int, ...]


def publish(place: Path, base: Path, *, keep: int | None = None, say: Say = lambda line: None) -> Publication:
    """Publish the SavedModel of the artifact `place` as the next version of `base`, and keep the newest `keep` of all.

    Its number is larger than any that was ever used in `base`. The version is written beside its place and renamed, so
    that whoever looks sees it whole or not at all. Of the older versions only those that zoo published are removed.

    Raises:
        ZooError: there is no artifact, it has no SavedModel, `base` is no place for versions or cannot be written, or
            `keep` is below 1.
        Refused: the artifact does not pass `verify`, or changes meanwhile.
    """
    _check_keep(keep)
    manifest = artifact.read(place)
    if "saved_model" not in manifest.formats:
        raise ZooError(f"{place} has no SavedModel, only {', '.join(manifest.formats)}: export with --saved-model")
    _check_base(base, place)
    report = verify(place)
    if not report.passed:
        raise Refused(f"{place} is refused: {', '.join(report.failed)}: 'zoo verify {place}' says why")
    source = latest_version(place / artifact.SAVED_MODEL)
    within = f"{artifact.SAVED_MODEL}/{source.name}/"
    content = Published(
        schema=versions.SCHEMA,
        version=0,
        artifact=place.resolve().name,
        manifest_sha256=files.sha256(place / artifact.MANIFEST),
        model=manifest.model,
        license=manifest.license,
        files={name.removeprefix(within): file for name, file in manifest.files.items() if name.startswith(within)},
        published="",
    )
    with _writing(base), _locked(base, say):
        return _add(base, source, content, keep, say)


def roll_back(base: Path, *, keep: int | None = None, say: Say = lambda line: None) -> Publication:
    """Publish again, under a new number, what `base` served before its newest version.

    Several rollbacks go back step by step: what a rollback took back is not published again by the next one.

    Raises:
        ZooError: `base` holds nothing that was published, or cannot be written, or `keep` is below 1.
        Refused: no earlier version is left, or it is damaged.
    """
    _check_keep(keep)
    if not versions.is_published(base) or (base / RECORD).exists():
        raise ZooError(f"{base} is no base path that 'zoo publish' wrote to: name one")
    _check_base(base, None)
    with _writing(base), _locked(base, say):
        before = _before_newest(base)
        record = versions.read(before)
        restores = record.restores or record.version
        return _add(base, before, dataclasses.replace(record, restores=restores), keep, say)


def _before_newest(base: Path) -> Path:
    """The version that a rollback publishes again."""
    found = versions.versions(base)
    if not found:
        raise Refused(f"{base} holds no version to go back from: publish an artifact")
    newest = versions.read(found[max(found)])
    origin = newest.restores or max(found)
    for of in sorted(found, reverse=True):
        if of < origin:
            with contextlib.suppress(Refused):
                if versions.read(found[of]).files != newest.files:
                    return found[of]
    raise Refused(f"{base} holds no other version from before {origin}: publish the artifact that is wanted")


def _check_keep(keep: int | None) -> None:
    if keep is not None and keep < 1:
        raise ZooError(f"--keep {keep} would leave nothing to serve: ask for at least 1")


def _check_base(base: Path, place: Path | None) -> None:
    """Raise ZooError where versions do not belong."""
    if base.is_symlink():
        raise ZooError(f"{base} is a symbolic link: name the folder that it leads to")
    if base.exists() and not base.is_dir():
        raise ZooError(f"{base} is a file: name a folder for the versions")
    whole = base.resolve()
    for folder in (whole, *whole.parents):
        kind = _kind(folder)
        if kind:
            raise ZooError(f"{base} is {'' if folder == whole else 'within '}{kind}: name a folder of its own")
    if place is not None:
        source = place.resolve()
        if whole.is_relative_to(source) or source.is_relative_to(whole):
            raise ZooError(f"{base} and {place} lie within each other: name a folder of its own")
    if base.is_dir() and not versions.is_published(base) and not versions.versions(base):
        others = sorted(path.name for path in base.iterdir() if not path.name.startswith("."))
        if others:
            raise ZooError(f"{base} holds other things ({', '.join(others[:3])}): name an empty or a new folder")


def _kind(folder: Path) -> str | None:
    """The kind of folder that holds no versions of its own, None where it may."""
    if (folder / "saved_model.pb").exists():
        return "a version itself"
    # Other programs have files of these names, too.
    with contextlib.suppress(ZooError):
        if (folder / artifact.MANIFEST).is_file() and artifact.read(folder):
            return "an artifact"
    with contextlib.suppress(ZooError):
        if (folder / run.DESCRIPTION).is_file() and run.read(folder):
            return "a run"
    return None


@contextlib.contextmanager
def _writing(base: Path) -> Iterator[None]:
    """Say of what goes wrong with the disk where it does."""
    try:
        base.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        where = f", {error.filename}" if error.filename else ""
        raise ZooError(
            f"nothing was published in {base} ({error.strerror or error}{where}): mend that, or name another folder"
        ) from None


@contextlib.contextmanager
def _locked(base: Path, say: Say) -> Iterator[None]:
    """Wait until nobody else writes to a base path. The lock ends with its process, however that ends."""
    descriptor = os.open(base / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another publisher in {base}")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _add(base: Path, source: Path, content: Published, keep: int | None, say: Say) -> Publication:
    """Copy the version `source`, whose files `content` lists, to the next number of `base`, which is locked."""
    _sweep(base)
    staging = base / f"{STAGING}{uuid.uuid4().hex[:8]}"
    try:
        for name, file in content.files.items():
            _copy(source / name, staging / name, file)
        of = _claim(base)
        record = dataclasses.replace(content, version=of, published=provenance.now())
        files.write_json(staging / RECORD, schema.plain(record))
        for folder in (staging, *(path for path in staging.rglob("*") if path.is_dir())):
            files.sync_folder(folder)
        staging.rename(base / str(of))
        files.sync_folder(base)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Publication(base / str(of), record, _remove_older(base, keep, say))


def _copy(source: Path, target: Path, wanted: File) -> None:
    """Copy a file to the disk, and be sure that it is the one that was verified."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(CHUNK):
            digest.update(chunk)
            size += writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    if File(size, digest.hexdigest()) != wanted:
        raise Refused(f"{source} is not the file that its record lists: verify what is published, and publish again")


def _claim(base: Path) -> int:
    """The next number, written down before anybody can see a version of it."""
    of = versions.largest_used(base) + 1
    if of > versions.LARGEST:
        raise ZooError(f"{base} has used up all numbers, TF Serving reads none above {versions.LARGEST}: name another")
    files.write_json(base / NUMBERS, schema.plain(versions.Numbers(versions.SCHEMA, of)))
    files.sync_folder(base)
    return of


def _remove_older(base: Path, keep: int | None, say: Say) -> tuple[int, ...]:
    """Remove all but the newest `keep` versions; those that zoo did not publish are somebody else's."""
    removed = []
    found = versions.versions(base)
    for of in list(found)[:-keep] if keep else ():
        try:
            versions.read(found[of])
            found[of].rename(base / f"{REMOVED}{of}-{uuid.uuid4().hex[:8]}")
        except (Refused, OSError) as error:
            say(f"version {of} is kept: {error}")
        else:
            removed.append(of)
    _sweep(base)
    return tuple(removed)


def _sweep(base: Path) -> None:
    """Delete what was removed, or was being written by a publisher that is no more."""
    for path in base.iterdir():
        if path.name.startswith((STAGING, REMOVED)) and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
