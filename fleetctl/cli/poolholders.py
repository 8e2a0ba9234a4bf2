"""Whose holds keep pools down, and whether that run is still there to let go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from fleetctl.base.errors import LockHeld, UsageError
from fleetctl.cli.journal import journal_path, open_journal

if TYPE_CHECKING:
    from fleetctl.cli.overseers import Silent
    from fleetctl.inventory.model import Fleet
    from fleetctl.journal.rows import RunRow
    from fleetctl.journal.store import Journal
    from fleetctl.pools.tallies import Group, Tally

    Answers = dict[str, Tally | Silent]

Standing = Literal["live", "over", "unknown"]
LIVE: Standing = "live"
OVER: Standing = "over"
UNKNOWN: Standing = "unknown"


def judged(answers: Answers, fleet: Fleet, journal: str | None) -> Answers:
    """The answers, each hold of a run with what is known of that run.

    Runs of this journal are looked up there; of others the hosts that keep the leases are asked.
    """
    from fleetctl.pools.tallies import Tally

    told = [answer for answer in answers.values() if isinstance(answer, Tally)]
    runs = {hold.run for tally in told for group in _groups(tally) for hold in group.holds}
    found = standings(runs - {""}, fleet, journal)
    if not found:
        return answers
    return {
        host: _marked(answer, found) if isinstance(answer, Tally) else answer
        for host, answer in answers.items()
    }


def standings(runs: Iterable[str], fleet: Fleet, journal: str | None) -> dict[str, Standing]:
    """Of each run, whether a controller drives it."""
    wanted = sorted(runs)
    found = _in_journal(wanted, journal) if wanted else {}
    elsewhere = [run for run in wanted if run not in found]
    if elsewhere:
        from fleetctl.cli.lock import held_leases

        held, all_told = held_leases(fleet)
        silent = OVER if all_told else UNKNOWN
        found |= {run: LIVE if run in held else silent for run in elsewhere}
    return found


def refuse_live(run: str, journal: str | None) -> str:
    """The whole id of a run that is over, or is none of this journal's; raises LockHeld.

    A run of another machine keeps its lease while it is at work, which whoever acts must take.
    """
    if not journal_path(journal).exists():
        return run
    with open_journal(journal) as opened:
        row = _row(opened, run)
        holder = opened.lock(row.id).holder() if row is not None else ""
    if row is None:
        return run
    if holder:
        raise LockHeld(
            f"run {row.id} is at work: it lets go of what it holds by itself",
            why=f"driven by {holder}", hint=f"stop it with: fleetctl runs abort {row.id}",
        )  # fmt: skip
    return row.id


def _in_journal(runs: Iterable[str], journal: str | None) -> dict[str, Standing]:
    if not journal_path(journal).exists():
        return {}
    found: dict[str, Standing] = {}
    with open_journal(journal) as opened:
        for run in runs:
            row = _row(opened, run)
            if row is not None and row.id == run:
                found[run] = LIVE if opened.lock(run).holder() else OVER
    return found


def _row(journal: Journal, run: str) -> RunRow | None:
    try:
        return journal.find(run)
    except UsageError:
        return None


def _groups(tally: Tally) -> Iterable[Group]:
    return (*tally.groups.values(), tally.rest)


def _marked(tally: Tally, found: Mapping[str, Standing]) -> Tally:
    groups = {name: _with(group, found) for name, group in tally.groups.items()}
    return msgspec.structs.replace(tally, groups=groups, rest=_with(tally.rest, found))


def _with(group: Group, found: Mapping[str, Standing]) -> Group:
    if not group.holds:
        return group
    holds = (
        msgspec.structs.replace(hold, standing=found[hold.run]) if hold.run in found else hold
        for hold in group.holds
    )
    return msgspec.structs.replace(group, holds=tuple(holds))
