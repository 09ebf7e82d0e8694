"""Publishing: an artifact's SavedModel becomes the next version in a base path of TF Serving, seen only when whole."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo import artifact, files, folder_kinds, provenance, saved_model_folder, schema
from zoo.artifact import File
from zoo.errors import Refused, ZooError, listed
from zoo.formats.saved_model import SAVED_MODEL
from zoo.saved_model_folder import GRAPH, LARGEST_VERSION
from zoo.serving import versions
from zoo.serving.verify import verify
from zoo.serving.versions import NUMBERS, RECORD, VersionRecord
from zoo.text import Say, silent, with_article
from zoo.whole_numbers import check_whole

LOCK = ".zoo.lock"
STAGING, REMOVED = ".tmp-zoo-", ".removed-zoo-"
"""Prefixes of folders that are being written or deleted. TF Serving ignores them; the next publisher deletes them."""

CHUNK = 2**20
"""Bytes that are copied at a time."""


@dataclass(frozen=True)
class Publication:
    """A published version: its folder, its record, and the numbers of the older versions that were removed."""

    folder: Path
    record: VersionRecord
    removed: tuple[int, ...]


def publish(place: Path, base: Path, *, keep: int | None = None, say: Say = silent) -> Publication:
    """Publish the SavedModel of the artifact `place` as the next version of `base`, and keep the newest `keep` of all.

    Its number is larger than any that was ever used in `base`. The version is written to a hidden folder of `base` and
    then renamed, so that a server sees it whole or not at all. Of the older versions only those that zoo published are
    removed.

    Raises:
        ZooError: there is no artifact, it has no SavedModel, `base` is not a place for versions or cannot be written,
            or `keep` is below 1.
        Refused: the artifact does not pass `verify`, or changes meanwhile.
    """
    _check_keep(keep)
    manifest = artifact.read(place)
    if SAVED_MODEL.name not in manifest.formats:
        raise ZooError(f"{place} has no SavedModel, only {', '.join(manifest.formats)}: export with --saved-model")
    _check_base(base, place)
    report = verify(place)
    if not report.passed:
        raise Refused(f"{place} is refused: {', '.join(report.failed)}: 'zoo verify {place}' says why")
    source = place / SAVED_MODEL.path / saved_model_folder.latest_listed(manifest.files, SAVED_MODEL.path)
    within = f"{SAVED_MODEL.path}/{source.name}/"
    content = VersionRecord(
        schema=versions.SCHEMA,
        version=0,
        artifact=place.resolve().name,
        manifest_sha256=files.sha256(place / artifact.MANIFEST),
        model=schema.to_dict(manifest.model),
        license=manifest.license,
        files={name.removeprefix(within): file for name, file in manifest.files.items() if name.startswith(within)},
        published="",
    )
    with _writing(base), _locked(base, say):
        return _add(base, source, content, keep, say)


def roll_back(base: Path, *, keep: int | None = None, say: Say = silent) -> Publication:
    """Publish again, under a new number, the version that `base` served before its newest one.

    Several rollbacks go back step by step: a version that a rollback replaced is not published again by the next one.

    Raises:
        ZooError: zoo published nothing in `base`, it cannot be written, or `keep` is below 1.
        Refused: no earlier version is left, or it is damaged.
    """
    _check_keep(keep)
    if not versions.is_published(base) or (base / RECORD).exists():
        raise ZooError(f"{base} is not a base path that 'zoo publish' wrote to: name one")
    _check_base(base, None)
    with _writing(base), _locked(base, say):
        before = _before_newest(base)
        record = versions.read(before)
        restores = record.restores or record.version
        return _add(base, before, dataclasses.replace(record, restores=restores), keep, say)


def _before_newest(base: Path) -> Path:
    """Return the version that a rollback publishes again."""
    folders = saved_model_folder.versions(base)
    if not folders:
        raise Refused(f"{base} holds no version to go back from: publish an artifact")
    newest = folders[max(folders)]
    # A damaged version, or one that zoo did not publish, may be replaced by any older one, even by an equal one.
    current = versions.read(newest) if versions.is_intact(newest) else None
    origin, unreadable, equal_versions = (current and current.restores) or max(folders), [], []
    for number in sorted(folders, reverse=True):
        if number < origin:
            try:
                earlier = versions.read(folders[number])
                if current is None or earlier.files != current.files:
                    versions.refuse_changed(folders[number])
                    return folders[number]
                equal_versions.append(number)
            except Refused as error:
                unreadable.append(str(error))
    if equal_versions and not unreadable:
        raise Refused(
            f"{base} has no version to go back to: all versions before {origin} have the same content as "
            f"{max(folders)}: publish another artifact"
        )
    restorable = f" that zoo can restore ({listed(unreadable, most=2, longest=400)})" if unreadable else ""
    raise Refused(f"{base} has no older version than {origin}{restorable}: publish the artifact that you want to serve")


def _check_keep(keep: int | None) -> None:
    check_whole("keep", keep, 3)
    if keep is not None and keep < 1:
        raise ZooError(f"--keep {keep} would leave nothing to serve: ask for at least 1")


def _check_base(base: Path, artifact_folder: Path | None) -> None:
    """Raise ZooError where `base` is not a folder for versions: an artifact or run, within one, or with other files."""
    if base.is_symlink():
        raise ZooError(f"{base} is a symbolic link: name the folder that it leads to")
    if base.exists() and not base.is_dir():
        raise ZooError(f"{base} is a file: name a folder for the versions")
    resolved = base.resolve()
    for folder in (resolved, *resolved.parents):
        title = _described_kind(folder)
        if title:
            raise ZooError(f"{base} is {'' if folder == resolved else 'within '}{title}: name a folder of its own")
        # A folder above may be closed to this user, who then cannot have published there.
        if folder != resolved and os.access(folder, os.R_OK) and versions.is_published(folder):
            raise ZooError(f"{base} is within the base path {folder}: name {folder}, or a folder of its own")
    if artifact_folder is not None:
        source = artifact_folder.resolve()
        if resolved.is_relative_to(source) or source.is_relative_to(resolved):
            raise ZooError(f"one of {base} and {artifact_folder} contains the other: name a folder of its own")
    if base.is_dir() and not versions.is_published(base) and not saved_model_folder.versions(base):
        others = sorted(path.name for path in base.iterdir() if not path.name.startswith("."))
        if others:
            raise ZooError(f"{base} holds other things ({', '.join(others[:3])}): name an empty or a new folder")


def _described_kind(folder: Path) -> str | None:
    """Describe a folder that must not hold versions, such as "an artifact"; return None for other folders."""
    if (folder / GRAPH).exists():
        return "a version itself"
    folder_kind = folder_kinds.kind(folder)
    return with_article(folder_kinds.KINDS[folder_kind].title) if folder_kind else None


@contextlib.contextmanager
def _writing(base: Path) -> Iterator[None]:
    """Make the base path, and turn an error of the file system into a ZooError that names it."""
    try:
        base.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        file_note = f", {error.filename}" if error.filename else ""
        raise ZooError(
            f"nothing was published in {base} ({error.strerror or error}{file_note}): fix that, or name another folder"
        ) from None


@contextlib.contextmanager
def _visible(version: Path) -> Iterator[None]:
    """Turn an error of the file system after a version became visible into a ZooError that says so."""
    try:
        yield
    except OSError as error:
        file_note = f", {error.filename}" if error.filename else ""
        raise ZooError(
            f"version {version.name} is published in {version.parent}, but what follows failed "
            f"({error.strerror or error}{file_note}): fix that before you publish again"
        ) from None


@contextlib.contextmanager
def _locked(base: Path, say: Say) -> Iterator[None]:
    """Lock a base path against other publishers, after waiting for them. The lock ends with its process."""
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


def _add(base: Path, source: Path, content: VersionRecord, keep: int | None, say: Say) -> Publication:
    """Copy the version `source`, with the files that `content` lists, to the next number of `base`, which is locked."""
    _sweep(base)
    staging = base / f"{STAGING}{uuid.uuid4().hex[:8]}"
    try:
        for name, file in content.files.items():
            _copy(source / name, staging / name, file)
        number = _claim(base)
        record = dataclasses.replace(content, version=number, published=provenance.now())
        files.write_json(staging / RECORD, schema.to_dict(record))
        for folder in (staging, *(path for path in staging.rglob("*") if path.is_dir())):
            files.sync_folder(folder)
        version = base / str(number)
        staging.rename(version)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    with _visible(version):
        files.sync_folder(base)
        return Publication(version, record, _remove_older(base, keep, say))


def _copy(source: Path, target: Path, wanted: File) -> None:
    """Copy a file to the disk, and raise Refused unless it is the file that was verified."""
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
    """Return the next version number, recorded as used before that version becomes visible."""
    number = versions.largest_used(base) + 1
    if number > LARGEST_VERSION:
        raise ZooError(
            f"{base} has reached version {LARGEST_VERSION}, the largest that TF Serving reads: use another folder"
        )
    files.write_json(base / NUMBERS, schema.to_dict(versions.Numbers(versions.SCHEMA, number)))
    files.sync_folder(base)
    return number


def _remove_older(base: Path, keep: int | None, say: Say) -> tuple[int, ...]:
    """Remove all but the newest `keep` versions, but none that zoo did not publish; return their numbers."""
    removed = []
    folders = saved_model_folder.versions(base)
    for number in list(folders)[:-keep] if keep else ():
        try:
            versions.read(folders[number])

            folders[number].rename(base / f"{REMOVED}{number}-{uuid.uuid4().hex[:8]}")
        except (Refused, OSError) as error:
            say(f"version {number} is kept: {error}")
        else:
            removed.append(number)
    _sweep(base)
    return tuple(removed)


def _sweep(base: Path) -> None:
    """Delete folders that were removed, and those that a publisher left when it died."""
    for path in base.iterdir():
        if path.name.startswith((STAGING, REMOVED)) and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
