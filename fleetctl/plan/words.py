"""A plan's numbers in words: what losing hosts does, what may be touched at once, how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetctl.base.durations import format_duration
from fleetctl.plan.model import Budget, Gate, Plan, PlanPhase, PlanStep, TierGuard
from fleetctl.playbook.channels import Channel, Webhook
from fleetctl.playbook.operations import (
    Approval,
    Foreach,
    Manual,
    NamedLimit,
    SecretExec,
    SecretSource,
)

APPROVAL_PATIENCE_S = 3600.0


def budget_words(budget: Budget, size: int) -> str:
    """`1 lost host: goes on; 2: stops`, for `size` hosts."""
    allowed = budget.per_phase
    if allowed <= 0:
        return "1 lost host: stops"
    if allowed >= size:
        words = "never stops for lost hosts"
    else:
        words = f"{_lost(allowed)}: goes on; {allowed + 1}: stops"
    if budget.per_batch is None:
        return words
    return f"{words} ({budget.per_batch + 1} in one batch: stops)"


def items_words(phase: PlanPhase) -> str:
    """`2 lost instances: goes on; 3: stops`; empty for a phase without foreach steps."""
    if not any(isinstance(step.operation, Foreach) for step in phase.steps):
        return ""
    noun = noun_of(phase)
    allowed = phase.budget.items or 0
    if not allowed:
        return f"{counted(1, f'lost {noun}')}: stops"
    return f"{counted(allowed, f'lost {noun}')}: goes on; {allowed + 1}: stops"


def noun_of(phase: PlanPhase) -> str:
    """What the items of the phase's foreach steps are called, in the singular."""
    nouns = {step.operation.noun for step in phase.steps if isinstance(step.operation, Foreach)}
    return nouns.pop() if len(nouns) == 1 else "item"


def counted(count: int, noun: str) -> str:
    """`1 instance`, `3 instances`."""
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _lost(count: int) -> str:
    return "1 lost host" if count == 1 else f"{count} lost hosts"


def pace_words(phase: PlanPhase) -> str:
    """How many hosts are worked on at once, and how fast they are started."""
    words = f"at most {phase.limit} in flight"
    if phase.throttle_per_min:
        words += f", {phase.throttle_per_min:g} starts a minute"
    return words + failure_words(phase)


def failure_words(phase: PlanPhase) -> str:
    """What becomes of a lost host and of its batch; empty where both are left as they are."""
    words = {
        "continue": "",
        "rollback": ", a lost host is rolled back",
        "stop": ", a lost host stops the run",
        "ask": ", a person is asked about a lost host, within "
        f"{format_duration(phase.ask_within_s)}, else {phase.ask_default}",
    }[phase.policy]
    if phase.batch_failure == "rollback":
        words += ", a batch that stops the run is rolled back whole"
    return words


def guard_words(guard: TierGuard) -> str:
    """`db: at most 4 of 16 in flight, at least 12 up`; empty when nothing bounds the tier."""
    words = []
    if guard.limit < guard.size:
        words.append(f"at most {guard.limit} of {guard.size} in flight")
    if guard.floor:
        words.append(f"at least {guard.floor} up")
    return f"{guard.tier}: {', '.join(words)}" if words else ""


def limits_words(plan: Plan) -> str:
    """`admin-api: 8 at once, mail: 4 starts a second`; empty for a plan without named limits."""
    every = (plan.limits or {}).items()
    return ", ".join(f"{name}: {_limit_words(limit)}" for name, limit in every)


def _limit_words(limit: NamedLimit) -> str:
    if limit.at_once:
        return f"{limit.at_once} at once"
    if limit.per_s >= 1:
        return f"{limit.per_s:g} starts a second"
    return f"{limit.per_s * 60:g} starts a minute"


def gate_words(gate: Gate) -> str:
    """The gate with its patience and its soak."""
    words = gate.title
    if gate.timeout_s < APPROVAL_PATIENCE_S:
        words += f", within {format_duration(gate.timeout_s)}"
    if gate.soak_s and "for " not in gate.title:
        words += f", holding {format_duration(gate.soak_s)}"
    return words


def secrets_of(plan: Plan) -> dict[str, SecretSource]:
    """Every secret a step of the plan is given, and where it comes from."""
    return {
        use.name: use.source
        for phase in plan.phases
        for step in phase.steps
        if isinstance(step.operation, (SecretExec, Foreach))
        for use in step.operation.secrets
    }


def channel_secrets_of(plan: Plan) -> dict[str, SecretSource]:
    """Every secret a message to somebody needs; a run does without."""
    return {use.name: use.source for channel in plan.channels for use in channel.secrets}


def secret_words(name: str, source: SecretSource) -> str:
    """`db_password: environment variable DB_PASSWORD`; never the value."""
    words = {"env": "environment variable", "command": "command", "file": "file"}[source.kind]
    return f"{name}: {words} {' '.join(source.words)}"


def channel_words(channel: Channel) -> str:
    """`chat (webhook): question, stop, finish`; where to stays a secret."""
    way = "webhook" if isinstance(channel.way, Webhook) else f"mail to {', '.join(channel.way.to)}"
    return f"{channel.name} ({way}): {', '.join(channel.moments)}"


def given_words(step: PlanStep) -> str:
    """`db_password on stdin, tls_key in $KEY_FILE`; empty when the step is given no secret."""
    if not isinstance(step.operation, (SecretExec, Foreach)):
        return ""
    return ", ".join(
        f"{use.name} in ${use.variable}" if use.variable else f"{use.name} on stdin"
        for use in step.operation.secrets
    )


def estimate_words(plan: Plan) -> str:
    """`about 12 min 30 s, from 4 earlier runs`, or why that is not known."""
    without = ", what people do not counted" if asks_people(plan) else ""
    if plan.estimate_s is None:
        return f"unknown: {plan.estimate_basis or 'no history yet'}"
    basis = plan.estimate_basis or "from earlier runs"
    return f"about {format_duration(plan.estimate_s)}, {basis}{without}"


def asks_people(plan: Plan) -> bool:
    """Whether the plan waits for a person somewhere."""
    every = [gate.probe for phase in plan.phases for gate in phase.gates]
    steps = [step.operation for phase in plan.phases for step in phase.steps]
    return any(isinstance(one, (Approval, Manual)) for one in [*every, *steps])


def release_words(plan: Plan) -> Iterator[str]:
    """One line a change: `2026-11-15-aa -> 2026-11-22-bb: db, web (3 hosts have it already)`."""
    deployed: dict[str, str] = {}
    for phase in plan.phases:
        for name in (name for batch in phase.batches for name in batch if phase.release):
            deployed[name] = phase.release
    changes: dict[tuple[str, str], list[str]] = {}
    for tier in plan.releases:
        names = [name for name in deployed if plan.hosts[name].tier == tier]
        for release in dict.fromkeys(deployed[name] for name in names):
            some = [name for name in names if deployed[name] == release]
            changes.setdefault(_change(plan, some, release), []).append(tier)
    for (before, after), tiers in changes.items():
        there = sum(
            plan.live.get(name) == release == after and plan.hosts[name].tier in tiers
            for name, release in deployed.items()
        )
        words = f"{before} -> {after}: {', '.join(tiers)}"
        have = "1 host has it" if there == 1 else f"{there} hosts have it"
        yield words + (f" ({have} already)" if there else "")


def _change(plan: Plan, names: Sequence[str], release: str) -> tuple[str, str]:
    """What these hosts run, and what they are to run."""
    before = {plan.live.get(name, "not known") for name in names}
    return ", ".join(sorted(before - {release})) or release, release
