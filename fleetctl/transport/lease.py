"""The words between a controller and the hosts that keep a fleet's leases (`lease.sh`). Pure."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Sequence
from typing import Literal, NamedTuple, cast, get_args

from fleetctl.transport.session import program

TTL_S = 60.0
"""A lease nobody renews ends after this; told to its host with each heartbeat."""
_PROGRAM = ("processes.sh", "lock.sh", "lease.sh")
_WORD = re.compile(r"[A-Za-z0-9_.@:+%-]+")
Word = Literal["held", "newer", "stolen", "was"]


class Claimant(NamedTuple):
    """Who asks for a lease."""

    run: str
    number: int
    """Its fence: of two legs of one run the later one has the higher number."""
    by: str
    parent: str = ""
    """The run whose step or gate started this one; its lease lets us pass."""


class Tenure(NamedTuple):
    """Somebody's hold on one scope, as its host tells it."""

    word: Word
    """held: by somebody. newer: by a later leg of the asking run. stolen: taken from `run`. was: it
    has been stolen just now."""
    tier: str
    run: str
    left_s: float
    """Until it ends by itself."""
    since_s: float
    """Unix time at its holder's clock; with `stolen`, when that was."""
    by: str
    reason: str
    number: int = 0
    """Its holder's fence."""


class Answer(NamedTuple):
    """What a host said."""

    granted: bool
    tenures: tuple[Tenure, ...]
    trouble: str = ""


def take_text(fleet: str, tiers: Sequence[str], claimant: Claimant, since_s: float) -> str:
    """Takes or renews the leases of `tiers`, all or none."""
    parent = as_word(claimant.parent) if claimant.parent else "-"
    times = [str(round(TTL_S * 100)), str(int(since_s))]
    words = [as_word(claimant.run), str(claimant.number), *times, as_word(claimant.by), parent]
    return _text("_take", [*words, *_scopes(fleet, tiers)])


def drop_text(fleet: str, tiers: Sequence[str], claimant: Claimant) -> str:
    """Gives back what the claimant holds."""
    return _text("_drop", [as_word(claimant.run), str(claimant.number), *_scopes(fleet, tiers)])


def steal_text(fleet: str, tiers: Sequence[str], by: str, reason: str, wall_s: float) -> str:
    """Ends whatever lease there is; its holder is refused from then on."""
    return _text("_steal", [str(int(wall_s)), as_word(by), as_word(reason), *_scopes(fleet, tiers)])


def show_text(fleet: str) -> str:
    """Tells every lease of the fleet."""
    return _text("_show", [as_word(fleet)])


def _text(order: str, words: Sequence[str]) -> str:
    return f"{program(*_PROGRAM)}_tend {order} {' '.join(words)} 2>/dev/null\n"


def _scopes(fleet: str, tiers: Sequence[str]) -> list[str]:
    return [f"{as_word(fleet)}.{as_word(tier)}" for tier in tiers]


def as_word(text: str) -> str:
    """`text` as one word that means nothing to a shell; a dot would part fleet from tier."""
    return urllib.parse.quote(text, safe="@:+").replace(".", "%2E").replace("~", "%7E") or "-"


def _plain(word: str) -> str:
    return "" if word == "-" else urllib.parse.unquote(word)


def read_answer(said: bytes) -> Answer:
    """What a host's words mean; those that are none of ours (a greeting, say) are passed over."""
    lines = said.decode("utf-8", "replace").splitlines()
    tenures = tuple(tenure for line in lines if (tenure := _read_tenure(line)) is not None)
    granted = "granted" in lines
    trouble = ""
    if not granted and not tenures:
        trouble = next((_TROUBLES[line] for line in lines if line in _TROUBLES), "no answer")
    return Answer(granted, tenures, trouble)


_TROUBLES = {"disk": "its disk takes nothing", "busy": "its lease files are busy"}


def _read_tenure(line: str) -> Tenure | None:
    words = line.split(" ")
    if len(words) != 8 or words[0] not in get_args(Word) or not _WORD.fullmatch(words[1]):
        return None
    word, scope, run, number, left, since, by, reason = words
    try:
        return Tenure(
            word=cast(Word, word),
            tier=_plain(scope.rpartition(".")[2]),
            run=_plain(run),
            left_s=max(0, int(left)) / 100,
            since_s=float(since),
            by=_plain(by),
            reason=_plain(reason),
            number=int(number),
        )
    except ValueError:
        return None
