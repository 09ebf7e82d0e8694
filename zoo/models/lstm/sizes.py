"""The sizes of the LSTMs.

The width of an embedding is the number of units of a direction, and doubles from size to size: the gates then take as
many multiply-adds of an embedding as of the state before it. Multiply-adds are those of one token, and of the logits:
texts have no length of their own.
"""

from __future__ import annotations

from zoo.family import Size

LENGTH, VOCABULARY, CLASSES = 128, 8192, 2
"""The reference: tokens of a text, tokens of the vocabulary, and classes."""

ROWS = (
    Size("small", (), {"width": 64, "units": 64}, 557_442, 32_896, (LENGTH, VOCABULARY), CLASSES),
    Size(
        "base",
        (),
        {"width": 128, "units": 128, "bidirectional": True},
        1_312_258,
        262_656,
        (LENGTH, VOCABULARY),
        CLASSES,
    ),
    Size(
        "large",
        (),
        {"width": 256, "units": 256, "bidirectional": True, "depth": 2},
        4_723_714,
        2_622_464,
        (LENGTH, VOCABULARY),
        CLASSES,
    ),
)
