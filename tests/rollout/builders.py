"""Plans built by hand, small and readable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec.structs import replace

from fleetctl.inventory.model import Host, Login
from fleetctl.plan.model import Budget, Gate, Plan, PlanPhase, PlanStep, TierGuard
from fleetctl.playbook.operations import (
    Exec,
    Foreach,
    Listing,
    Manual,
    NamedLimit,
    Once,
    Pause,
    Retry,
)


def a_host(name: str, tier: str = "web", **tags: str) -> Host:
    return Host(name, tier, "127.0.0.1", Login(), tags)


def hosts_named(count: int, tier: str = "web") -> list[str]:
    return [f"{tier}{n:03d}" for n in range(1, count + 1)]


def a_step(
    key: str, *, act: str = "true", check: str = "", undo: str = "", once: Once = "",
    barrier: bool = False, retry: Retry | None = None, reads_release: bool = False,
    expects: str = "", timeout_s: float = 60.0, restore: str = "", restored_by: str = "",
    undo_last: bool = False, undo_reads_release: bool = False,
) -> PlanStep:  # fmt: skip
    return PlanStep(
        key, key, Exec(act, check, undo, restore), timeout_s, retry, once, barrier, reads_release,
        expects, restored_by=restored_by, undo_last=undo_last,
        undo_reads_release=undo_reads_release,
    )  # fmt: skip


def a_foreach(
    key: str, *, check: str = "", concurrency: int = 2, retry: Retry | None = None,
    barrier: bool = False, timeout_s: float = 60.0, act: str = "up {{item}}", list_key: str = "",
) -> tuple[PlanStep, PlanStep]:  # fmt: skip
    """The step that lists, and the one that acts on each item."""
    return (
        PlanStep(list_key or f"{key}.list", f"list {key}", Listing("ls"), 60.0, Retry(1)),
        PlanStep(
            key, key, Foreach(act, check, concurrency=concurrency), timeout_s, retry,
            barrier=barrier,
        ),
    )  # fmt: skip


def a_pause(key: str, seconds: float) -> PlanStep:
    return PlanStep(key, key, Pause(seconds), 60.0)


def a_manual(
    key: str, *boxes: str, once: Once = "fleet", command: str = "",
    default: Literal["failed", "skipped"] = "failed", timeout_s: float = 600.0,
    barrier: bool = False,
) -> PlanStep:  # fmt: skip
    operation = Manual(f"{key}, please", boxes, command, "", default)
    return PlanStep(key, key, operation, timeout_s, once=once, barrier=barrier)


def using(step: PlanStep, **uses: int) -> PlanStep:
    """The step, taking so much of each named limit."""
    return replace(step, uses=uses)


def limiting(plan: Plan, **limits: int | float) -> Plan:
    """The plan with named limits: a whole number at once, or a broken one a second."""
    return replace(plan, limits={
        name: NamedLimit(at_once=most) if isinstance(most, int) else NamedLimit(per_s=most)
        for name, most in limits.items()
    })  # fmt: skip


def a_hostless(name: str, *steps: PlanStep, needs: Sequence[str] = ()) -> PlanPhase:
    """A phase all of whose steps a person does."""
    gates = []
    for step in steps:
        assert isinstance(step.operation, Manual)
        gates.append(Gate(step.key, step.title, step.operation, "before", step.timeout_s))
    return PlanPhase(name, tuple(needs), (), (), tuple(gates), Budget(), 1)


def a_phase(
    batches: Sequence[Sequence[str]], steps: Sequence[PlanStep], *, name: str = "p1",
    budget: Budget | None = None, limit: int = 100, gates: Sequence[Gate] = (),
    needs: Sequence[str] = (), throttle: float = 0.0,
    on_failure: Literal["continue", "rollback", "stop", "ask", "leave", "undo"] = "leave",
    release: str = "", batch_failure: Literal["continue", "rollback"] = "continue",
    ask_default: Literal["stop", "rollback", "continue"] = "stop",
) -> PlanPhase:  # fmt: skip
    return PlanPhase(
        name, tuple(needs), tuple(tuple(batch) for batch in batches), tuple(steps), tuple(gates),
        budget or Budget(0), limit, throttle, on_failure, release,
        batch_failure=batch_failure, ask_default=ask_default,
    )  # fmt: skip


def a_plan(
    *phases: PlanPhase, hosts: Mapping[str, Host] | None = None,
    guards: Sequence[TierGuard] = (), budget: int = 1000, fanout: int = 100,
) -> Plan:  # fmt: skip
    names = [host for phase in phases for batch in phase.batches for host in batch]
    names += [host for guard in guards for host in guard.hosts]
    known = {name: (hosts or {}).get(name) or a_host(name, name.rstrip("0123456789"))
             for name in names}  # fmt: skip
    return Plan(
        "test", "a test", known, tuple(phases), tuple(guards), Budget(budget), {}, {}, {}, fanout
    )
