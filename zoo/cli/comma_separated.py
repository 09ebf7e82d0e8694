"""Option values that are separated by commas."""

from __future__ import annotations

from typing import Any

import click


class CommaSeparated(click.ParamType):
    """Values that are separated by commas, as a tuple; `cast` converts each of them."""

    def __init__(self, name: str, cast: type) -> None:
        self.name, self.cast = name, cast

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[Any, ...]:
        """Split the text."""
        try:
            return tuple(self.cast(word.strip()) for word in value.split(",")) if isinstance(value, str) else value
        except ValueError:
            self.fail(f"'{value}' is not a list of {self.name} separated by commas", param, context)
