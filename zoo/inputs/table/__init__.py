"""Tables: rows of numbers, words, dates and booleans, which networks take as float32 features.

Clients need `client` and `preprocessing`, training and exporting also `data`, and TensorFlow graphs are made with
`graph`. `layers` are the first layers of networks.
"""

from __future__ import annotations

from zoo.input import Input
from zoo.inputs.table.columns import TableSettings
from zoo.inputs.table.preprocessing import TablePreprocessing

INPUT = Input(
    kind="table",
    noun="row",
    plural="rows",
    pipelines={"classes": "tabular-classification", "values": "tabular-regression"},
    preprocessing=TablePreprocessing,
    settings=TableSettings,
    raw="serve_columns",
    default_data="iris",
    client_module=f"{__name__}.client",
    data_module=f"{__name__}.data",
    graph_module=f"{__name__}.graph",
    kept_by_weights=frozenset({"ignore", "words"}),
    client_libraries={"pyarrow": "pyarrow"},
)
