"""One phase of a plan: its hosts in batches, its steps and gates, what it may touch and lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from fleetctl.base.errors import InputError
from fleetctl.base.hostrange import fold
from fleetctl.inventory.model import Host, Tier
from fleetctl.plan.batches import divide
from fleetctl.plan.bounds import batch_caps, phase_budget, phase_limit, throttle_per_min
from fleetctl.plan.drafts import Making, make_gates, make_steps
from fleetctl.plan.model import PlanPhase, PlanStep
from fleetctl.plan.names import check_names, same_everywhere
from fleetctl.plan.request import PlanRequest
from fleetctl.plan.skew import guard_of
from fleetctl.playbook.kinds import Artifact, KindContext, step_kinds
from fleetctl.playbook.model import Mistakes, Phase
from fleetctl.playbook.operations import Manual
from fleetctl.playbook.source import FailureText

_WORDS: Mapping[str, Literal["continue", "rollback"]] = {"leave": "continue", "undo": "rollback"}
Chosen = tuple[int, Phase, list[str]]
"""A phase that has hosts: its number in the playbook, itself, its hosts in inventory order."""


def make_phase(
    request: PlanRequest,
    each: Chosen,
    needs: tuple[str, ...],
    run_size: int,
    mistakes: Mistakes,
) -> PlanPhase | None:
    """The phase for its hosts; None with its mistakes noted. `run_size`: hosts of the whole run."""
    number, phase, names = each
    fleet = request.fleet
    hosts = [fleet.hosts[name] for name in names]
    tiers = {tier: fleet.tiers[tier] for tier in dict.fromkeys(host.tier for host in hosts)}
    before = len(mistakes.errors)
    check_names(phase, hosts, request, mistakes)
    _check_shards(phase, hosts, mistakes)
    if any(step.kind != "manual" for step in phase.steps):
        _check_caps(request, phase, batch_caps(tiers), mistakes)
    artifact = _artifact(request, phase, hosts, mistakes)
    context = KindContext(request.playbook.folder, artifact, request.measure)
    timeout_s = max(tier.timeout_s for tier in tiers.values())
    known = same_everywhere(phase, hosts, request)
    book = request.playbook
    making = Making(
        phase, number, context, timeout_s, known, mistakes, book.secrets, book.limits
    )  # fmt: skip
    steps, gates = make_steps(making), make_gates(making)
    if artifact is None:
        _check_reports(request, phase, steps, list(tiers), mistakes)
    guard = guard_of(phase, artifact, mistakes)
    if len(mistakes.errors) > before:
        return None
    release = artifact.release if artifact else ""
    batches, limit, throttle = _pace(request, phase, hosts, tiers, steps)
    planned = PlanPhase(
        name=phase.name,
        needs=needs,
        batches=batches,
        steps=steps,
        gates=gates,
        budget=phase_budget(
            phase, len(hosts), request.playbook.budget, request.overrides, run_size
        ),
        limit=limit,
        throttle_per_min=throttle,
        release=release,
        already=tuple(n for n in names if release and request.live.get(n) == release),
        schema=guard,
    )
    return _with_failure(planned, phase.failure)


def _with_failure(phase: PlanPhase, failure: FailureText) -> PlanPhase:
    return msgspec.structs.replace(
        phase,
        on_failure=_WORDS.get(failure.host, failure.host),
        batch_failure=failure.batch,
        ask_within_s=float(failure.within),
        ask_default=failure.default,
    )


def _pace(
    request: PlanRequest,
    phase: Phase,
    hosts: Sequence[Host],
    tiers: Mapping[str, Tier],
    steps: Sequence[PlanStep],
) -> tuple[tuple[tuple[str, ...], ...], int, float]:
    """Batches, hosts at once, starts a minute. Bounds are for changes: gates alone know none."""
    if not steps:
        return (tuple(host.name for host in hosts),), len(hosts), 0.0
    each = list(tiers.values())
    ramp = request.overrides.batch or phase.text.batches or ()
    by_hand = all(isinstance(step.operation, Manual) for step in steps)
    return (
        divide(hosts, ramp, {} if by_hand else batch_caps(tiers)),
        phase_limit(phase, steps, len(hosts), each, request.overrides),
        throttle_per_min(phase, each, request.overrides),
    )


def _artifact(
    request: PlanRequest, phase: Phase, hosts: Sequence[Host], mistakes: Mistakes
) -> Artifact | None:
    """The one release a phase that deploys gives to all its tiers; None when it deploys none."""
    step = next((s for s in phase.steps if step_kinds()[s.kind].needs_release), None)
    if step is None:
        return None
    place = step.written.location
    releases = {host.tier: request.release_of(host) for host in hosts}
    without = [tier for tier, release in releases.items() if release is None]
    if without:
        mistakes.add(
            f"phase {phase.name} deploys, and no release is pinned for tier {', '.join(without)}",
            place,
            hint=f"fleetctl releases pin {without[0]} RELEASE, or name one with --release",
        )
        return None
    wanted = {release for host in hosts if (release := request.release_of(host)) is not None}
    if len(wanted) > 1:
        mistakes.add(
            f"phase {phase.name} would deploy several releases",
            place,
            why=", ".join(f"{tier}: {release}" for tier, release in releases.items()),
            hint="make it a phase for each, or pin the same release",
        )
        return None
    return request.artifact(wanted.pop())


def check_pinned(request: PlanRequest, chosen: Sequence[Chosen]) -> None:
    """Raise InputError when several phases lack a pin: one thing to do, so one mistake to tell."""
    lacking: dict[str, None] = {}
    phases: list[Phase] = []
    for _, phase, names in chosen:
        hosts = [request.fleet.hosts[name] for name in names]
        without = sorted({host.tier for host in hosts if request.release_of(host) is None})
        if without and any(step_kinds()[step.kind].needs_release for step in phase.steps):
            lacking.update(dict.fromkeys(without))
            phases.append(phase)
    if len(phases) > 1:
        everything = not request.releases
        raise InputError(
            f"no release is pinned for {'any tier' if everything else ', '.join(lacking)}",
            phases[0].written.location,
            why=f"phases {', '.join(phase.name for phase in phases)} deploy",
            hint=f"fleetctl releases pin {'all' if everything else ','.join(lacking)} RELEASE, "
            "or name one with --release",
        )


def _check_reports(
    request: PlanRequest,
    phase: Phase,
    steps: Sequence[PlanStep],
    tiers: Sequence[str],
    mistakes: Mistakes,
) -> None:
    """What is read back is compared with what is pinned."""
    without = [tier for tier in tiers if tier not in request.releases]
    if without and any("release.id" in step.expects for step in steps):
        words = ", ".join(without)
        mistakes.add(
            f"phase {phase.name} reads back what runs, and no release is pinned for tier {words}",
            phase.written.at("steps"),
            hint=f"fleetctl releases pin {without[0]} RELEASE, or take `reports` away",
        )


def _check_shards(phase: Phase, hosts: Sequence[Host], mistakes: Mistakes) -> None:
    for step in phase.steps:
        without = [h.name for h in hosts if not h.tags.get("shard")]
        if step.options.once == "shard" and without:
            hint = "give them a tag `shard`, or say once: batch"
            names = fold(without[:500])
            mistakes.add(f"once: shard, but no shard is known of {names}", step.written.at("once"),
                         hint=hint)  # fmt: skip


def _check_caps(
    request: PlanRequest, phase: Phase, caps: Mapping[str, int], mistakes: Mistakes
) -> None:
    for tier, cap in caps.items():
        if cap < 1:
            size = len(request.fleet.tiers[tier].hosts)
            mistakes.add(
                f"tier {tier} may lose no host: its floor is {size} of {size}",
                phase.written.at("hosts"),
                hint=f"lower the floor of tier {tier} in {request.fleet.source}",
            )
