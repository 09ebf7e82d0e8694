"""Options with help texts that are generated from the records of the data sources and of the kinds of input."""

from __future__ import annotations

import click


class DataOption(click.Option):
    """An option whose help may contain `{sources}`, `{kinds}`, or an option of sources such as `{data_dir}`.

    They are filled in only when the help is shown, because that imports the modules of all sources.
    """

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its help, as click shows them."""
        from zoo import input as inputs
        from zoo import plugins
        from zoo.data.source import data_help, option_help

        options = {name: option_help(name) for name in ("data_dir", "target", "text")}
        kinds = " or ".join(plugins.names(inputs.PACKAGE))
        self.help = (self.help or "").format(sources=data_help(), kinds=kinds, **options)
        return super().get_help_record(ctx)
