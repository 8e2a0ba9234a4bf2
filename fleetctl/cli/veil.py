"""The veil over standard output and error: no secret of this process gets through either."""

from __future__ import annotations

import codecs
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from fleetctl.base.redaction import Redactor, Stream

_drawn = Redactor()
"""Of all secrets this process has held; kept for the errors that end it."""


class VeiledText:
    """A text stream that blots out secrets, also when they come in several writes.

    Only what may become a secret is held back, till it has, or the next write tells otherwise.
    Everything else about the stream is the stream's own.
    """

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream = stream
        self._bytes = Stream(redactor, hold_all=False)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        # Reentrant: a signal handler may write while this thread does.
        self._turn = threading.RLock()

    def write(self, text: str) -> int:
        """Write what can go out by now."""
        if not isinstance(text, str):
            raise TypeError("a text stream takes texts")
        with self._turn:
            ready = self._decoder.decode(self._bytes.feed(text.encode("utf-8", "surrogatepass")))
            if ready:
                self._stream.write(ready)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def lift(self) -> None:
        """Write what was held back; nothing more will come."""
        with self._turn:
            rest = self._decoder.decode(self._bytes.end(), final=True)
            if rest:
                self._stream.write(rest)
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        if name in ("buffer", "detach"):  # nobody writes past the veil
            raise AttributeError(name)
        return getattr(self._stream, name)


@contextmanager
def veil(redactor: Redactor) -> Iterator[None]:
    """Standard output and error are veiled meanwhile; what `veiled` does stays afterwards."""
    global _drawn  # the hook for what ends the program has no other way to know
    if not redactor:
        yield
        return
    _drawn = redactor
    before = (sys.stdout, sys.stderr)
    veils = [VeiledText(stream, redactor) for stream in before]
    sys.stdout, sys.stderr = veils
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for each in veils:
            _lift(each)


def _lift(text: VeiledText) -> None:
    try:
        text.lift()
    except (OSError, ValueError):
        return  # its reader is gone


def veiled(text: str) -> str:
    """`text` without any secret this process has held."""
    return _drawn.text(text)
