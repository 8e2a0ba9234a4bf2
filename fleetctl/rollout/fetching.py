"""Reading what hosts carry of runs: which there are, a whole one, and what comes to it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from fleetctl.base.errors import Unreachable, UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.journal.errors import JournalUnusable
from fleetctl.journal.rows import RunRow, StoredRecord
from fleetctl.plan.model import Plan
from fleetctl.rollout.carried import Carried, Link, Reading, Unlinked, begin, merged, read_row
from fleetctl.rollout.ground import Reply
from fleetctl.transport import carriage
from fleetctl.transport.carriage import PAGE_BYTES, LegName, Watched
from fleetctl.transport.protocol import Looked, Output

_WITHIN_S = 15.0
Look = Callable[[Mapping[str, str], float], Mapping[str, Reply]]


class Known(NamedTuple):
    """A run some hosts carry."""

    row: RunRow
    age_s: float | None
    """Since its controller was heard of last by any of them; None: that is not known."""
    exit_code: int | None
    hosts: tuple[str, ...]


class Copy(NamedTuple):
    """One host's copy of a run, to be read on from."""

    host: str
    carried: Carried
    link: Link


class Library:
    """What the hosts of one fleet carry."""

    def __init__(self, look: Look, fleet: str, hosts: Sequence[str]) -> None:
        self._look, self._fleet, self._hosts = look, fleet, hosts
        self.silent: dict[str, str] = {}
        """Hosts that did not answer the last time all were asked, and why."""

    def runs(self) -> list[Known]:
        """Every run that is carried, the newest first; raises Unreachable when nobody says."""
        text = carriage.list_text(self._fleet)
        replies = self._look(dict.fromkeys(self._hosts, text), _WITHIN_S)
        found: dict[str, Known] = {}
        self.silent = {}
        for host in self._hosts:
            reply = replies.get(host)
            listed = carriage.read_list(_text(reply.stdout)) if isinstance(reply, Looked) else None
            if listed is None:
                self.silent[host] = getattr(reply, "detail", "no answer")
            for one in listed or ():
                row = read_row(one.row)
                if row is not None:
                    known = Known(row, one.age_s, one.exit_code, (host,))
                    found[row.id] = _together(found.get(row.id), known)
        if len(self.silent) == len(self._hosts):
            why = "; ".join(f"{host}: {why}" for host, why in self.silent.items())
            raise Unreachable("the hosts that carry journals do not answer", why=why)
        return sorted(found.values(), key=lambda known: known.row.opened_s, reverse=True)

    def find(self, text: str) -> Known:
        """The run meant by an id, the unique beginning of one, or `last`; raises UsageError."""
        runs = self.runs()
        ids = [known.row.id for known in runs]
        picked = [known for known in runs if known.row.id == text]
        picked = picked or [known for known in runs if known.row.id.startswith(text)]
        if text == "last":
            picked = runs[:1]
        if len(picked) == 1:
            return picked[0]
        if picked:
            names = ", ".join(known.row.id for known in picked)
            raise UsageError(f'"{text}" could be several runs', why=names, hint="write more of it")
        where = f"carried by {', '.join(self._hosts)}"
        hint = did_you_mean(text, [*ids, "last"]) if ids else "see: fleetctl attach"
        raise UsageError(f'no run "{text}"', where=where, hint=hint)

    def fetch(self, known: Known) -> Copy:
        """The fullest copy; raises JournalUnusable when none is whole."""
        copies = []
        trouble = "no host has all of its plan"
        for host in known.hosts:
            try:
                copy = self._copy(host, known.row)
            except Unlinked as error:
                trouble = f"{host}: {error}"
                continue
            if copy is not None:
                copies.append(copy)
        if not copies:
            raise JournalUnusable(f"what is carried of run {known.row.id} is damaged", why=trouble)
        return max(copies, key=lambda copy: (copy.carried.leg, len(copy.carried.records)))

    def news(self, host: str, run: str, leg: LegName, reading: Reading) -> Watched | None:
        """Reads on in a leg, into `reading`; None when the host does not answer."""
        watched: Watched | None = None
        while True:
            before, buffer = reading.link.seq, b""
            while True:
                watched = self._watch(host, run, leg, before, len(buffer))
                if watched is None:
                    return None
                buffer += watched.page
                if len(watched.page) < PAGE_BYTES:
                    break
            reading.take(buffer.split(b"\n"))
            if reading.link.seq == before:
                return watched

    def _watch(
        self, host: str, run: str, leg: LegName | None, after: int, skip: int
    ) -> Watched | None:
        text = carriage.watch_text(self._fleet, run, leg, after, skip)
        reply = self._look({host: text}, _WITHIN_S).get(host)
        return carriage.read_watched(_text(reply.stdout)) if isinstance(reply, Looked) else None

    def _copy(self, host: str, row: RunRow) -> Copy | None:
        blob = self._plan(host, row.id)
        watched = self._watch(host, row.id, None, 0, 0)
        if blob is None or watched is None or not watched.legs:
            return None
        begun = begin(row, blob)
        legs: dict[LegName, list[StoredRecord]] = {}
        links: dict[LegName, Link] = {}
        for leg in watched.legs:
            reading = Reading(begun)
            self.news(host, row.id, leg, reading)
            legs[leg], links[leg] = reading.records, reading.link
        leg, records = merged(legs)
        if not records:
            return None
        plan = msgspec.msgpack.decode(blob, type=Plan)
        fence_max = max(one.fence for one in watched.legs)
        carried = Carried(row, plan, tuple(records), leg, watched.age_s, fence_max)
        return Copy(host, carried, links[leg])

    def _plan(self, host: str, run: str) -> bytes | None:
        """The encoded plan; None when it is not all there."""
        data, number, total = b"", 0, 1
        while number < total:
            text = carriage.part_text(self._fleet, run, number)
            reply = self._look({host: text}, _WITHIN_S).get(host)
            part = carriage.read_part(_text(reply.stdout)) if isinstance(reply, Looked) else None
            if part is None:
                return None
            total, piece = part
            data, number = data + piece, number + 1
        try:
            return zlib.decompress(data)
        except zlib.error:
            return None


def _together(one: Known | None, other: Known) -> Known:
    if one is None:
        return other
    ages = [known.age_s for known in (one, other) if known.age_s is not None]
    code = other.exit_code if one.exit_code is None else one.exit_code
    return Known(other.row, min(ages, default=None), code, (*one.hosts, *other.hosts))


def _text(output: Output) -> bytes:
    return output.head + output.tail
