"""Options with help texts that are generated from the records of the data sources and of the kinds of input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class DataOption(click.Option):
    """An option whose help may contain `{sources}`, `{kinds}`, or an option of sources such as `{data_dir}`.

    These fields are filled in only when the help is shown, because that imports the modules of all sources.
    """

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its help, as click shows them."""
        from zoo import input as inputs
        from zoo import plugins
        from zoo.data.source import data_help, option_help, sources

        options = {name: option_help(name) for source in sources().values() for name in source.options}
        kinds = " or ".join(plugins.names(inputs.PACKAGE))
        self.help = (self.help or "").format(sources=data_help(), kinds=kinds, **options)
        return super().get_help_record(ctx)


def data_options(
    data: str = "{sources}.  [default: a small dataset of the kind of input, such as digits]",
    data_dir: str = "Where the data are; {data_dir}.",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives a command the options for training data; the arguments are two help texts."""
    options = (
        click.option("--data", cls=DataOption, help=data),
        click.option("--data-dir", cls=DataOption, type=click.Path(path_type=Path), help=data_dir),
        click.option("--target", "target_column", cls=DataOption, metavar="COLUMN[,COLUMN…]", help="{target}."),
        click.option("--text", "text_column", cls=DataOption, metavar="COLUMN", help="{text}."),
        click.option("--image", "image_column", cls=DataOption, metavar="COLUMN", help="{image}."),
        click.option("--audio", "audio_column", cls=DataOption, metavar="COLUMN", help="{audio}."),
        click.option(
            "--bad-examples",
            type=click.Choice(["error", "skip"]),
            help="What to do with examples that cannot be read, or that the network cannot take.  [default: error]",
        ),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
