"""Host names written with ranges: `db[001-016]`, `rack[1-3]-n[01-20,25]`; expand and fold."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

_BRACKET = re.compile(r"\[([0-9,\-]+)\]")
_COMMA_OUTSIDE = re.compile(r",(?![^\[\]]*\])")
_TRAILING_NUMBER = re.compile(r"^(.*?)([0-9]+)([^0-9]*)$", re.DOTALL)
_UNREADABLE = "unbalanced or unreadable range in {!r}; write it as db[001-016]"
HOSTS_PER_RANGE_MAX = 1_000_000


def expand(pattern: str) -> Iterator[str]:
    """Every name `pattern` stands for, in order; a comma outside brackets parts patterns.

    Raises ValueError on a malformed range.
    """
    if "[" not in pattern and "," not in pattern:
        if "]" in pattern:
            raise ValueError(_UNREADABLE.format(pattern))
        return iter((pattern,))
    parts = _split(pattern)
    if len(parts) == 1:
        return _expand_one(pattern)
    return itertools.chain.from_iterable([_expand_one(part) for part in parts])


def _split(pattern: str) -> list[str]:
    parts = [part.strip() for part in _COMMA_OUTSIDE.split(pattern)]
    if not all(parts):
        raise ValueError(f"a name is missing beside a comma in {pattern!r}")
    return parts


def _expand_one(pattern: str) -> Iterator[str]:
    pieces = _BRACKET.split(pattern)
    texts, bodies = pieces[::2], pieces[1::2]
    if any("[" in text or "]" in text for text in texts):
        raise ValueError(_UNREADABLE.format(pattern))
    if not bodies:
        return iter((pattern,))
    ranges = [_numbers(body, pattern) for body in bodies]
    if _size(ranges) > HOSTS_PER_RANGE_MAX:
        raise ValueError(f"{pattern!r} means more than {HOSTS_PER_RANGE_MAX} hosts")
    if len(ranges) == 1:
        head, tail = texts
        return iter([head + number + tail for number in ranges[0]])
    return (_join(texts, numbers) for numbers in itertools.product(*ranges))


def _join(texts: list[str], numbers: tuple[str, ...]) -> str:
    return texts[0] + "".join(n + t for n, t in zip(numbers, texts[1:], strict=True))


def _size(ranges: list[list[str]]) -> int:
    size = 1
    for numbers in ranges:
        size *= len(numbers)
    return size


def _numbers(body: str, pattern: str) -> list[str]:
    """`001-003,7` as ['001', '002', '003', '7']; the width of the first number is kept."""
    numbers: list[str] = []
    for part in body.split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ValueError(f"unreadable range [{body}] in {pattern!r}")
        low, high = int(first), int(last) if dash else int(first)
        if high < low:
            raise ValueError(f"the range [{part}] in {pattern!r} counts downwards")
        if high - low >= HOSTS_PER_RANGE_MAX:
            raise ValueError(f"{pattern!r} means more than {HOSTS_PER_RANGE_MAX} hosts")
        written = str if len(first) == 1 else f"%0{len(first)}d".__mod__
        numbers.extend(map(written, range(low, high + 1)))
    return numbers


def fold(names: Iterable[str]) -> str:
    """Names as one short text, `db[001-015],web002`; the reverse of `expand`, sorted, each once.

    Padded numbers (`001`) fold with those of their width only; unpadded ones over all widths.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    plain: list[str] = []
    for name in set(names):
        match = _TRAILING_NUMBER.match(name)
        if match is None:
            plain.append(name)
            continue
        head, digits, tail = match.groups()
        groups.setdefault((head, tail), []).append(digits)
    folded = [
        _fold_one(head, tail, numbers)
        for (head, tail), digits in groups.items()
        for numbers in _by_width(digits)
    ]
    return ",".join(sorted(folded + plain))


def _by_width(digits: list[str]) -> Iterator[tuple[int, list[int]]]:
    """Numbers that may stand in one range, with its width; width 1 means unpadded.

    `100` counts as padded to three digits when another number is (`001`), else as unpadded.
    """
    padded = {len(text) for text in digits if text[0] == "0" and len(text) > 1}
    widths: dict[int, list[int]] = {}
    for text in digits:
        widths.setdefault(len(text) if len(text) in padded else 1, []).append(int(text))
    return ((width, sorted(numbers)) for width, numbers in widths.items())


def _fold_one(head: str, tail: str, group: tuple[int, list[int]]) -> str:
    width, numbers = group
    if len(numbers) == 1:
        return f"{head}{numbers[0]:0{width}d}{tail}"
    spans: list[str] = []
    first = last = numbers[0]
    for number in [*numbers[1:], None]:
        if number is not None and number == last + 1:
            last = number
            continue
        spans.append(_span(first, last, width))
        if number is not None:
            first = last = number
    return f"{head}[{','.join(spans)}]{tail}"


def _span(first: int, last: int, width: int) -> str:
    start = f"{first:0{width}d}"
    return start if first == last else f"{start}-{last:0{width}d}"
