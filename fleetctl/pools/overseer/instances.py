"""Names of instances as specs write them: plain, or ranges such as `s[1-3]-i[001-020,25]`.

Ranges mean what they mean in an inventory.
"""

from __future__ import annotations

import itertools
import re

from fleetctl.pools.overseer.sheets import HINT

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
MOST = 1_000_000
"""Names one word may stand for, and pools a folder may make."""
_BRACKET = re.compile(r"\[([^\[\]]*)\]")


def expand(word: str) -> list[str]:
    """Every name a word stands for; raises ValueError, in words, for what is none."""
    if "[" not in word and NAME.fullmatch(word):
        return [word]
    pieces = _BRACKET.split(word)
    texts, bodies = pieces[::2], pieces[1::2]
    if any("[" in text or "]" in text for text in texts):
        raise ValueError(f"unbalanced range in {word!r}; write it as i[001-300]")
    ranges = [_numbers(body, word) for body in bodies]
    size = 1
    for numbers in ranges:
        size *= len(numbers)
    if size > MOST:
        raise ValueError(f"{word!r} means more than {MOST} instances")
    ends = [_joined(texts, [numbers[at] for numbers in ranges]) for at in (0, -1)]
    if not all(NAME.fullmatch(name) for name in ends):
        raise ValueError(f"{word!r} is no name of an instance")
    names = [_joined(texts, numbers) for numbers in itertools.product(*ranges)]
    if len(set(names)) < len(names):
        raise ValueError(f"{word!r} means a name more than once")
    return names


def _joined(texts: list[str], numbers: tuple[str, ...] | list[str]) -> str:
    return texts[0] + "".join(number + text for number, text in zip(numbers, texts[1:]))


def _numbers(body: str, word: str) -> list[str]:
    """`001-003,7` as ['001', '002', '003', '7']; the width of the first number is kept."""
    numbers: list[str] = []
    for part in body.split(","):
        first, dash, last = part.partition("-")
        if not _digits(first) or (dash and not _digits(last)):
            raise ValueError(f"unreadable range [{body}] in {word!r}; write it as i[001-300]")
        low, high = int(first), int(last if dash else first)
        if high < low:
            meant = f"{HINT}did you mean [{last}-{first}]?"
            raise ValueError(f"the range [{part}] in {word!r} counts downwards{meant}")
        if high - low >= MOST:
            raise ValueError(f"{word!r} means more than {MOST} instances")
        numbers += [f"{number:0{len(first)}d}" for number in range(low, high + 1)]
    return numbers


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20
