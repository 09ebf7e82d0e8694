"""The arguments of verbs: paths, lists, requests for data, changes of a recipe, and what may come with --resume."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zoo import artifact
from zoo.errors import ZooError, listed
from zoo.stores import check_path, local_path
from zoo.text import Say
from zoo.training.request import DataRequest

if TYPE_CHECKING:
    from zoo.data.example import BadExamples

StrPath = str | os.PathLike[str]

Value = TypeVar("Value", str, int, float, StrPath)
"""An argument that may be given once or several times."""


def optional_path(path: StrPath | None) -> Path | None:
    """Return `path` as a `Path`, or None; refuse the paths that `local_path` refuses."""
    return None if path is None else local_path(path)


def several_paths(paths: StrPath | Iterable[StrPath]) -> list[Path]:
    """Return one path or several as a list; refuse the paths that `local_path` refuses."""
    if isinstance(paths, bytes | bytearray | memoryview) or not isinstance(paths, str | os.PathLike | Iterable):
        check_path(paths)
    return [local_path(path) for path in several(paths)]


def several(values: Value | Iterable[Value]) -> list[Value]:
    """Return one value or several as a list; a string is one value."""
    is_single = isinstance(values, str | Number | os.PathLike)  # numbers of numpy are Numbers, too
    return [values] if is_single else [*values]  # type: ignore[list-item, misc]


def artifact_or_newest(place: StrPath | None, say: Say) -> Path:
    """Return `place`; if it is None, return the newest artifact below `artifacts` and say which one it is.

    Raises:
        ZooError: there is no artifact below `artifacts`.
    """
    if place is not None:
        return local_path(place)
    newest = artifact.newest(Path("artifacts"))
    say(f"the newest artifact: {newest}")
    return newest


def one_text(names: str | Iterable[str]) -> str:
    """Return one name or several as the text that the command line takes, with commas between several."""
    return ",".join(map(str, several(names)))


def column_options(**columns: str | Iterable[str] | None) -> dict[str, str]:
    """Return the column names that are not None, as options of a data source."""
    return {name: one_text(value) for name, value in columns.items() if value is not None}


def check_data(name: str, value: object) -> None:
    """Raise ZooError if an argument for data is something else than text, such as a path or a table in memory."""
    if value is not None and not isinstance(value, str):
        raise ZooError(
            f"{name} is an object of type {type(value).__name__}: write the source of the data as text, as "
            "--data takes it"
        )


def several_callbacks(callbacks: object) -> tuple[Any, ...]:
    """Return one Keras callback or several as a tuple, which can be read more than once.

    Raises:
        ZooError: something else is among them.
    """
    if callbacks is None:
        return ()
    objects = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    for callback in objects:
        if isinstance(callback, type) or not hasattr(callback, "set_model"):
            name = callback.__name__ if isinstance(callback, type) else f"an object of type {type(callback).__name__}"
            raise ZooError(f"{name} is among the callbacks: name objects such as keras.callbacks.TerminateOnNaN()")
    return objects


def data_request(
    *,
    data: str | None,
    data_dir: StrPath | None,
    target_column: str | Iterable[str] | None,
    text_column: str | None,
    image_column: str | None,
    audio_column: str | None,
    bad_examples: BadExamples | None,
) -> DataRequest:
    """Return the request for the data that these arguments of a verb name.

    Raises:
        ZooError: `data` is no text, or `data_dir` is no path of this machine.
    """
    check_data("data", data)
    options = column_options(target=target_column, text=text_column, image=image_column, audio=audio_column)
    return DataRequest(data, optional_path(data_dir), options, bad_examples or "error")


def settings_of(changes: Mapping[str, object] | Iterable[str] | str, shorthands: Mapping[str, object]) -> list[str]:
    """Return changes of a recipe, then those of its shorthand options, as `KEY=VALUE`; None means no change.

    Raises:
        ZooError: a shorthand option changes a key that is changed to another value as well.
    """
    written = _written(changes) if isinstance(changes, Mapping) else several(changes)
    shorthand_settings = _written(shorthands)
    for setting in shorthand_settings:
        key, _, value = setting.partition("=")
        others = [other for other in written if other.partition("=")[0] == key and other.lower() != setting.lower()]
        if others:
            raise ZooError(f"--set {others[0]} and the option that sets {key} to {value} differ: leave one of them out")
    return [*written, *shorthand_settings]


def _written(changes: Mapping[str, object]) -> list[str]:
    return [f"{key}={_text(value)}" for key, value in changes.items() if value is not None]


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


POSITIONAL = ("family", "artifact", "artifacts")
"""The arguments of verbs that the command line takes without an option."""


def options(arguments: Iterable[str]) -> str:
    """List arguments of a verb as the options of the command line, such as `--data-dir` for `data_dir`."""
    names = [name.removesuffix("_column").replace("_", "-") for name in arguments]
    return listed([name if name in POSITIONAL else f"--{name}" for name in names])


def is_given(value: object) -> bool:
    """Return whether an argument of a verb was given: None, False and empty lists and mappings were not."""
    # Other objects, such as tables in memory, may have no truth value.
    return not (value is None or value is False or (isinstance(value, tuple | list | dict) and not value))


def refuse_beside_resume(arguments: Mapping[str, object], allowed: Collection[str]) -> None:
    """Raise ZooError if `resume` comes with arguments that were decided when the run or the study was begun.

    Args:
        arguments: the arguments of a verb by name.
        allowed: the names of the arguments that may come with `resume`.
    """
    given = [name for name, value in arguments.items() if name not in allowed and is_given(value)]
    if given:
        raise ZooError(f"--resume continues with the options of the first call: leave {options(given)} out")
