"""Base paths of TF Serving: the numbered versions in them, and the records that `zoo publish` keeps there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo import artifact, files, saved_model_folder, schema
from zoo.artifact import File, Gate
from zoo.errors import Refused, ZooError, listed
from zoo.saved_model_folder import SERVED, versions
from zoo.schema import record

RECORD = "assets.extra/zoo.json"
"""The record in a version's folder. TF Serving reads nothing but the warm-up from `assets.extra`."""

NUMBERS = ".zoo.json"
"""The file of a base path with the largest number ever used there. TF Serving ignores names that are not numbers."""

SCHEMA = 1


@record
class VersionRecord:
    """The contents of `assets.extra/zoo.json`, the record of a published version.

    `artifact` is the name of the published artifact, `manifest_sha256` the SHA-256 of its manifest. `files` are all
    files of the version but this one, by path. `restores` is the number of the earlier version that a rollback
    published again, None where an artifact was published. `published` is the time in UTC, ISO 8601. `model` and
    `license` are those of the manifest, for people: zoo does not read them, so that an older record stays valid.
    """

    schema: int
    version: int
    artifact: str
    manifest_sha256: str
    model: dict[str, Any]
    license: dict[str, Any]
    files: dict[str, File]
    published: str
    restores: int | None = None


@record
class Numbers:
    """The contents of `.zoo.json` in a base path."""

    schema: int
    largest_version: int


def read(version: Path) -> VersionRecord:
    """Read the record of a version.

    Raises:
        Refused: zoo did not publish it, or its record is damaged.
    """
    if version.is_symlink() or not version.is_dir():
        raise Refused(f"{version} is not a plain folder: 'zoo publish' writes those only")
    if not (version / RECORD).is_file():
        raise Refused(f"{version} has no {RECORD}: 'zoo publish' did not write it")
    try:
        values = files.read_json(version / RECORD, "publish again")
        if isinstance(values, dict) and "licence" in values:  # its name in early records
            values["license"] = values.pop("licence")
        version_record = schema.parse(VersionRecord, values, str(version / RECORD))
        if version_record.schema != SCHEMA:
            raise ZooError(f"{version / RECORD} is of schema {version_record.schema}, not {SCHEMA}: publish again")
        for name in version_record.files:
            artifact.check_inside(name)
    except ZooError as error:
        raise Refused(str(error)) from None
    return version_record


def largest_used(base: Path) -> int:
    """Return the largest version number ever used in a base path; 0 if none was.

    Raises:
        Refused: the file that keeps it is damaged; a guess might use a number again.
    """
    recorded = 0
    if (base / NUMBERS).exists():
        mend = 'write {"schema": 1, "largest_version": N} there, with the largest number that was ever used'
        try:
            recorded = schema.parse(Numbers, files.read_json(base / NUMBERS, mend), str(base / NUMBERS)).largest_version
        except ZooError as error:
            raise Refused(str(error) if mend in str(error) else f"{error}: {mend}") from None
    return max([0, recorded, *versions(base)])


def is_published(folder: Path) -> bool:
    """Return whether 'zoo publish' wrote a folder, or a version in it."""
    if not folder.is_dir():
        return False
    inside = (path / RECORD for path in versions(folder).values())
    return any(files.exists(path) for path in (folder / RECORD, folder / NUMBERS, *inside))


def gates(folder: Path) -> tuple[Gate, ...]:
    """The gate on a version's folder, or those on the numbers and on each version of a base path."""
    if (folder / RECORD).is_file():
        return (_version_gate("version", folder),)
    folders = versions(folder)
    problems = [] if folders else ["there is no version"]
    try:
        used = largest_used(folder)
    except ZooError as error:
        used, problems = None, [*problems, str(error)]
    numbers = Gate.of("numbers", problems, versions=list(folders), largest_used=used)
    return (numbers, *(_version_gate(f"version_{number}", path) for number, path in folders.items()))


def is_intact(version: Path) -> bool:
    """Return whether zoo published a version, and all of its files are as they were published."""
    return _version_gate("version", version).passed


def refuse_changed(version: Path) -> None:
    """Raise Refused if a file of a version is not as it was published."""
    problems = _version_gate("version", version).figures.get("problems")
    if problems:
        raise Refused(f"{version} is not as it was published ({listed(problems, most=2)})")


def _version_gate(name: str, version: Path) -> Gate:
    """The gate on a version: every file is as it was published, none is missing, and there is no other."""
    try:
        version_record, stored_files = read(version), artifact.hashes(version, RECORD)
    except (ZooError, OSError) as error:
        return Gate.of(name, [str(error)])
    problems = artifact.changes(stored_files, version_record.files)
    problems += [f"{file} is not listed" for file in saved_model_folder.missing(version_record.files, SERVED)]
    return Gate.of(
        name, problems, artifact=version_record.artifact, files=len(stored_files), published=version_record.published
    )
