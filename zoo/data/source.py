"""The record of a data source, and the names of data sources in `--data`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import plugins
from zoo.errors import ZooError, did_you_mean, listed
from zoo.files import exists, expanded
from zoo.stores import is_store

if TYPE_CHECKING:
    from zoo.data.example import RawDataset

PACKAGE = "zoo.data.sources"
"""The package of the sources, and the group of entry points with which installed packages add more."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A kind of source that examples are read from.

    People write `--data SCHEME:ARGUMENT`, or `--data SCHEME` for a source that takes no argument.

    Attributes:
        scheme: the word before the colon; also the name of the module or entry point.
        summary: a noun phrase for help texts.
        read: called as `read(argument, say, kind, **options)`, returns a `RawDataset` of that kind of input. It raises
            ZooError if the data cannot be read, and calls `say` with one line for everything that it leaves out.
        kinds: the kinds of input that its examples may have.
        argument: the form of the argument in help texts, such as `NAME[:VERSION]`; empty for a source without one.
        argument_is_path: whether the argument is the path of the data. If so, `--data-dir` can name the folder of a
            run's data after they were moved.
        absolute: turns the argument into one that means the same in every current folder.
        infers_targets: whether `read` decides from their values whether the targets are classes or values. If so, it
            also takes `model`, the description of a model that is measured on the examples, None for others.
        labels_optional: whether examples may lack targets, or the splits have different classes, where targets are not
            learned. If so, `read` also takes `labeled`, False if targets are not learned, and an option `target` may
            then be left out.
        options: a help text for each option that `read` takes. Commands have the options `data_dir`, a `Path`, and
            `target`, `text`, `image` and `audio`, the names of columns.
        short_name: turns the argument into a word for the names of run folders; the scheme stands in for an empty one.
        license: the license of the data; `RawDataset.license` overrides it.
    """

    scheme: str
    summary: str
    read: Callable[..., RawDataset]
    kinds: tuple[str, ...]
    argument: str = ""
    argument_is_path: bool = False
    absolute: Callable[[str], str] = str
    infers_targets: bool = False
    labels_optional: bool = False
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    short_name: Callable[[str], str] = str
    license: str = "not stated"

    @property
    def form(self) -> str:
        """The form of `--data` for help texts, such as `folder:PATH`."""
        return self.text(self.argument)

    def text(self, argument: str) -> str:
        """Return the value of `--data` for an argument."""
        return f"{self.scheme}:{argument}" if argument else self.scheme


def sources() -> dict[str, Source]:
    """Return every data source by its scheme.

    Raises:
        ZooError: a module has no `SOURCE`, or the scheme of its `SOURCE` is not the name of the module or entry point.
    """
    by_scheme = {}
    for name, module in plugins.modules(PACKAGE).items():
        source = getattr(module, "SOURCE", None)
        if not isinstance(source, Source) or source.scheme != name:
            raise ZooError(f"{module.__name__} is not a data source: it should have a SOURCE with the scheme '{name}'")
        by_scheme[name] = source
    return by_scheme


def parse(text: str, kind: str | None = None) -> tuple[Source, str]:
    """Return the source that `--data` names, and its argument. Messages suggest the sources of a kind of input.

    Raises:
        ZooError: there is no such source, or its argument is missing, or it takes no argument.
    """
    by_scheme = sources()
    scheme, _, argument = text.partition(":")
    source = by_scheme.get(scheme)
    if source and text == source.text(argument) and bool(argument) == bool(source.argument):
        return source, argument
    offered = {name: candidate for name, candidate in by_scheme.items() if kind is None or kind in candidate.kinds}
    forms = [candidate.form for candidate in offered.values()]
    hint = "" if source else f"; {did_you_mean(scheme, offered)}"
    raise ZooError(f"there is no data source '{text}': write {', '.join(forms[:-1])} or {forms[-1]}{hint}")


def checked_options(source: Source, **options: Any) -> dict[str, Any]:
    """Return the options that are set.

    Raises:
        ZooError: the source does not take one of them.
    """
    given_options = {name: value for name, value in options.items() if value is not None}
    unknown = [_flag(name) for name in given_options if name not in source.options]
    if unknown:
        accepted = f"takes only {listed(map(_flag, source.options))}" if source.options else "takes no such option"
        raise ZooError(f"--data {source.form} {accepted}: leave {listed(unknown)} out")
    return given_options


def absolute_path(path: str) -> str:
    """Return a path of this machine that means the same in every current folder; a URL stays as it is."""
    return path if is_store(path) else str(expanded(path).absolute())


def absolute(text: str) -> str:
    """Return `--data` in a form that means the same in every current folder."""
    source, argument = parse(text)
    return source.text(source.absolute(argument))


def short_name(text: str) -> str:
    """Return the name of data in the names of run folders, such as `fashion_mnist` for `tfds:fashion_mnist:3.0.1`."""
    source, argument = parse(text)
    return source.short_name(argument).replace("/", "-") or source.scheme


def without_folders(text: str) -> str:
    """Return a source without the folders above local paths: `folder:cats` for `folder:/home/me/cats`."""
    source, argument = parse(text)
    if exists(argument):
        return source.text(Path(argument).name) if Path(argument).is_absolute() else text
    return source.text(",".join(Path(path).name if Path(path).is_absolute() else path for path in argument.split(",")))


def moved(text: str, recorded_dir: str | None, data_dir: Path | None) -> tuple[str, Path | None]:
    """Return `--data` and `--data-dir` for the data of a run that may have been moved to `data_dir`.

    Args:
        text: the source of the run's data, as the run records it.
        recorded_dir: the `data_dir` that the run records.
        data_dir: the folder that the data are in now, None if they were not moved.

    Raises:
        ZooError: the source's argument is a path, and nothing exists there.
    """
    source, argument = parse(text)
    if not source.argument_is_path:
        return text, data_dir or (Path(recorded_dir) if recorded_dir else None)
    if data_dir is None and is_store(argument):
        return text, None
    path = expanded(data_dir or argument)
    if not path.exists():
        raise ZooError(f"the data are not in {path}: say with --data-dir in which folder they are now")
    return source.text(str(path)), None


def data_help() -> str:
    """Return the help text of `--data`: the form and summary of every source."""
    described = [f"{source.form} ({source.summary})" for source in sources().values()]
    return f"{', '.join(described[:-1])} or {described[-1]}"


def option_help(name: str) -> str:
    """Return the help text of an option that some sources take, such as `data_dir`."""
    return "; ".join(
        f"for {source.scheme}: {source.options[name]}" for source in sources().values() if name in source.options
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
