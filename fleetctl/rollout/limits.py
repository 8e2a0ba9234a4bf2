"""Named limits over all phases: who may begin a step that uses one, and who lines up. Pure.

A host takes all a step uses at once, for that one order, and gives it back when the order's end
is known; nobody who lines up holds anything. So no two can stand in each other's way. What is free
goes to who has lined up first; nobody overtakes under the same name.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleetctl.playbook.operations import NamedLimit
from fleetctl.rollout.desk import Desk
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.stages import Stage
from fleetctl.rollout.tables import HostState

TIMER = "uses"
_SOON_S = 1e-9


def hold_up(desk: Desk, run: HostRun, stage: Stage) -> bool:
    """Ask before the stage is sent: True when the host must line up for what its step uses."""
    uses = uses_of(run, stage.first)
    if not uses:
        return False
    its_turn, desk.turn = desk.turn == run.host, ""
    taken = set() if its_turn else _wanted_before(desk, run.host)
    if taken & uses.keys() or not fits(desk, uses):
        desk.lined_up[run.host] = run
        return True
    desk.lined_up.pop(run.host, None)
    for name, weight in uses.items():
        limit = _limits(desk)[name]
        if limit.per_s:
            desk.next_use_s[name] = desk.now_s + weight / limit.per_s
    return False


def next_up(desk: Desk) -> HostRun | None:
    """The first in the line for whom all is free that it wants; it is out of the line then."""
    wanted: set[str] = set()
    for host, run in list(desk.lined_up.items()):
        if run.state is not HostState.READY:
            del desk.lined_up[host]
            continue
        uses = uses_of(run, run.next_step)
        if not wanted & uses.keys() and fits(desk, uses):
            del desk.lined_up[host]
            desk.turn = host
            return run
        wanted |= uses.keys()
    return None


def fits(desk: Desk, uses: Mapping[str, int]) -> bool:
    """Whether all of it is free now; for a rate that is not, time is set to look again."""
    free = True
    for name, weight in uses.items():
        limit = _limits(desk)[name]
        if limit.at_once and desk.state.accounts.used[name] + weight > limit.at_once:
            free = False
        due_s = desk.next_use_s.get(name, 0.0)
        if limit.per_s and desk.now_s + _SOON_S < due_s:
            free = False
            if (TIMER, name) not in desk.timers:
                desk.set_timer((TIMER, name), due_s - desk.now_s)
    return free


def take_up(desk: Desk) -> None:
    """A resume: what a controller before this one has just begun is not known, and counts."""
    if desk.state.legs > 1:
        for name, limit in _limits(desk).items():
            if limit.per_s:
                desk.next_use_s[name] = desk.now_s + 1 / limit.per_s


def uses_of(run: HostRun, index: int) -> Mapping[str, int]:
    """What the step takes on one host."""
    return run.recipe.steps[index].uses or {}


def _limits(desk: Desk) -> Mapping[str, NamedLimit]:
    return desk.plan.limits or {}


def _wanted_before(desk: Desk, host: str) -> set[str]:
    """What those in the line before this host want."""
    wanted: set[str] = set()
    for other, run in desk.lined_up.items():
        if other == host:
            break
        if run.state is HostState.READY:
            wanted |= uses_of(run, run.next_step).keys()
    return wanted
