"""What a base path of TF Serving holds: numbered versions, and what each says of itself, where zoo published it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from zoo import artifact, files, schema
from zoo.artifact import File, Gate
from zoo.description import Model
from zoo.errors import Refused, ZooError
from zoo.schema import record

RECORD = "assets.extra/zoo.json"
"""In a version folder. TF Serving reads nothing but the warm-up from that folder."""

NUMBERS = ".zoo.json"
"""In a base path: the largest number that was ever used there. TF Serving ignores what is named by no number."""

SERVED = ("saved_model.pb", "variables/variables.index", "assets.extra/tf_serving_warmup_requests")
"""What TF Serving needs of a version folder. Without the variables it loads, and fails every request."""

SCHEMA = 1

LARGEST = 2**63 - 1
"""The largest number of a version that TF Serving reads."""


@record
class Published:
    """`assets.extra/zoo.json` of a published version.

    `artifact` is the name of the artifact that it is of, `manifest_sha256` the SHA-256 of its manifest. `files` are all
    files of the version but this one, by path. `restores` is the number of the earlier version that a rollback
    published again, None where an artifact was published. `published` is the time in UTC, ISO 8601.
    """

    schema: int
    version: int
    artifact: str
    manifest_sha256: str
    model: Model
    license: dict[str, str]
    files: dict[str, File]
    published: str
    restores: int | None = None


@record
class Numbers:
    """`.zoo.json` of a base path."""

    schema: int
    largest_version: int


def number(name: str) -> int | None:
    """The number that TF Serving reads in the name of an entry of a base path; None where it ignores the entry."""
    return int(name) if re.fullmatch(r"\s*\+?[0-9]+\s*", name, re.ASCII) and int(name) <= LARGEST else None


def versions(base: Path) -> dict[int, Path]:
    """What lies in a base path under a number, in rising order of the numbers."""
    found = {of: path for path in base.iterdir() if (of := number(path.name)) is not None}
    return dict(sorted(found.items()))


def read(version: Path) -> Published:
    """What a version says of itself.

    Raises:
        Refused: zoo did not publish it, or its record is damaged.
    """
    if version.is_symlink() or not version.is_dir():
        raise Refused(f"{version} is no plain folder: 'zoo publish' writes those only")
    if not (version / RECORD).is_file():
        raise Refused(f"{version} has no {RECORD}: it was not put there by 'zoo publish'")
    try:
        found = schema.parse(Published, files.read_json(version / RECORD, "publish again"), str(version / RECORD))
        if found.schema != SCHEMA:
            raise ZooError(f"{version / RECORD} is of schema {found.schema}, not {SCHEMA}: publish again")
        for name in found.files:
            artifact.check_inside(name)
    except ZooError as error:
        raise Refused(str(error)) from None
    return found


def largest_used(base: Path) -> int:
    """The largest number that was ever used in a base path, 0 where there was none.

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
    """Whether 'zoo publish' wrote this folder, or some version in it."""
    if not folder.is_dir():
        return False
    inside = (path / RECORD for path in versions(folder).values())
    return any(path.is_file() for path in (folder / RECORD, folder / NUMBERS, *inside))


def gates(folder: Path) -> tuple[Gate, ...]:
    """A gate for a version folder, or one for each version of a base path and one for their numbers."""
    if (folder / RECORD).is_file():
        return (_whole("version", folder),)
    found = versions(folder)
    problems = [] if found else ["there is no version"]
    try:
        used = largest_used(folder)
    except ZooError as error:
        used, problems = None, [*problems, str(error)]
    numbers = Gate("numbers", not problems, {"versions": list(found), "largest_used": used, "problems": problems})
    return (numbers, *(_whole(f"version_{of}", path) for of, path in found.items()))


def _whole(name: str, version: Path) -> Gate:
    """Every file of a version is there and as it was published, and there is no other."""
    try:
        found, there = read(version), artifact.hashes(version, RECORD)
    except (ZooError, OSError) as error:
        return Gate(name, False, {"problems": [str(error)]})
    problems = artifact.differences(there, found.files)
    problems += [f"{file} is not listed" for file in SERVED if file not in found.files]
    figures: dict[str, Any] = {"artifact": found.artifact, "files": len(there), "published": found.published}
    return Gate(name, not problems, {**figures, "problems": problems} if problems else figures)
