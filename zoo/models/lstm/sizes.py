"""The sizes of the LSTMs.

The width of an embedding is the number of units of a direction, and doubles from size to size: the gates then take as
many multiply-adds of an embedding as of the state before it. Multiply-adds are those of a text of 128 tokens.
"""

from __future__ import annotations

from zoo.family import Size

LENGTH, VOCABULARY, CLASSES = 128, 8192, 2
"""The reference: tokens of a text, tokens of the vocabulary, and classes."""

DEPTH = 2
"""The most LSTM layers of a size, one above the other."""

ROWS = (
    Size("small", (), {"width": 64, "units": 64}, 557_442, 4_194_432, (LENGTH, VOCABULARY), CLASSES),
    Size(
        "base",
        (),
        {"width": 128, "units": 128, "bidirectional": True},
        1_312_258,
        33_554_944,
        (LENGTH, VOCABULARY),
        CLASSES,
    ),
    Size(
        "large",
        (),
        {"width": 256, "units": 256, "bidirectional": True, "depth": DEPTH},
        4_723_714,
        335_545_344,
        (LENGTH, VOCABULARY),
        CLASSES,
    ),
)
