"""Synthetic messages in English, generated for demos and tests: requests of a person to a device at home.

They are combined from phrases of this file. Accuracy on them says nothing about texts that people write, and is called
synthetic wherever it is reported.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

COUNT = 300
"""Messages of each class."""

LICENSE = "made by zoo.inputs.text.messages, without rights reserved"

WORDS: dict[str, tuple[str, ...]] = {
    "time": ("at six", "at half past seven", "at noon", "at 9:45", "in ten minutes", "in an hour", "tomorrow morning"),
    "day": ("today", "tomorrow", "on Monday", "on Friday", "this weekend", "next week", "tonight"),
    "city": ("Paris", "Berlin", "New York", "São Paulo", "Tokyo", "Nairobi", "Zürich", "Kraków"),
    "room": ("kitchen", "bedroom", "bathroom", "hall", "garage", "garden", "living room"),
    "person": ("Anna", "my sister", "Dr. Lee", "José", "the neighbors", "grandma", "Omar", "the office"),
    "music": (
        "some jazz",
        "the piano concert",
        "that song again",
        "a lullaby",
        "the news",
        "old rock",
        "Chloë's album",
    ),
    "food": ("two onions", "a dozen eggs", "milk", "brown rice", "coffee beans", "crème fraîche", "some apples"),
}

PHRASES: dict[str, tuple[str, ...]] = {
    "alarm": (
        "wake me {time}",
        "set an alarm {day} {time}",
        "I have to be up {time} {day}",
        "ring {time}, I want to call {person}",
        "do not let me sleep longer, ring {time}",
    ),
    "call": (
        "call {person}",
        "I want to talk to {person} {time}",
        "phone {person} {day}, {time}",
        "ring {person} for me",
        "is {person} there? Then let us talk",
    ),
    "lights": (
        "it is too dark in the {room}",
        "switch off the lamp in the {room} {time}",
        "make the {room} brighter",
        "dim the {room}, I listen to {music}",
        "I cannot see anything in the {room}",
    ),
    "music": (
        "play {music}",
        "put on {music} in the {room}",
        "I want to hear {music} {time}",
        "let {person} hear {music}",
        "louder, that is {music}",
    ),
    "shopping": (
        "we are out of {food}",
        "buy {food} {day}",
        "put {food} on the list for {person}",
        "there are no {food} left in the {room}",
        "{person} needs {food} and {food}",
    ),
    "weather": (
        "will it rain {day}",
        "how warm is it in {city} {day}",
        "do I need a coat in {city}",
        "is it windy in the garden {day}",
        "what is it like in {city}, {person} asks",
    ),
}
"""The phrases of each class; all classes share their words."""

BEFORE = ("", "", "please ", "could you help? ", "hey, ", "OK, ", "so, ", "well … ")
AFTER = ("", "", ".", "!", ", please", ", thank you", " 🙂", "?")


def messages(count: int = COUNT, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Yield a class and a message, `count` of each class in turn; all messages of a class are different."""
    generator = np.random.default_rng(seed)

    def chosen(choices: tuple[str, ...]) -> str:
        return choices[int(generator.integers(len(choices)))]

    def message(label: str) -> str:
        phrase = chosen(PHRASES[label])
        for word, choices in WORDS.items():
            while f"{{{word}}}" in phrase:
                phrase = phrase.replace(f"{{{word}}}", chosen(choices), 1)
        text = chosen(BEFORE) + phrase + chosen(AFTER)
        return text[:1].upper() + text[1:] if generator.random() < 0.5 else text

    texts_by_label: dict[str, set[str]] = {label: set() for label in PHRASES}
    for label in itertools.islice(itertools.cycle(PHRASES), count * len(PHRASES)):
        while (text := message(label)) in texts_by_label[label]:
            pass
        texts_by_label[label].add(text)
        yield label, text
