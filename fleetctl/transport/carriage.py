"""The words between a controller and the hosts that carry its journal (`carry.sh`). Pure."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from fleetctl.transport.lease import as_word
from fleetctl.transport.session import program

PART_CHARS = 40_000
"""Of the plan, in one look."""
PAGE_BYTES = 48_000
"""Most of the records one look tells; as in `carry.sh`."""
_PROGRAM = ("processes.sh", "carry.sh")
_LEG = re.compile(r"(\d{16})\.(\d{9})")


class LegName(NamedTuple):
    """One controller's leg of a run, as its folder is named; a later leg has the higher fence."""

    fence: int
    start: int
    """Its own first record: what comes before was written by legs before."""

    def __str__(self) -> str:
        return f"{self.fence:016d}.{self.start:09d}"


class Listed(NamedTuple):
    """A run a host carries."""

    row: bytes
    age_s: float | None
    """Since its controller was heard of; None: the host has booted since."""
    exit_code: int | None


class Watched(NamedTuple):
    """What a host tells about one run it carries."""

    age_s: float | None
    exit_code: int | None
    legs: tuple[LegName, ...]
    page: bytes


def keep(name: str, data: bytes) -> str:
    """An order to keep the row (`row`), or a part of the plan (`plan.N.TOTAL`)."""
    return f"_keep {name} {base64.b64encode(data).decode()}"


def add(leg: LegName, exit_code: int | None, bundle: tuple[int, bytes] | None) -> str:
    """An order to add a bundle of records, which is told by its first; None: a sign of life."""
    code = "-" if exit_code is None else str(exit_code)
    words = f"{bundle[0]:09d} {base64.b64encode(bundle[1]).decode()}" if bundle else ""
    return f"_add {leg} {code} {words}"


def send_text(fleet: str, run: str, *orders: str) -> str:
    """Does these orders, one after the other, up to the first that fails."""
    return _text(fleet, run, *orders)


def list_text(fleet: str) -> str:
    """Tells every run of the fleet."""
    return _text(fleet, "any", "_list")


def watch_text(fleet: str, run: str, leg: LegName | None, after: int, skip: int) -> str:
    """Tells the legs, and bundles of one whose first record is beyond `after`.

    `skip`: bytes of them that are known already.
    """
    return _text(fleet, run, f"_watch {leg or 'none'} {after} {skip}")


def part_text(fleet: str, run: str, number: int) -> str:
    """Tells a part of the plan."""
    return _text(fleet, run, f"_part {number}")


def _text(fleet: str, run: str, *orders: str) -> str:
    head = f"_carried {as_word(fleet)} {as_word(run)}"
    return program(*_PROGRAM) + " &&\n".join(f"{head} {order}" for order in orders) + "\n"


def is_kept(said: bytes, orders: int = 1) -> bool:
    """Whether all that was sent, in so many orders, is there now."""
    return said.splitlines().count(b"kept") == orders


def read_list(said: bytes) -> list[Listed] | None:
    """The runs a host carries; None when it did not say."""
    if not is_kept(said):
        return None
    found = []
    for line in said.split(b"\n"):
        words = line.decode("ascii", "replace").split(" ")
        if len(words) == 4 and words[0] == "run" and (row := unpack(words[3].encode())):
            found.append(Listed(row, _age_s(words[1]), _exit_code(words[2])))
    return found


def read_watched(said: bytes) -> Watched | None:
    """What a host said about a run; None when it did not."""
    head, marked, page = said.partition(b"kept\n")
    if not marked:
        return None
    age_s, exit_code = None, None
    legs = []
    for line in head.decode("ascii", "replace").splitlines():
        words = line.split(" ")
        if words[0] == "heard" and len(words) == 3:
            age_s, exit_code = _age_s(words[1]), _exit_code(words[2])
        elif words[0] == "leg" and (name := _LEG.fullmatch(words[-1])):
            legs.append(LegName(int(name[1]), int(name[2])))
    return Watched(age_s, exit_code, tuple(sorted(legs)), page)


def read_part(said: bytes) -> tuple[int, bytes] | None:
    """How many parts there are, and this one; None when it is not there."""
    lines = said.splitlines()
    for at, line in enumerate(lines[:-1]):
        words = line.split(b" ")
        if words[0] == b"part" and len(words) == 2 and words[1].isdigit():
            data = unpack(lines[at + 1])
            return None if data is None else (int(words[1]), data)
    return None


def unpack(text: bytes) -> bytes | None:
    """The bytes a word stands for; None for one that is not whole."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _age_s(word: str) -> float | None:
    return max(0, int(word)) / 100 if word.lstrip("-").isdigit() else None


def _exit_code(word: str) -> int | None:
    return int(word) if word.isdigit() else None
