"""What an ended run leaves half done between code and schemas: never without saying so."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import UNSET

from fleetctl.base.hostrange import fold
from fleetctl.cli.progress import HostView, RunView
from fleetctl.plan.model import PlanPhase
from fleetctl.plan.skew import brings
from fleetctl.rollout import records as r

NAMED_MAX = 5
_AT = re.compile(rb"^\S+ is at (\d+)$", re.MULTILINE)
UPGRADE = "schema-upgrade"
"""How the keys of such steps end."""


def skew_lines(view: RunView) -> list[str]:
    """Code that is live beside instances that are not known to be where it needs them."""
    if view.check_only:
        return []
    lines: list[str] = []
    for phase in view.plan.phases:
        guard = phase.schema
        if guard is UNSET or not guard.needs or (guard.upgrades and brings(guard, guard.needs)):
            continue
        live = _live(view, phase)
        behind = _behind(view, guard.needs) if live else []
        if behind:
            head = f"SKEW: {fold(live)} run {phase.release}, which needs schema {guard.needs}; "
            lines += [head + "not known to be at it:", *(f"  {words}" for words in behind)]
    return lines


def _live(view: RunView, phase: PlanPhase) -> list[str]:
    """Hosts of the phase that may run its release: all that were not left as they were."""
    live = []
    for name in (name for batch in phase.batches for name in batch):
        host = view.hosts.get((phase.name, name))
        if host is None or host.settled is None:
            continue
        read_back = host.settled.release
        switched = any(".switch" in key for key in host.steps)
        if read_back == phase.release or (not read_back and switched):
            live.append(name)
    return live


def _behind(view: RunView, needed: int) -> list[str]:
    """What is not at the number, in words; a run that upgrades nothing cannot know."""
    bringing = [
        phase
        for phase in view.plan.phases
        if phase.schema is not UNSET and phase.schema.upgrades and brings(phase.schema, needed)
    ]
    if not bringing:
        return ["this run upgraded no schema; ask: fleetctl schema status"]
    words: list[str] = []
    for phase in bringing:
        for name in (name for batch in phase.batches for name in batch):
            words += _behind_on(view, phase, name)
    return words


def _behind_on(view: RunView, phase: PlanPhase, name: str) -> list[str]:
    host = view.hosts.get((phase.name, name))
    ask = f"(fleetctl schema status --host {name})"
    if lost := _not_upgraded(host):
        named = ", ".join(list(lost)[:NAMED_MAX]) + (", ..." if len(lost) > NAMED_MAX else "")
        count = "1 instance" if len(lost) == 1 else f"{len(lost)} instances"
        return [f"{count} on {name}{_at_words(lost)}: {named} {ask}"]
    if host is None or host.settled is None:
        return [f"all instances on {name}: phase {phase.name} did not come to it {ask}"]
    if host.lost or host.settled.halted:
        return [f"instances on {name}: it was lost in phase {phase.name} {ask}"]
    return []


def _not_upgraded(host: HostView | None) -> dict[str, r.ItemSettled | None]:
    """Instances that were listed as pending and have no good end, and the end they have."""
    return {
        name: end
        for key, items in (host.items if host is not None else {}).items()
        if key.endswith(f"-{UPGRADE}")
        for name, end in items.ends.items()
        if end is None or end.outcome.lost
    }


def _at_words(lost: Mapping[str, r.ItemSettled | None]) -> str:
    """` at 40 to 41`, where each of them said where it is; else nothing."""
    found = [_AT.search(end.said) if end is not None else None for end in lost.values()]
    numbers = sorted({int(one[1]) for one in found if one is not None})
    if None in found or not numbers:
        return ""
    return f" at {numbers[0]}" + (f" to {numbers[-1]}" if len(numbers) > 1 else "")
