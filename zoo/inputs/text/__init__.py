"""Texts, which networks take as tokens of a WordPiece vocabulary.

`client` and `preprocessing` are what a client needs, `data` what training and exporting need, `graph` what a TensorFlow
graph contains. The other modules are parts of these.
"""

from __future__ import annotations

from zoo.input import Input
from zoo.inputs.text.preprocessing import TextPreprocessing
from zoo.inputs.text.settings import TextSettings

INPUT = Input(
    kind="text",
    noun="text",
    plural="texts",
    preprocessing=TextPreprocessing,
    settings=TextSettings,
    raw="serve_text",
    default_data="messages",
    client_module=f"{__name__}.client",
    data_module=f"{__name__}.data",
    graph_module=f"{__name__}.graph",
    client_libraries={"tokenizers": "tokenizers"},
)
