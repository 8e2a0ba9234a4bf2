"""Steps and gates of one phase: what their kinds make of them, the common options laid over."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fleetctl.plan.model import Gate as PlanGate
from fleetctl.plan.model import PlanStep
from fleetctl.plan.restores import with_restores
from fleetctl.playbook.command import shell_of
from fleetctl.playbook.foreach import check_fits, fan_out, fits_items
from fleetctl.playbook.kinds import (
    GateDraft,
    KindContext,
    StepDraft,
    gate_kinds,
    step_kinds,
)
from fleetctl.playbook.limits import uses_of
from fleetctl.playbook.model import Gate, Mistakes, Phase, Step
from fleetctl.playbook.operations import (
    Exec,
    Foreach,
    Listing,
    Manual,
    NamedLimit,
    Once,
    Put,
    Retry,
    SecretSource,
)
from fleetctl.playbook.secrets import with_secrets
from fleetctl.playbook.substitute import check_shell, names_in, parse


class Making(msgspec.Struct, frozen=True):
    """One phase being made: what its steps and gates are compiled with."""

    phase: Phase
    number: int
    """Of the phase in the playbook, from 1: keys keep it when other phases are left out."""
    context: KindContext
    timeout_s: float
    """Deadline of a step that names none."""
    known: Mapping[str, str]
    """Names with one value on all hosts of the phase."""
    mistakes: Mistakes
    secrets: Mapping[str, SecretSource] = msgspec.field(default_factory=dict)
    limits: Mapping[str, NamedLimit] = msgspec.field(default_factory=dict)


def make_steps(making: Making) -> tuple[PlanStep, ...]:
    """Every step of the phase, in order; mistakes are noted."""
    made = [
        (step, _make_step(making, place, step))
        for place, step in enumerate(making.phase.steps, start=1)
    ]
    return with_restores(made, making.mistakes)


def _make_step(making: Making, place: int, step: Step) -> Sequence[PlanStep]:
    drafts = _compiled(making, step)
    if drafts is None or not _options_fit(making, step, drafts):
        return ()
    last = len(drafts) - 1
    key = f"p{making.number}-s{place:02d}-{step.kind}"
    planned: list[PlanStep] = []
    for index, draft in enumerate(drafts):
        made = f"{key}.{draft.part}" if draft.part else key
        planned.append(
            PlanStep(
                key=made,
                title=_readable(making, _title(step, draft, alone=not last)),
                operation=_operation(making, step, draft),
                timeout_s=_timeout_s(making, step, draft),
                retry=_retry(step, draft),
                once=_once(making, step, draft),
                barrier=making.phase.text.lockstep or (step.options.barrier and index == last),
                reads_release=draft.reads_release,
                expects=draft.expects,
                restored_by=made if draft.restores_itself else "",
                undo_last=draft.undo_last,
                undo_reads_release=draft.undo_reads_release,
                leaves=draft.leaves,
                secret=step.options.secret and not isinstance(draft.operation, Listing),
                uses=_uses(making, step, draft),
            )
        )
    return planned


def _uses(making: Making, step: Step, draft: StepDraft) -> dict[str, int] | msgspec.UnsetType:
    """What the step takes of named limits; a foreach step as often as items run at once."""
    each = draft.operation
    uses = uses_of(making.phase, step, each.concurrency if isinstance(each, Foreach) else 1)
    for name, weight in uses.items():
        most = making.limits[name].at_once
        if most and weight > most:
            written = step.written if step.options.uses else making.phase.written
            making.mistakes.add(
                f"the step takes {weight} of {name} on each host, and there are {most}",
                written.at("uses"),
                hint="raise the limit, or let fewer items run at once" if weight > 1 else "",
            )
    return uses or msgspec.UNSET


def _compiled(making: Making, step: Step) -> tuple[StepDraft, ...] | None:
    kind = step_kinds()[step.kind]
    if kind.needs_release and making.context.artifact is None:
        return None  # told once for the phase
    try:
        drafts = kind.compile(step.value, making.context)
        if step.options.foreach is not None:
            if not check_fits(step, drafts, making.mistakes):
                return None
            drafts = fan_out(drafts[0], step.options.foreach)
        for draft in drafts:
            _check_templates(draft)
    except ValueError as error:
        making.mistakes.add(str(error), step.written.at(step.kind))
        return None
    return drafts


def _check_templates(draft: StepDraft) -> None:
    parse(draft.expects)
    if isinstance(draft.operation, Exec):
        found = draft.operation
        for text in (found.act, found.check, found.undo, found.restore):
            check_shell(text)
    elif isinstance(draft.operation, Put):
        parse(draft.operation.dest)


def _options_fit(making: Making, step: Step, drafts: Sequence[StepDraft]) -> bool:
    """Whether the step's own options can be laid over what its kind made."""
    if isinstance(drafts[0].operation, Manual) and not _fits_person(making, step, drafts[0]):
        return False
    if step_kinds()[step.kind].fans_out:
        what = f"a step of kind {step.kind}"
        if not fits_items(step, what, making.mistakes):
            return False
    acts = [draft for draft in drafts if not isinstance(draft.operation, Listing)]
    alone = len(acts) == 1 and isinstance(acts[0].operation, Exec)
    for word in ("check", "undo", "restore", "secrets"):
        if getattr(step.options, word) and not alone:
            making.mistakes.add(
                f"a step of kind {step.kind} takes no {word}",
                step.written.at(word),
                hint=f"take {word} away, or put it on a `run` step",
            )
            return False
    return True


def _fits_person(making: Making, step: Step, draft: StepDraft) -> bool:
    """Whether a person can be asked this, with these options."""
    for word in ("idempotent", "secret"):
        if getattr(step.options, word):
            place = step.written.at(word)
            making.mistakes.add(f"a step a person does takes no {word}", place)
            return False
    varying = _varying(making, draft)
    if step.options.once and varying:
        making.mistakes.add(
            f"asked once a {step.options.once}, it names {{{{{varying[0]}}}}} of a host",
            step.written.at("once"),
            hint="take once away: it is asked for each host then",
        )
        return False
    return True


def _once(making: Making, step: Step, draft: StepDraft) -> Once:
    """What a person does is done once, unless it names the host."""
    if isinstance(draft.operation, Manual) and not _varying(making, draft):
        return step.options.once or "fleet"
    return step.options.once or draft.once


def _varying(making: Making, draft: StepDraft) -> list[str]:
    """Names in what a person is told that are not the same on all hosts of the phase."""
    assert isinstance(draft.operation, Manual)
    return sorted(names_in(draft.operation.texts) - making.known.keys())


def _operation(making: Making, step: Step, draft: StepDraft) -> Any:
    if not isinstance(draft.operation, Exec) or isinstance(draft.operation, Listing):
        return draft.operation
    laid: dict[str, str] = {}
    for word in ("check", "undo", "restore"):
        command = getattr(step.options, word)
        if not command:
            continue
        try:
            laid[word] = shell_of(command)
        except ValueError as error:
            making.mistakes.add(str(error), step.written.at(word))
    operation = msgspec.structs.replace(draft.operation, **laid) if laid else draft.operation
    return with_secrets(operation, step.options.secrets, making.secrets)


def _title(step: Step, draft: StepDraft, *, alone: bool) -> str:
    alone = alone or isinstance(draft.operation, Foreach)
    if not step.options.name:
        return draft.title
    return step.options.name if alone else f"{step.options.name}: {draft.title}"


_NAME = re.compile(r"\{\{ *([a-z]+\.[A-Za-z0-9_.-]+) *\}\}")


def _readable(making: Making, title: str) -> str:
    """The title with the names put in that mean the same on every host."""
    return _NAME.sub(lambda found: making.known.get(found[1], found[0]), title)


def _timeout_s(making: Making, step: Step, draft: StepDraft) -> float:
    if step.options.timeout is not None and not isinstance(draft.operation, Listing):
        return float(step.options.timeout)
    return making.timeout_s if draft.timeout_s is None else draft.timeout_s


def _retry(step: Step, draft: StepDraft) -> Retry | None:
    """An idempotent step always has one: it is also what allows running it after an unknown end."""
    if isinstance(draft.operation, Listing):
        return draft.retry
    if step.retry is not None:
        wanted = step.retry
        return Retry(wanted.attempts, float(wanted.delay), wanted.factor, float(wanted.delay_max))
    return Retry(attempts=1) if step.options.idempotent and not draft.retry else draft.retry


def make_gates(making: Making) -> tuple[PlanGate, ...]:
    """Every gate of the phase, in order; mistakes are noted."""
    return tuple(
        planned
        for place, gate in enumerate(making.phase.gates, start=1)
        for planned in _make_gate(making, place, gate)
    )


def _make_gate(making: Making, place: int, gate: Gate) -> Sequence[PlanGate]:
    try:
        drafts = gate_kinds()[gate.kind].compile(gate.value, making.context)
    except ValueError as error:
        making.mistakes.add(str(error), gate.written.at(gate.kind))
        return ()
    key = f"p{making.number}-g{place:02d}-{gate.kind}"
    return [
        _laid_over(making, gate, draft, f"{key}.{index}" if len(drafts) > 1 else key)
        for index, draft in enumerate(drafts, start=1)
    ]


def _laid_over(making: Making, gate: Gate, draft: GateDraft, key: str) -> PlanGate:
    options = gate.options
    return PlanGate(
        key=key,
        title=_readable(making, options.name or draft.title),
        probe=draft.probe,
        when=options.when or draft.when,
        timeout_s=draft.timeout_s if options.timeout is None else float(options.timeout),
        interval_s=draft.interval_s if options.interval is None else float(options.interval),
        soak_s=draft.soak_s if options.soak is None else float(options.soak),
    )
