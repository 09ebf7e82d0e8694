"""The section of a recipe that belongs to texts: their length, the vocabulary, and random changes in training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.errors import ZooError
from zoo.inputs.text.preprocessing import MOST_TOKENS, SPECIAL
from zoo.inputs.text.vocabulary import LEAST_SIZE
from zoo.schema import record


@record
class TextSettings:
    """The network's input, and random changes of training texts. Training from weights keeps their vocabulary.

    `max_length` is the most tokens of a text, the special ones among them; 0 stands for that of the weights, or else
    128. `vocabulary` is the most tokens of a vocabulary that is trained on the texts. With `lowercase`, it has no
    capital letters and no accents. `word_dropout` is the share of tokens, drawn for each text in each epoch, that the
    unknown token replaces.
    """

    kind: Literal["text"] = "text"
    max_length: Annotated[int, Field(ge=0, le=MOST_TOKENS)] = 0
    vocabulary: Annotated[int, Field(ge=LEAST_SIZE, le=1_000_000)] = 8000
    lowercase: bool = True
    word_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def __post_init__(self) -> None:
        if 0 < self.max_length <= SPECIAL:
            raise ZooError(f"text.max_length={self.max_length} leaves no token of a text: take {SPECIAL + 1} or more")
