"""Texts that are hard to tokenize, because implementations disagree about them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LINES = (
    "",
    " \t\n\r\x0b\x0c ",
    "\0a\0\x01b\x7f\x80c\x9f",
    "Straße STRASSE ẞ ß ﬁ ﬃ",
    "İstanbul ıI İİ I\u0307",
    "ΣΊΣΥΦΟΣ Σ ς σ Ά\u0345",
    "Café cafe\u0301 CAFE\u0301\u0301 \u0301e",
    "naïve coöperate Ångström A\u030angstro\u0308m \u212b",
    "Việt Nam Tiếng Việt ắ ặ a\u0302\u0323 a\u0323\u0302",
    "日本語 中文 漢字かな交じり文 한국어 \u1112\u1161\u11ab カタカナ ｶﾞｷﾞ が か\u3099",
    "豈更車 \uf900\uf901 \U0002f800 \U00020000\U0003134f",
    "हिन्दी क\u093c क\u094d\u0937 தமிழ் ไทย ಕನ್ನಡ ລາວ",
    "עִבְרִית الْعَرَبِيَّة \u202eright to left\u202c \u200f",
    "zero\u200bwidth\u200djoin\u00adhy\ufeffphen \u2060 \u180e",
    "no\u00a0break\u2003em\u3000wide\u1680ogham\u2028line\u2029end\u0085",
    "don't “quote” — … ‚ ' ` ´ ¡¿ § ¶ † ‡",
    "$5.00 100% #tag @you a_b x^2 <b> = + ~ | \\ / ¬ © ™ ×",
    "[CLS] [SEP] [PAD] [UNK] [MASK] ##ing [unused1] [cls][SEP]",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ☃️ 1️⃣ \U0001f9ff",
    "\ue000\uf8ff\U000f0000\U0010fffd \ufdd0 \ufffe \uffff \U0001ffff \ufffd",
    "\u0378\u0e3c\U0003fffd",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟏𝟐𝟑 ①②③ Ⅷ ⅷ Ⓐ ⓐ ª º ² ½",
    "\U0001d15e\U0001d1bb\U0001d165\U0001d16d \u1b44\u302e\u302f \U00016ff0\u302e",
    "a\u0901b a\u093eb a\u0903b \u0d4e \u20dd\u20e3 ⃝",
    "Ǆ ǅ ǆ Ǳ ǲ ŉ ǰ ΐ ᾳ ᾼ Ω K \u2126\u212a",
    "Ა ა Ꭰ ꭰ Ɐ ɐ Ỽ ỽ Ꜩ ꜩ \U00010400\U00010428 \U0001e900\U0001e922",
    "\u1100\u1161\u11a8 \uac00\uac01\ud7a3 \ua960\ud7b0\ud7cb",
    "one,two;three:four.five!six?seven(eight)[nine]{ten}",
    "http://example.com/a?b=c&d=%20 a.b@c.de C:\\x 2024-01-31T00:00:00Z",
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101 + " " + "é" * 100 + " " + "e\u0301" * 101,
    "word " * 600,
    "." * 600,
)
"""Lines for tests and gates; at least one tokenizer gets each of them wrong."""

_RANGES = (
    (0x0, 0x80),
    (0x80, 0x250),
    (0x250, 0x3000),
    (0x3000, 0xD800),
    (0xE000, 0x10000),
    (0x10000, 0x20000),
    (0x20000, 0x110000),
    (0x300, 0x370),  # from here on: what decomposes or combines
    (0x900, 0xE00),
    (0x1E00, 0x2000),
    (0x302A, 0x3030),
    (0xAC00, 0xD7A4),
    (0x1D150, 0x1D1C0),
)


def random_text(vocabulary: Sequence[str], length: int, generator: np.random.Generator) -> str:
    """Return a text of up to `length` parts: tokens, random characters of all planes, spaces, parts of hard lines."""
    parts = []
    for part_type in generator.integers(0, 4, generator.integers(0, length + 1)):
        if part_type == 0:
            parts.append(vocabulary[int(generator.integers(len(vocabulary)))])
        elif part_type == 1:
            first, last = _RANGES[generator.integers(len(_RANGES))]
            parts += map(chr, generator.integers(first, last, generator.integers(1, 8)))
        elif part_type == 2:
            parts.append(" ")
        else:
            line = LINES[generator.integers(len(LINES))]
            start = generator.integers(len(line) + 1)
            parts.append(line[start : start + generator.integers(1, 12)])
    return "".join(parts)
