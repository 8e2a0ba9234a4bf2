"""The rows of runs and what they say, checked against their seals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import msgspec

from fleetctl.base.errors import Refused
from fleetctl.journal import chain
from fleetctl.journal.chain import Head
from fleetctl.journal.rows import RunRow, StoredRecord, checksum

OPENED = "id, fleet, title, digest, by, opened_s, words, hosts"
"""What is known when a run is opened, and never changes."""
_COLUMNS = ", ".join(
    [f"r.{name}" for name in OPENED.split(", ")]
    + ["r.exit_code", "r.ended_s", "r.number", "r.before", "r.plan_sha", "r.opening"]
    + ["h.seq", "h.chain", "h.note", "h.crc"]
)


class StoredRun(NamedTuple):
    """A run as the file has it."""

    row: RunRow
    number: int
    values: tuple[Any, ...]
    """Of the columns `OPENED`."""
    before: bytes
    plan_sha: bytes | None
    opening: bytes | None
    """None: it was opened before there were chains."""
    head: Head | None
    """None: no record of it is chained."""


class Unsealed(Exception):
    """A row is not as it was written; says which."""


def run_query(rest: str) -> str:
    """The query for `stored_run`; `r` are the runs."""
    return f"SELECT {_COLUMNS} FROM runs r LEFT JOIN heads h ON h.run = r.number {rest}"  # noqa: S608


def stored_run(found: Sequence[Any]) -> StoredRun:
    """The run of one row of `run_query`; raises Unsealed."""
    values, (exit_code, ended_s, number, before, plan_sha, opened) = found[:8], found[8:14]
    place = f"table runs, row {number}"
    if not chain.is_opening(opened, number, values, before, plan_sha):
        raise Unsealed(place)
    head = _head(values[0], found[14:], exit_code, ended_s, f"table heads, row {number}")
    try:
        names = [*OPENED.split(", "), "exit_code", "ended_s"]
        row = dict(zip(names, (*values, exit_code, ended_s), strict=True))
        row["words"] = msgspec.json.decode(str(values[6]))
        made = msgspec.convert(row, RunRow)
    except msgspec.MsgspecError as error:
        raise Unsealed(place) from error
    return StoredRun(made, number, tuple(values), before or b"", plan_sha, opened, head)


def refuse_other(
    here: RunRow, there: RunRow, have: Sequence[StoredRecord], come: Sequence[StoredRecord]
) -> None:
    """Raises Refused unless the records that come go on where those at hand end."""
    unlike = [name for name in OPENED.split(", ") if getattr(here, name) != getattr(there, name)]
    if unlike:
        why = f"they differ in {', '.join(unlike)}"
    elif list(come[: len(have)]) != list(have):
        same = sum(
            1 for _ in takewhile(lambda two: two[0] == two[1], zip(have, come, strict=False))
        )
        why = f"they differ from record {same + 1} on, {len(have)} are here"
    else:
        return
    raise Refused(
        f"the journal has another run {here.id}",
        why=why,
        hint="name another file with --journal to go on with the one that is carried",
    )


def _head(run: str, found: Sequence[Any], exit_code: Any, ended_s: Any, place: str) -> Head | None:
    seq, sum_, note, crc = found
    if seq is None and crc is None:
        return None
    head = Head(seq, sum_, note, exit_code, ended_s)
    values = (run, *(getattr(head, name) for name in head.__struct_fields__))
    if crc is None or not chain.is_sealed(crc, *values):
        raise Unsealed(place)
    return head


def fault(run: str, expected: int, link: Any, found: tuple[Any, ...]) -> str:
    """What is wrong with a record that was to follow; empty when it does."""
    seq, wall_s, crc, body, sum_ = found
    if seq != expected:
        return "the record is missing"
    if not isinstance(body, bytes) or crc != checksum(run, seq, body):
        return "its checksum is wrong"
    if sum_ is None and link is not None:
        return "it has no chain, though the record before it has"
    if sum_ is not None and link is not None and not chain.is_linked(sum_, link, seq, wall_s, body):
        return "it is not what was written after the record before it"
    return ""
