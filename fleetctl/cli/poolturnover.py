"""Which pools come and go with other specs, and whose processes end for that, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fleetctl.pools.overseer.amounts import counted
from fleetctl.pools.specfiles import pool_names


class Turnover(msgspec.Struct, frozen=True):
    """On one host."""

    come: int
    go: int
    left: int
    """Pools there are then."""
    ending: int | None
    """Processes of pools that go; None: no overseer tells what runs."""
    busy: int = 0


def turnover(
    before: Mapping[str, str], after: Mapping[str, str], told: Mapping[str, Any] | None
) -> Turnover | None:
    """The difference between two sets of spec files, and what runs of it by the overseer's status;
    None when they make the same pools."""
    if before == after:
        return None
    wanted = pool_names(after) or frozenset()
    had = pool_names(before) if before else frozenset()
    rows = [row for row in (told or {}).get("pools", ()) if row["pool"] not in wanted]
    if had is None:  # specs of another fleetctl: what runs is known all the same
        had = frozenset(row["pool"] for row in rows)
    come, go = len(wanted - had), len(had - wanted)
    if not (come or go or rows):
        return None
    ending, busy = (sum(int(row.get(key, 0)) for row in rows) for key in ("live", "busy"))
    return Turnover(come, go, len(wanted), ending if told is not None or not had else None, busy)


def turnover_lines(hosts: Sequence[Turnover | None]) -> list[str]:
    """Of hosts that are told together, added up."""
    known = [one for one in hosts if one is not None]
    come, go = sum(one.come for one in known), sum(one.go for one in known)
    if not known:
        return []
    parts = [
        f"{counted(count, 'pool')} {_verb(count, verb)}"
        for count, verb in ((come, "come"), (go, "go"))
        if count
    ]
    ending, busy = sum(one.ending or 0 for one in known), sum(one.busy for one in known)
    if go and any(one.ending is None for one in known):
        parts.append("what runs of them is not known")
    elif go or ending:
        verb = "ends" if ending == 1 else "end"
        parts.append(f"{counted(ending, 'process')} {verb}, {busy} of them busy")
        if busy:
            parts.append("busy ones when their task is done")
    lines = [", ".join(parts)]
    empty = sum(not one.left and bool(one.go) for one in known)
    if empty:
        lines.append(
            f"NO POOL IS LEFT on {empty} of {len(hosts)}" if len(hosts) > 1 else "NO POOL IS LEFT"
        )
    return lines


def _verb(count: int, verb: str) -> str:
    return verb if count != 1 else f"{verb}{'es' if verb == 'go' else 's'}"
