"""Holds on whatever fits some words: pools that come later are held with those that are there.

A run that holds all pools may itself bring new ones: specs that are laid down again, instances that
were added. They are held as they appear, until the token is released.
"""

from __future__ import annotations

from fleetctl.pools.overseer import holds
from fleetctl.pools.overseer.pools import GONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fleetctl.pools.overseer.book import Book, Record
    from fleetctl.pools.overseer.core import Core
    from fleetctl.pools.overseer.pools import Pool

ALL = ("*",)


class Standing:
    """What is held under one token, whoever fits it."""

    __slots__ = ("but", "by", "pools", "why")

    def __init__(self, record: Record) -> None:
        self.pools: tuple[str, ...] = tuple(record["pools"])
        """Names and patterns."""
        self.but: tuple[str, ...] = tuple(record["but"])
        """Of these, what has been released since."""
        self.why: str = record["why"]
        self.by: str = record.get("by", "")

    def covers(self, name: str) -> bool:
        """Whether a pool of this name is held."""
        return _fits(name, self.pools) and not _fits(name, self.but)


def _fits(name: str, words: Iterable[str]) -> bool:
    import fnmatch

    return any(word == name or fnmatch.fnmatchcase(name, word) for word in words)


def stand(
    core: Core, token: str, pools: Iterable[str], now: float, why: str, *, by: str = ""
) -> None:
    """From now on hold what fits these words, too; none are all."""
    before = core.book.standing.get(token)
    had, waived = (before.pools, before.but) if before is not None else ((), ())
    words = list(dict.fromkeys((*had, *(pools or ALL))))
    but = [] if "*" in words else [word for word in waived if word not in words]
    if (*had,) != (*words,) or (*waived,) != (*but,):
        record = {"t": now, "e": "standing", "k": token, "why": why, "by": by, "pools": words}
        core.note({**record, "but": but})


def lift(core: Core, token: str, pools: Iterable[str], now: float) -> None:
    """Pools that come later are held no more under a token: those that fit, or all."""
    if token in core.book.standing:
        core.note({"t": now, "e": "lifted", "k": token, "pools": list(pools or ALL)})


def cover(core: Core, pool: Pool, now: float) -> None:
    """Hold a pool that came after those who hold what it fits."""
    for token, one in core.book.standing.items():
        if token not in pool.holds and pool.intent != GONE and one.covers(pool.name):
            holds.hold(core, pool, token, now, one.why, by=one.by)


def kept(book: Book, now: float) -> list[Record]:
    """What must outlast the overseer, for the beginning of a new log."""
    return [
        {
            **{"t": now, "e": "standing", "k": token, "why": one.why, "by": one.by},
            **{"pools": list(one.pools), "but": list(one.but)},
        }
        for token, one in book.standing.items()
    ]


def _stands(book: Book, record: Record) -> None:
    book.standing[record["k"]] = Standing(record)


def _lifted(book: Book, record: Record) -> None:
    """It is gone when nothing is left that it was said of."""
    one = book.standing.get(record["k"])
    if one is None:
        return
    one.but = tuple(dict.fromkeys((*one.but, *record["pools"])))
    if "*" in one.but or set(one.pools) <= set(one.but):
        del book.standing[record["k"]]


APPLY: dict[str, Callable[[Book, Record], None]] = {"standing": _stands, "lifted": _lifted}
"""Records that are of no single pool."""
