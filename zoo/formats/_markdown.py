"""Parts of the examples in a model card: code that runs as it stands, in the folder that holds the artifact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zoo.contract import PROBABILITIES

if TYPE_CHECKING:
    from zoo.description import Model

_INPUTS = """from pathlib import Path

from zoo.artifact import read
from zoo.input import kind_of

model = read(Path({folder})).model
inputs = kind_of(model.preprocessing).client.encode([{raw}], model.preprocessing)
"""


def inputs_in_python(name: str, model: Model) -> str:
    """Return Python that encodes one example as the artifact `name` takes it: `inputs`, arrays by name."""
    from zoo.input import kind_of

    return _INPUTS.format(folder=quoted(name), raw=kind_of(model.preprocessing).client.python(model.preprocessing))


def shown_output(model: Model) -> str:
    """Return the output that the examples print: the probabilities of classes, or else the primary one."""
    from zoo.task import task_of

    outputs = task_of(model).outputs
    return PROBABILITIES if PROBABILITIES in outputs else outputs[0]


def quoted(text: str) -> str:
    """Return a text as a string in double quotes that Python reads."""
    return json.dumps(text, ensure_ascii=False)


def code_block(language: str, *lines: str) -> str:
    """Return lines of code as a fenced block."""
    code = "\n".join(lines)
    return f"```{language}\n{code}\n```\n"
