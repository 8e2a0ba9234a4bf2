"""The forms in which a secret may turn up in a text: encoded, escaped, quoted, in lines. Pure.

A value is cut into pieces of bounded length, so that whatever looks for them needs to look back
only so far, however large the value is.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

VALUE_BYTES_MIN = 6
"""A shorter value would blot out half of what people read; it is no secret worth the name."""
PIECE_BYTES_MAX = 48
ESCAPED_BYTES_MAX = 1024
"""Values up to this size are also found with their characters escaped in any mixture."""
LENGTH_MAX = 12 * PIECE_BYTES_MAX
"""No form of a piece is longer, but for absurd escapes (a backslash escaped a dozen times)."""

_SLASHES = rb"\\\\{0,8}"
"""Bounded, as every repetition here: a flood of backslashes from a host must not stop us. It begins
with a plain character, as all forms do: `re` then skips quickly to where one may begin."""
_ENCODED_SLASH = (
    rb"(?:%%(?:25){0,3}5[cC]|&#(?:0{0,5}92|[xX]0{0,5}5[cC]);|%b(?:[xX]5[cC]|0?134|u005[cC]))"
    % _SLASHES
)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_LETTERS = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\f": "f", "\x1b": "e"}


class Literal(NamedTuple):
    """Bytes to be found as they are."""

    text: bytes
    before: int = 0
    """Characters just before it that carry bits of the value too (base64)."""
    after: int = 0


def pieces(value: bytes) -> tuple[bytes, ...]:
    """The value, its lines, and the value with its lines joined, cut into even pieces."""
    whole = value.strip()
    lines = [line.strip() for line in re.split(rb"[\r\n]+", whole)]
    sources = dict.fromkeys([value, whole, b"".join(lines), *lines])
    return tuple(
        dict.fromkeys(
            piece for source in sources if len(source) >= VALUE_BYTES_MIN for piece in _cut(source)
        )
    )


def _cut(source: bytes) -> Iterator[bytes]:
    count = -(-len(source) // PIECE_BYTES_MAX)
    places = [_character_at(source, number * len(source) // count) for number in range(count)]
    for start, end in pairwise([*places, len(source)]):
        yield source[start:end]


def _character_at(source: bytes, at: int) -> int:
    """Where the UTF-8 character around `at` begins; `at` when there is none."""
    for place in range(at, max(0, at - 4), -1):
        if source[place] & 0xC0 != 0x80:
            return place
    return at


def literals(piece: bytes) -> Iterator[Literal]:
    """The piece as it is, in base64 at every alignment, in hexadecimal, wholly percent-encoded."""
    yield Literal(piece)
    for skipped in range(3):
        found = _base64_at(piece, skipped)
        yield found
        yield Literal(found.text.translate(_URL_SAFE), found.before, found.after)
    for digits in (piece.hex(), piece.hex().upper()):
        yield Literal(digits.encode())
        pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
        yield Literal("".join(f"%{pair}" for pair in pairs).encode())


def _base64_at(piece: bytes, skipped: int) -> Literal:
    """What of the base64 of any text around the piece depends on the piece alone."""
    encoded = base64.b64encode(b"\0" * skipped + piece + b"\0\0")
    first = -(-skipped * 8 // 6)
    last = (skipped + len(piece)) * 8 // 6
    return Literal(encoded[first:last], int(skipped > 0), int((skipped + len(piece)) % 3 > 0))


def escaped(piece: bytes) -> re.Pattern[bytes]:
    """The piece with each of its characters as it is or escaped in one of the usual ways.

    For shells (also nested), URLs (also twice encoded), JSON, Python, C and HTML.
    """
    atoms: list[list[bytes]] = []
    for run in re.findall(rb"\\+|[^\\]+", piece):
        if run[:1] == b"\\":  # as one atom: an atom each would try every way to share a longer run
            atoms.append([rb"\\{%d,%d}" % (len(run), 9 * len(run)), _ENCODED_SLASH * len(run)])
            continue
        try:
            atoms += [_atom(char) for char in run.decode("utf-8")]
        except UnicodeDecodeError:  # binary, or cut inside a character
            atoms += [_byte_atom(byte) for byte in run]
    return re.compile(b"".join(b"(?:%b)" % b"|".join(atom) for atom in atoms))


def _atom(char: str) -> list[bytes]:
    if len(char.encode()) > 1:
        forms = [b"".join(b"(?:%b)" % b"|".join(_byte_atom(byte)) for byte in char.encode())]
        if ord(char) < 256:
            forms.append(_SLASHES + b"x" + _hex(bytes([ord(char)])))
    else:
        forms = _byte_atom(ord(char))
    units = char.encode("utf-16-be")
    forms.append(
        b"".join(_SLASHES + b"u" + _hex(units[at : at + 2]) for at in range(0, len(units), 2))
    )
    number = _hex_number(ord(char))
    forms.append(_SLASHES + rb"(?:U0{0,7}%b|u\{0{0,7}%b\})" % (number, number))
    forms.append(b"&#(?:0{0,5}%d|[xX]0{0,5}%b);" % (ord(char), number))
    if char in _NAMED:
        forms.append(f"&{_NAMED[char]};".encode())
    return forms


def _byte_atom(byte: int) -> list[bytes]:
    raw, char = re.escape(bytes([byte])), chr(byte)
    forms = [raw, b"%(?:25){0,3}" + _hex(bytes([byte])), _SLASHES + b"x" + _hex(bytes([byte]))]
    forms.append(_SLASHES + b"0?%03o" % byte)
    forms.append(_SLASHES + raw)
    if char in _LETTERS:
        forms.append(_SLASHES + _LETTERS[char].encode())
    if char == " ":
        forms.append(rb"\+")
    if char == "\n":
        forms.append(rb"\r\n")
    if char == "'":
        forms += [b"'" + _SLASHES + b"''", rb"'\\{0,9}\"'\\{0,9}\"'"]
    return forms


def _hex(data: bytes) -> bytes:
    """These bytes in hexadecimal, each digit in either case."""
    return b"".join(b"[%c%c]" % (d, d - 32) if d > 57 else b"%c" % d for d in data.hex().encode())


def _hex_number(number: int) -> bytes:
    return re.sub(rb"[a-f]", lambda d: b"[%b%b]" % (d[0], d[0].upper()), b"%x" % number)
