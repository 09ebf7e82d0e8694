"""Texts, which networks take as tokens of a WordPiece vocabulary.

Clients need `client` and `preprocessing`, training and exporting also `data`, and TensorFlow graphs are made with
`graph`. The other modules are parts of these.
"""

from __future__ import annotations

from zoo.input import Input
from zoo.inputs.text.preprocessing import TextPreprocessing
from zoo.inputs.text.settings import TextSettings

INPUT = Input(
    kind="text",
    noun="text",
    plural="texts",
    pipelines={"classes": "text-classification"},
    preprocessing=TextPreprocessing,
    settings=TextSettings,
    raw="serve_text",
    default_data="messages",
    client_module=f"{__name__}.client",
    data_module=f"{__name__}.data",
    graph_module=f"{__name__}.graph",
    kept_by_weights=frozenset({"vocabulary", "lowercase"}),
    client_libraries={"tokenizers": "tokenizers"},
)
