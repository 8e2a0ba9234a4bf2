"""Names and values that try to be more than that: fixed ones, and mixes of their parts."""

from __future__ import annotations

import random

PARTS = (
    "'", '"', "\\", "`touch pwned`", "$(touch pwned)", "${HOME}", "$HOME", "\n", "\t", "\r", " ",
    ";touch pwned;", "&", "|touch pwned", ">pwned", "<pwned", "*", "?", "[a]", "~", "#", "!", "-rf",
    "--", "-n", "%s", "\\n", "\\047", "EOF\n",
    "é", "漢字", "🎉", "\u202e", "\x01", "\x1b[2J", "\x7f",
    "\x88",
    "{", "}", "(", ")", "=", "a", "x" * 300, "$", "''", "\\\\", "\u2028", "\ufeff", "exit 3",
)  # fmt: skip
"""The code point 0x88 is one that shells use for themselves."""


def values(count: int, seed: int = 7) -> list[str]:
    """So many texts, the same each time: every part alone, then mixes of them."""
    dice = random.Random(seed)
    mixed = ("".join(dice.choices(PARTS, k=dice.randint(2, 6))) for _ in range(10 * count))
    return list(dict.fromkeys(["", *PARTS, *mixed]))[:count]


def file_names(count: int, seed: int = 11) -> list[str]:
    """So many names a file may have, the longest 255 bytes."""
    found = []
    for value in values(4 * count, seed):
        name = value.replace("/", "_").encode()[:255].decode("utf-8", "ignore")
        if name not in ("", ".", ".."):
            found.append(name)
    return list(dict.fromkeys(found))[:count]
