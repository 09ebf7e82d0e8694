"""Settings of the documentation site: Sphinx reads the Markdown pages, fetches nothing, and treats warnings as errors.

Sphinx itself checks links between pages, cross-references and images. This module also warns of each name of the public
API that has no docstring or is missing from the reference. The help of each verb and the tables of recipes and of
passes over an ONNX graph are generated from the code.
"""

from __future__ import annotations

import importlib.metadata
import inspect
from collections.abc import Iterator
from typing import Any

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import zoo
from zoo.cli import cli
from zoo.registry import families

project = "zoo"
author = copyright = "the maintainers of zoo"
release = version = importlib.metadata.version("keras-zoo")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
exclude_patterns = ["drawings"]
default_role = "literal"  # docstrings write code as `code`
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"

html_theme = "furo"
html_title = f"zoo {release}"
html_copy_source = False

_log = logging.getLogger("zoo.docs")


class VerbHelp(SphinxDirective):
    """`zoo VERB --help` as a terminal of 100 columns shows it; the argument is the verb, such as `data serve`."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """The help text as a literal block."""
        command: click.Command | None = cli
        context = click.Context(cli, info_name="zoo", terminal_width=100, max_content_width=100)
        for verb in self.arguments[0].split():
            command = command.get_command(context, verb) if isinstance(command, click.Group) else None
            if command is None:
                raise self.error(f"there is no verb '{self.arguments[0]}'")
            context = click.Context(command, info_name=verb, parent=context)
        text = command.get_help(context)
        return [nodes.literal_block(text, text, language="text")]


class PassTable(SphinxDirective):
    """The passes over an ONNX graph in their order, each with its description and the reason for its position."""

    def run(self) -> list[nodes.Node]:
        """A table with a row for each pass."""
        from zoo.export.onnx.passes import PASSES

        lines = ["| stage | pass | description | reason for its position |", "|---|---|---|---|"]
        for one in PASSES:
            summary = (inspect.getdoc(one.run) or "").partition("\n\n")[0].replace("\n", " ")
            lines.append(f"| `{one.stage}` | `{one.run.__name__}` | {summary} | {one.reason} |")
        return self.parse_text_to_nodes("\n".join(lines))


class RecipeTable(SphinxDirective):
    """The recipes of the families' records, each with its cost, its expected accuracy and its source."""

    def run(self) -> list[nodes.Node]:
        """A table with a row for each recipe."""
        lines = ["| family | recipe | description | cost | expected accuracy | source |", "|---|---|---|---|---|---|"]
        for row in zoo.recipes():
            if row["recipe"] in families()[row["family"]].recipes:
                words = (row[key] for key in ("title", "cost", "expected", "source"))
                lines.append(f"| `{row['family']}` | `{row['recipe']}` | {' | '.join(words)} |")
        return self.parse_text_to_nodes("\n".join(lines))


def undocumented(documented: dict[str, Any]) -> Iterator[str]:
    """List the problems of the API reference: a line for each public name that is missing or has no docstring."""
    for name in zoo.__all__:
        if f"zoo.{name}" not in documented:
            yield f"zoo.{name} is public, and docs/api.md does not list it"
        value = getattr(zoo, name)
        members = vars(value).items() if inspect.isclass(value) else ()
        public = [(f"{name}.{key}", one) for key, one in members if not key.startswith("_") and callable(one)]
        for title, one in [(name, value), *public]:
            if not inspect.getdoc(one):
                yield f"zoo.{title} has no docstring"


def check_reference(app: Sphinx, environment: BuildEnvironment) -> None:
    """Warn of every public name that is not documented."""
    for problem in undocumented(environment.domaindata["py"]["objects"]):
        _log.warning(problem)


def setup(app: Sphinx) -> None:
    """Add the directives and the check."""
    app.add_directive("verb-help", VerbHelp)
    app.add_directive("pass-table", PassTable)
    app.add_directive("recipe-table", RecipeTable)
    app.connect("env-check-consistency", check_reference)
