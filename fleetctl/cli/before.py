"""What hosts ran before: before one run, or before the last one that changed each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from fleetctl.base.errors import LockHeld, Refused, UsageError
from fleetctl.base.hostrange import fold
from fleetctl.cli.assemble import Wish
from fleetctl.cli.changed import Changed, changed_by
from fleetctl.cli.journal import journal_path, kept_journal
from fleetctl.cli.output import tell
from fleetctl.inventory.model import Fleet
from fleetctl.inventory.select import pick_all
from fleetctl.journal.rows import RunRow
from fleetctl.journal.store import Journal
from fleetctl.plan.goback import switches_of
from fleetctl.plan.model import Plan
from fleetctl.releases.pins import pins_path, read_pin_facts
from fleetctl.rollout.runlog import read_records

_TITLE = "Roll back"
_RUNS_MAX = 50
"""So many of the newest runs are looked at for the last one that changed a host."""


class Before(msgspec.Struct, frozen=True):
    """Hosts to take back, and what each ran before."""

    hosts: tuple[str, ...]
    releases: Mapping[str, str]
    """Host -> release; one whose earlier release is not known is missing."""
    changed: Changed
    run: str = ""
    """The run that is taken back; empty when hosts were named."""
    inputs: Mapping[str, str] = msgspec.field(default_factory=dict)
    variables: Mapping[str, str] = msgspec.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    named: str = ""
    """Tiers or hosts, for the title."""

    def known(self) -> dict[str, str]:
        """Host -> release; raises Refused naming those that have none."""
        without = [name for name in self.hosts if name not in self.releases]
        if without:
            ran = f"before run {self.run}" if self.run else "before"
            raise Refused(
                f"nobody knows what {fold(without)} ran {ran}",
                why="no release was read back there until then",
                hint=f"say which release: --to REL; or leave them out: --exclude '{fold(without)}'",
            )
        return {name: self.releases[name] for name in self.hosts}

    def title(self, of: str, to: str | None) -> str:
        """`Roll back RUN: Saturday push`."""
        words = f"{_TITLE} {self.run}: {of}" if self.run else f"{_TITLE} {self.named}"
        return f"{words} to {to}" if to else words


def before_run(wish: Wish, fleet: Fleet, run: str) -> Before | None:
    """What the hosts this run changed ran before it; None when it changed none, which is told."""
    with kept_journal(wish.journal) as journal:
        row = journal.find(run)
        if row.fleet != fleet.name:
            raise UsageError(f"run {row.id} was on fleet {row.fleet}, this is {fleet.name}")
        _refuse_live(journal, row)
        plan = journal.plan_of(row.id)
        changed = _changed(journal, row.id, plan)
    selected = set(pick_all(fleet, wish.choice.selection)) if wish.choice.given else None
    gone = [name for name in changed.hosts if name not in fleet.hosts]
    notes = [f"note: left out, no longer in the inventory: {fold(gone)}"] if gone else []
    if row.title.startswith(_TITLE):
        notes.append(f"note: run {row.id} went back itself, so this goes forward again")
    hosts = tuple(
        name for name in fleet.hosts
        if name in changed.hosts and (selected is None or name in selected)
    )  # fmt: skip
    if not hosts:
        some = "none of the selected hosts" if changed.hosts and selected else "no host's release"
        tell(f"nothing to roll back: run {row.id} changed {some}")
        return None
    return Before(
        hosts, plan.live, changed, row.id, plan.inputs, plan.variables, tuple(notes)
    )  # fmt: skip


def before_hosts(wish: Wish, fleet: Fleet, to: str | None) -> Before:
    """What the selected hosts ran before the last run that changed each; else what was pinned."""
    if not wish.choice.given:
        raise UsageError(
            "say what to roll back",
            hint="a run (`fleetctl rollback last`), or hosts (`fleetctl rollback --tier TIER`)",
        )
    hosts = tuple(pick_all(fleet, wish.choice.selection))
    named = ", ".join(wish.choice.tier) if wish.choice.tier else fold(hosts)
    nothing = Changed(frozenset())
    if to:
        return Before(hosts, {}, nothing, named=named)
    found: dict[str, str] = {}
    if journal_path(wish.journal).exists():
        with kept_journal(wish.journal) as journal:
            found = _from_runs(journal, fleet, hosts)
    pins = read_pin_facts(pins_path(Path(fleet.source)))
    for name in hosts:
        pin = pins.get(fleet.hosts[name].tier)
        if name not in found and pin is not None and pin.was:
            found[name] = pin.was
    releases = {name: release for name, release in found.items() if release}
    return Before(hosts, releases, nothing, named=named)


def _from_runs(journal: Journal, fleet: Fleet, hosts: Sequence[str]) -> dict[str, str]:
    """Host -> what it ran before the last run that changed it, empty when nobody knows."""
    found: dict[str, str] = {}
    for row in journal.runs(_RUNS_MAX):
        missing = [name for name in hosts if name not in found]
        if not missing:
            break
        if row.fleet != fleet.name:
            continue
        plan = journal.plan_of(row.id)
        if switches_of(plan) and any(name in plan.hosts for name in missing):
            _refuse_live(journal, row)
            changed = _changed(journal, row.id, plan).hosts
            found.update((name, plan.live.get(name, "")) for name in missing if name in changed)
    return found


def _changed(journal: Journal, run: str, plan: Plan) -> Changed:
    return changed_by(plan, (entry.record for entry in read_records(journal, run)))


def _refuse_live(journal: Journal, row: RunRow) -> None:
    holder = journal.lock(row.id).holder()
    if holder:
        raise LockHeld(
            f"run {row.id} has not ended",
            why=f"it is driven by {holder}",
            hint=f"stop it first: fleetctl runs abort {row.id}",
        )
