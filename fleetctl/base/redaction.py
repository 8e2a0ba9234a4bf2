"""Blotting secrets out of whatever leaves the program: by value, in every form, over every cut."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from fleetctl.base import disguises
from fleetctl.base.disguises import LENGTH_MAX, Literal

BLOT = b"***"
CUT_MIN = 3
"""At a cut, a beginning or end of a secret of this many bytes is blotted out."""
_GAP_MAX = 4
"""What lies between two blots and is no longer than this goes as well."""
_SEARCHED_MAX = 200
"""Up to so many literals are searched for one by one; of more, one index is made."""
_EDGES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="

Span = tuple[int, int]


class Redactor:
    """Finds the values of secrets; one without values changes nothing and costs nothing."""

    def __init__(self, values: Iterable[bytes] = ()) -> None:
        values = tuple(dict.fromkeys(values))
        found = dict.fromkeys(piece for value in values for piece in disguises.pieces(value))
        self._literals = tuple(
            dict.fromkeys(literal for piece in found for literal in disguises.literals(piece))
        )
        small = (v for v in values if len(v) <= disguises.ESCAPED_BYTES_MAX)
        self._escaped = tuple(
            disguises.escaped(piece)
            for piece in dict.fromkeys(
                piece for value in small for piece in disguises.pieces(value)
            )
        )
        self._short = {each.text[:size] for each in self._literals for size in range(1, CUT_MIN)}
        self._starts = _indexed(self._literals, lambda text: text[:CUT_MIN])
        self._ends = _indexed(self._literals, lambda text: text[-CUT_MIN:])

    def __bool__(self) -> bool:
        return bool(self._literals)

    def __repr__(self) -> str:
        return "Redactor(...)"

    def redact(self, data: bytes, *, cut_start: bool = False, cut_end: bool = False) -> bytes:
        """`data` with every secret blotted out.

        `cut_start`, `cut_end`: more stood before or after, so a part of a secret may be there.
        """
        if not self._literals or not data:
            return data
        return _blotted(data, self.spans(data, cut_start=cut_start, cut_end=cut_end))

    def text(self, text: str, *, cut: bool = False) -> str:
        """As `redact`, for a text; `cut` on both sides."""
        if not self._literals or not text:
            return text
        data = text.encode("utf-8", "surrogatepass")
        spans = self.spans(data, cut_start=cut, cut_end=cut)
        return _blotted(data, spans).decode("utf-8", "surrogatepass") if spans else text

    def spans(self, data: bytes, *, cut_start: bool = False, cut_end: bool = False) -> list[Span]:
        """Where secrets stand in `data`, in order and apart from each other; as `redact`."""
        spans = list(self._whole(data))
        if cut_start and (end := self._end_of_cut(data)):
            spans.append((0, end))
        if cut_end and (held := self.held(data)):
            spans.append((len(data) - held, len(data)))
        return _merged(spans)

    def _whole(self, data: bytes) -> Iterator[Span]:
        yield from self._literal_spans(data)
        for pattern in self._escaped:
            yield from (match.span() for match in pattern.finditer(data))
        if b"\n" in data or b"\r" in data:  # wrapped into lines, by base64 or fold
            joined, places = _joined(data)
            for start, end in self._literal_spans(joined):
                yield places(start), places(end - 1) + 1

    def _literal_spans(self, data: bytes) -> Iterator[Span]:
        search = self._search if len(self._literals) <= _SEARCHED_MAX else self._search_index
        for start, literal in search(data):
            end = start + len(literal.text)
            before = literal.before and start > 0 and data[start - 1] in _EDGES
            after = literal.after and end < len(data) and data[end] in _EDGES
            yield start - int(before), end + int(after)

    def _search(self, data: bytes) -> Iterator[tuple[int, Literal]]:
        for literal in self._literals:
            at = data.find(literal.text)
            while at >= 0:
                yield at, literal
                at = data.find(literal.text, at + 1)

    def _search_index(self, data: bytes) -> Iterator[tuple[int, Literal]]:
        for at in range(len(data) - CUT_MIN + 1):
            for literal in self._starts.get(data[at : at + CUT_MIN], ()):
                if data.startswith(literal.text, at):
                    yield at, literal

    def held(self, data: bytes, least: int = CUT_MIN) -> int:
        """How many bytes at the end of `data` may be the beginning of a secret; 0 when none.

        Beginnings shorter than `least` bytes do not count.
        """
        for at in range(max(0, len(data) - LENGTH_MAX), len(data) - CUT_MIN + 1):
            for literal in self._starts.get(data[at : at + CUT_MIN], ()):
                if len(literal.text) > len(data) - at and literal.text.startswith(data[at:]):
                    return len(data) - at
        short = range(min(CUT_MIN - 1, len(data)), least - 1, -1)
        return next((size for size in short if data[-size:] in self._short), 0)

    def _end_of_cut(self, data: bytes) -> int:
        """How many bytes at the start of `data` may be the end, or the middle, of a secret."""
        for end in range(min(LENGTH_MAX, len(data)), CUT_MIN - 1, -1):
            for literal in self._ends.get(data[end - CUT_MIN : end], ()):
                if len(literal.text) > end and literal.text.endswith(data[:end]):
                    return end
        whole = CUT_MIN < len(data) < LENGTH_MAX
        return len(data) if whole and any(data in each.text for each in self._literals) else 0


class Stream:
    """Redacts a stream whose chunks may end anywhere; holds back what may become a secret."""

    def __init__(self, redactor: Redactor, *, hold_all: bool = True) -> None:
        """`hold_all`: hold back so much that even escaped forms are found over every cut."""
        self._redactor = redactor
        self._hold_all = hold_all
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What of the stream can go out now."""
        if not self._redactor:
            return data
        self._held += data
        return self._release(self._keep())

    def end(self) -> bytes:
        """The rest."""
        return self._release(0)

    def _keep(self) -> int:
        return LENGTH_MAX if self._hold_all else self._redactor.held(self._held, least=1)

    def _release(self, keep: int) -> bytes:
        """All but about `keep` bytes; never half of a blot."""
        limit = max(0, len(self._held) - keep)
        spans = self._redactor.spans(self._held)
        for start, end in spans:
            if start < limit < end:
                limit = start
        ready = [span for span in spans if span[1] <= limit]
        out = _blotted(self._held[:limit], ready)
        self._held = self._held[limit:]
        return out


def _indexed(
    literals: Iterable[Literal], key: Callable[[bytes], bytes]
) -> dict[bytes, list[Literal]]:
    found: dict[bytes, list[Literal]] = {}
    for literal in literals:
        found.setdefault(key(literal.text), []).append(literal)
    return found


def _joined(data: bytes) -> tuple[bytes, Callable[[int], int]]:
    """`data` without line ends, and where each of its bytes stood."""
    starts, places, length = [], [], 0
    for match in re.finditer(rb"[^\r\n]+", data):
        starts.append(length)
        places.append(match.start())
        length += len(match[0])

    def place(at: int) -> int:
        line = bisect_right(starts, at) - 1
        return places[line] + at - starts[line]

    return data.translate(None, b"\r\n"), place


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + _GAP_MAX:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _blotted(data: bytes, spans: Iterable[Span]) -> bytes:
    parts, at = [], 0
    for start, end in spans:
        parts += [data[at:start], BLOT]
        at = end
    return b"".join([*parts, data[at:]])
