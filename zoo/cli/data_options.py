"""Options of the commands that read data, with help texts that are generated from the records of the sources."""

from __future__ import annotations

import click


class DataOption(click.Option):
    """An option whose help may contain `{sources}` and `{data_dir}`, see `zoo.data.source`.

    They are filled in only when the help is shown, because that imports the modules of all sources.
    """

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its help, as click shows them."""
        from zoo.data.source import data_help, option_help

        self.help = (self.help or "").format(sources=data_help(), data_dir=option_help("data_dir"))
        return super().get_help_record(ctx)
