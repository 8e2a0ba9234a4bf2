"""A plan as a person reads it before saying yes: lines of text, and rows of one host each."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from fleetctl.base.hostrange import fold
from fleetctl.plan.digest import SHORT, digest_of
from fleetctl.plan.model import Plan, PlanPhase, PlanStep
from fleetctl.plan.skew import schema_words
from fleetctl.plan.words import (
    budget_words,
    channel_words,
    estimate_words,
    gate_words,
    given_words,
    guard_words,
    items_words,
    limits_words,
    pace_words,
    release_words,
    secret_words,
    secrets_of,
)
from fleetctl.playbook.operations import Exec, Foreach, Manual

COLUMNS = ("phase", "batch", "host", "tier", "from", "to", "noop", "steps")
WIDTH = 110
LABEL = 12
_INDENT = "   "
SAME_SIZE_MAX = 2
"""Neighbouring batches of one size are shown singly up to this many, else folded to one line."""


def plan_lines(plan: Plan, width: int = WIDTH) -> Iterator[str]:
    """The plan, folded: a fleet of 44 hosts fits a screen; no line is wider than `width`."""
    for line in _lines(plan):
        # Long ones go on under themselves.
        yield from textwrap.wrap(
            line,
            width,
            subsequent_indent=" " * (len(_INDENT) + LABEL if line.startswith(_INDENT) else 0),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]


def _lines(plan: Plan) -> Iterator[str]:
    names = hosts_of(plan)
    yield f"{plan.title}: {_count(len(names), 'host')} of fleet {plan.fleet}, " + _count(
        len(plan.phases), "phase"
    )
    yield from _labelled("plan", [digest_of(plan)[:SHORT]])
    yield from _labelled("releases", list(release_words(plan)) or ["this plan deploys none"])
    yield from _labelled("bounds", [text for text in map(guard_words, plan.guards) if text])
    yield from _labelled("budget", [budget_words(plan.budget, len(names))])
    secrets = secrets_of(plan).items()
    yield from _labelled("secrets", [secret_words(name, source) for name, source in secrets])
    if limits := limits_words(plan):
        yield from _labelled("limits", [limits])
    yield from _labelled("notify", [channel_words(channel) for channel in plan.channels])
    yield from _labelled("time", [estimate_words(plan)])
    for number, phase in enumerate(plan.phases, start=1):
        yield ""
        yield from _phase_lines(plan, number, phase)


def hosts_of(plan: Plan) -> list[str]:
    """Every host some phase works on, in inventory order; the number a person types."""
    worked_on = {name for phase in plan.phases for batch in phase.batches for name in batch}
    return [name for name in plan.hosts if name in worked_on]


def plan_rows(plan: Plan) -> Iterator[dict[str, object]]:
    """One row a host and phase, in the order of the work."""
    for phase in plan.phases:
        already = set(phase.already)
        steps = [step.title for step in phase.steps]
        for number, batch in enumerate(phase.batches, start=1):
            for name in batch:
                yield {
                    "phase": phase.name,
                    "batch": number,
                    "host": name,
                    "tier": plan.hosts[name].tier,
                    "from": plan.live.get(name) if phase.release else None,
                    "to": phase.release or None,
                    "noop": name in already,
                    "steps": steps,
                }


def _phase_lines(plan: Plan, number: int, phase: PlanPhase) -> Iterator[str]:
    size = sum(map(len, phase.batches))
    needs = f", after {', '.join(phase.needs)}" if phase.needs else ""
    if not size:
        yield f"{number}. {phase.name}: a person does it{needs}"
        yield from _labelled("steps", [gate.title for gate in phase.gates])
        return
    yield f"{number}. {phase.name}: {_count(size, 'host')}, {pace_words(phase)}{needs}"
    yield from _labelled(
        "budget", [text for text in (budget_words(phase.budget, size), items_words(phase)) if text]
    )
    yield from _labelled("schema", [text for text in (schema_words(plan, phase),) if text])
    before = [gate_words(gate) for gate in phase.gates if gate.when == "before"]
    yield from _labelled("before", before)
    yield from _batch_lines(plan, phase)
    yield from _labelled("steps", [_steps_words(phase)])
    after = [gate_words(gate) for gate in phase.gates if gate.when == "after"]
    yield from _labelled("after each", after)


def _batch_lines(plan: Plan, phase: PlanPhase) -> Iterator[str]:
    numbered = list(enumerate(phase.batches, start=1))
    for size, group in itertools.groupby(numbered, key=lambda each: len(each[1])):
        batches = list(group)
        if len(batches) > SAME_SIZE_MAX:
            first, last = batches[0][0], batches[-1][0]
            names = [name for _, batch in batches for name in batch]
            words = f"{_hosts_words(plan, phase, names)}, {size} at a time"
            yield from _labelled(f"batch {first}-{last}", [words])
            continue
        for number, batch in batches:
            yield from _labelled(f"batch {number}", [_hosts_words(plan, phase, batch)])


def _hosts_words(plan: Plan, phase: PlanPhase, names: Sequence[str]) -> str:
    words = fold(names)
    there = [name for name in names if name in set(phase.already)]
    if not there:
        return words
    if len(there) == len(names):
        return f"{words} (no-op: already at {phase.release})"
    return f"{words} (no-op: {fold(there)})"


def _steps_words(phase: PlanPhase) -> str:
    """Titles in order; the parts of one authored step (`p1-s01-deploy.switch`) as one."""
    groups = itertools.groupby(phase.steps, key=lambda step: step.key.partition(".")[0])
    titles = {step.key: step.title for step in phase.steps}
    return " > ".join(_step_words(list(steps), titles) for _, steps in groups)


def _restore_words(steps: Sequence[PlanStep], titles: Mapping[str, str]) -> str:
    """Who puts the host back, and that it is put back in any case; empty when nobody has to."""
    own = {step.key for step in steps}
    for step in steps:
        if not isinstance(step.operation, Exec) or not step.operation.restore:
            continue
        if step.restored_by in own:
            return ""
        if step.restored_by:
            return f'put back by "{titles[step.restored_by]}", or on every other way out'
        return "put back in the end, on every way out"
    return ""


def _step_words(steps: Sequence[PlanStep], titles: Mapping[str, str]) -> str:
    last = steps[-1]
    marks = [f"once a {last.once}"] if last.once else []
    if isinstance(last.operation, Manual):
        marks = ["a person", *(marks or ["for each host"])]
    if len(steps) == 1 and last.retry is not None and last.retry.attempts > 1:
        marks.append(f"up to {last.retry.attempts} tries")
    if given := given_words(last):
        marks.append(f"secret {given}")
    if back := _restore_words(steps, titles):
        marks.append(back)
    if last.uses:
        used = (name if n == 1 else f"{n} {name}" for name, n in last.uses.items())
        marks.append(f"uses {', '.join(used)}")
    if last.barrier:
        marks.append("barrier")
    words = last.title
    if isinstance(last.operation, Foreach):
        each = last.operation
        marks.append(f"each {each.noun} the host lists, {each.concurrency} at once")
    elif len(steps) > 1:
        parts = [step.key.partition(".")[2] for step in steps]
        words = f"{last.key.partition('.')[0].rpartition('-')[2]} ({', '.join(parts)})"
    return words + (f" [{', '.join(marks)}]" if marks else "")


def _labelled(label: str, texts: Sequence[str]) -> Iterator[str]:
    """Each text behind the label, which is shown once."""
    for index, text in enumerate(texts):
        if text:
            yield f"{_INDENT}{label if not index else '':<{LABEL}}{text}"


def _count(count: int, word: str) -> str:
    return f"1 {word}" if count == 1 else f"{count} {word}s"
