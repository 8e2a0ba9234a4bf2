"""Looking for the first scenario that catches a change: of a guard, or of an arrow of a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from typing import Any, NamedTuple

from fleetctl.base.machine import Machine
from fleetctl.rollout import duties, tables
from tests.sim.campaign import REGRESSIONS, play_case
from tests.sim.case import Case, load
from tests.sim.scenarios import make_case

Arrow = tuple[Machine[Any, Any], tuple[Any, Any]]
MACHINES: tuple[Machine[Any, Any], ...] = (
    tables.STEP, duties.DUTY, tables.HOST, tables.PHASE, tables.BATCH, tables.GATE, tables.LEG,
    tables.ITEM,
)  # fmt: skip
EAGER = (
    "seed 9", "seed 10", "seed 44", "seed 80", "seed 124", "failure-told-before-a-success",
    "phase-needs-a-later-one", "rebooted-before-a-round", "restored-before-what-is-undone-last",
    "seed-37", "seed-10742", "undo-of-what-restored-cut-off", "undo-unknown-asked-again",
)  # fmt: skip
"""Scenarios that take every arrow between them; played first, they spare the others."""


class Catch(NamedTuple):
    """The scenario that objected, and how."""

    scenario: str
    said: str


def scenarios(count: int, first: Collection[str] = ()) -> Iterable[tuple[str, Case]]:
    """What broke once, then so many seeds; those named in `first` before all others."""
    makers = {path.stem: partial(load, path) for path in sorted(REGRESSIONS.glob("*.json"))}
    makers |= {f"seed {seed}": partial(make_case, seed) for seed in range(count)}
    for name in sorted(makers, key=lambda name: name not in first):
        yield name, makers[name]()


def first_catch(count: int, wanted: str = "", likely: str = "") -> Catch | None:
    """The first scenario that breaks with a message that begins so, after the likely one."""
    for name, case in scenarios(count, (likely,)):
        said = objection(case)
        if said is not None and said.startswith(wanted):
            return Catch(name, said)
    return None


def objection(case: Case) -> str | None:
    """What the case is broken by; None when it keeps every promise."""
    try:
        play_case(case)
    except Exception as error:  # noqa: BLE001 - a mutant may break in any way
        return str(error) or type(error).__name__
    return None


class _Noted(dict[Any, Any]):
    """A table that remembers which of its arrows were taken."""

    def __init__(self, arrows: Any) -> None:
        super().__init__(arrows)
        self.taken: set[Any] = set()

    def get(self, key: Any, default: Any = None) -> Any:
        if key in self:
            self.taken.add(key)
        return super().get(key, default)


def users_of_arrows(count: int) -> dict[tuple[str, Any], Case]:
    """(table, arrow) -> the first scenario that takes it; arrows nobody takes are missing."""
    found: dict[tuple[str, Any], Case] = {}
    most = sum(len(machine.arrows) for machine in MACHINES)
    for _, case in scenarios(count, EAGER):
        noted = {machine.name: _Noted(machine.arrows) for machine in MACHINES}
        before = _replace(noted)
        try:
            play_case(case)
        finally:
            _replace(before)
        for name, table in noted.items():
            for arrow in table.taken:
                found.setdefault((name, arrow), case)
        if len(found) == most:
            break
    return found


def objection_without(name: str, arrow: Any, case: Case) -> str | None:
    """What the case is broken by when the table lacks the arrow."""
    machine = next(machine for machine in MACHINES if machine.name == name)
    left = {key: state for key, state in machine.arrows.items() if key != arrow}
    before = _replace({name: left})
    try:
        return objection(case)
    finally:
        _replace(before)


def _replace(tables_of: dict[str, Any]) -> dict[str, Any]:
    """Give machines other arrows; what they had before."""
    before: dict[str, Any] = {}
    for machine in MACHINES:
        if machine.name in tables_of:
            before[machine.name] = machine.arrows
            object.__setattr__(machine, "arrows", tables_of[machine.name])
    return before
