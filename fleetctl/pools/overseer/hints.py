"""Hints that named no pool: counted, and the latest is told, so that a wrong name is found."""

from __future__ import annotations

import contextlib
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Any

NAME_MOST = 128
REST_S = 3600.0
"""Our own log is told of the first, and of the latest once in so long."""


def _complain(text: str) -> None:
    """Into our own log; a full disk is told of elsewhere."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


class UnknownHints:
    """How many there were since the overseer was started, and the latest."""

    __slots__ = ("_at", "_complain", "_name", "_source", "_told_at", "count")

    def __init__(self, complain: Callable[[str], None] = _complain) -> None:
        self.count = 0
        self._name = ""
        self._source = ""
        self._at = 0.0
        self._told_at = -REST_S
        self._complain = complain

    def add(self, name: str, source: str, now: float) -> None:
        """No pool is called so."""
        self.count += 1
        plain = name[:NAME_MOST].encode("utf-8", "replace").decode()
        self._name = "".join(sign if sign.isprintable() else "?" for sign in plain)
        self._source, self._at = source, now
        if now >= self._told_at + REST_S:
            self._told_at = now
            self._complain(
                f"a hint ({source}) named {self._name!r}, which no pool is called;"
                f" {self.count} such since the start\n"
            )

    def latest(self, pools: Container[str], ahead_s: float) -> dict[str, Any] | None:
        """The latest, at which wall time; None where there was none, or it is a pool by now."""
        if not self.count or self._name in pools:
            return None
        at = round(self._at + ahead_s, 3)
        return {"pool": self._name, "source": self._source, "at": at, "count": self.count}
