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

    __slots__ = ("by", "rules", "why")

    def __init__(self, record: Record) -> None:
        before = ((True, record["pools"]), (False, record["but"]))
        rules = record.get("rules") or [[word, held] for held, words in before for word in words]
        self.rules: dict[str, bool] = dict(rules)
        """Name or pattern -> whether it is held; of those that fit a pool, the last is right."""
        self.why: str = record["why"]
        self.by: str = record.get("by", "")

    def covers(self, name: str) -> bool:
        """Whether a pool of this name is held."""
        said = (held for word, held in reversed(self.rules.items()) if _fits(name, word))
        return next(said, False)

    def record(self, token: str, now: float) -> Record:
        """The record that says all this again."""
        rules = self.rules.items()
        return {
            **{"t": now, "e": "standing", "k": token, "why": self.why, "by": self.by},
            # An overseer before rules knows these two, and takes the one less the other.
            "pools": [word for word, held in rules if held],
            "but": [word for word, held in rules if not held],
            "rules": [[word, held] for word, held in rules],
        }


def _fits(name: str, word: str) -> bool:
    import fnmatch

    return word == name or fnmatch.fnmatchcase(name, word)


def _ruled(rules: dict[str, bool], words: Iterable[str], *, held: bool) -> dict[str, bool]:
    """The rules with some more said last; what that makes pointless is gone."""
    words = tuple(words) or ALL
    found = {one: was for one, was in rules.items() if not any(_is_part(one, w) for w in words)}
    found.update(dict.fromkeys(words, held))
    return found if any(found.values()) else {}


def _is_part(word: str, wider: str) -> bool:
    """Whether all that fits a word fits a wider one, as far as that is easily known."""
    return word == wider or (not set("?[") & set(wider) and _fits(word, wider))


def stand(
    core: Core, token: str, pools: Iterable[str], now: float, why: str, *, by: str = ""
) -> None:
    """From now on hold what fits these words, too; none are all."""
    record = {"why": why, "by": by, "pools": (), "but": ()}
    one, before = Standing(record), core.book.standing.get(token)
    had = before.rules if before is not None else {}
    one.rules = _ruled(had, pools, held=True)
    if list(had.items()) != list(one.rules.items()):
        core.note(one.record(token, now))


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
    return [one.record(token, now) for token, one in book.standing.items()]


def _stands(book: Book, record: Record) -> None:
    book.standing[record["k"]] = Standing(record)


def _lifted(book: Book, record: Record) -> None:
    """It is gone when nothing is left that it was said of."""
    one = book.standing.get(record["k"])
    if one is None:
        return
    one.rules = _ruled(one.rules, record["pools"], held=False)
    if not one.rules:
        del book.standing[record["k"]]


APPLY: dict[str, Callable[[Book, Record], None]] = {"standing": _stands, "lifted": _lifted}
"""Records that are of no single pool."""
