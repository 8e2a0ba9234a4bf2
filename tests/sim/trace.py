"""A digest of everything that happened, to tell whether two runs were the same."""

from __future__ import annotations

import hashlib

import msgspec

_encode = msgspec.msgpack.Encoder().encode


class Trace:
    """Records, events and effects, in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.count = 0

    def note(self, what: object) -> None:
        """One more thing that happened."""
        self.count += 1
        self._hash.update(_encode(what))

    def digest(self) -> str:
        return self._hash.hexdigest()
