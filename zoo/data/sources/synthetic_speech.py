"""The source `synthetic_speech`: ten words in synthetic voices, for demos and tests. No human spoke them."""

from __future__ import annotations

import functools

from zoo.data.example import RawDataset
from zoo.data.source import Source
from zoo.inputs.audio.synthetic import LICENSE
from zoo.text import Say

CLIPS_PER_WORD = {"train": 60, "validation": 10, "test": 20}
"""The number of clips of each word in each split; every clip has its own voice."""


@functools.cache
def _clips(count: int, seed: int) -> tuple[tuple[str, bytes], ...]:
    """Make `count` clips of each word; cached, so that a process that trains and exports makes its 29 MB only once."""
    from zoo.inputs.audio.synthetic import clips

    return tuple(clips(count, seed))


def read(argument: str, say: Say, kind: str) -> RawDataset:
    """Make all clips, in memory, and say that they are synthetic."""
    from zoo.inputs.audio.data import described
    from zoo.inputs.audio.synthetic import WORDS

    say("synthetic_speech is made by formulas, not spoken: accuracy on it says nothing about human speech")
    labels = tuple(WORDS)
    examples = []
    for seed, (split, count) in enumerate(CLIPS_PER_WORD.items()):
        for number, (word, clip) in enumerate(_clips(count, seed)):
            name = f"synthetic {word} {number // len(labels)} of {split}"
            examples.append(described(clip, clip, split=split, target=labels.index(word), name=name))
    return RawDataset("audio", labels, examples)


SOURCE = Source(
    scheme="synthetic_speech",
    kinds=("audio",),
    summary="ten words in synthetic voices, made on the spot, not spoken by a human",
    read=read,
    license=LICENSE,
)
