"""Host names written with ranges: `db[001-016]`, `rack[1-3]-n[01-20,25]`; expand and fold."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

_BRACKET = re.compile(r"\[([0-9,\-]+)\]")
_TRAILING_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$")
HOSTS_PER_RANGE_MAX = 1_000_000


def expand(pattern: str) -> Iterator[str]:
    """Every name `pattern` stands for, in order; raises ValueError on a malformed range."""
    pieces = _BRACKET.split(pattern)
    if any("[" in text or "]" in text for text in pieces[::2]):
        raise ValueError(f"unbalanced or unreadable range in {pattern!r}; write it as db[001-016]")
    if len(pieces) == 1:
        return iter((pattern,))
    texts, ranges = pieces[::2], [_numbers(body, pattern) for body in pieces[1::2]]
    if _size(ranges) > HOSTS_PER_RANGE_MAX:
        raise ValueError(f"{pattern!r} means more than {HOSTS_PER_RANGE_MAX} hosts")
    if len(ranges) == 1:
        head, tail = texts
        return (f"{head}{number}{tail}" for number in ranges[0])
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
        width = len(first)
        numbers.extend(f"{number:0{width}d}" for number in range(low, high + 1))
    return numbers


def fold(names: Iterable[str]) -> str:
    """Names as one short text, `db[001-015],web002`; the reverse of `expand`, sorted."""
    return ",".join(_fold_groups(set(names)))


def _fold_groups(names: set[str]) -> list[str]:
    groups: dict[tuple[str, str, int], list[int]] = {}
    plain: list[str] = []
    for name in names:
        match = _TRAILING_NUMBER.match(name)
        if match is None:
            plain.append(name)
            continue
        head, digits, tail = match.groups()
        groups.setdefault((head, tail, len(digits)), []).append(int(digits))
    folded = [_fold_one(*key, sorted(numbers)) for key, numbers in groups.items()]
    return sorted(folded + plain)


def _fold_one(head: str, tail: str, width: int, numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"{head}{numbers[0]:0{width}d}{tail}"
    spans: list[str] = []
    for _, run in itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        first, last = f"{members[0]:0{width}d}", f"{members[-1]:0{width}d}"
        spans.append(first if first == last else f"{first}-{last}")
    return f"{head}[{','.join(spans)}]{tail}"
