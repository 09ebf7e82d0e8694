"""The source `messages`: synthetic texts, for demos and tests."""

from __future__ import annotations

from zoo.data.example import RawDataset
from zoo.data.source import Source
from zoo.inputs.text.messages import LICENSE
from zoo.text import Say


def read(argument: str, say: Say, kind: str) -> RawDataset:
    """Return all messages. The data have no splits."""
    from zoo.inputs.text.data import dataset_of_messages

    return dataset_of_messages()


SOURCE = Source(
    scheme="messages",
    kinds=("text",),
    summary="1,800 synthetic messages of six kinds, made on the spot",
    read=read,
    license=LICENSE,
)
