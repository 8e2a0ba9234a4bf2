"""playbook x fleet x releases -> Plan: the one place where what will be done is decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from fleetctl.base.errors import InputError, InputErrors, UsageError
from fleetctl.base.names import did_you_mean
from fleetctl.inventory.model import Fleet, Host
from fleetctl.inventory.select import pick
from fleetctl.plan.bounds import guards_of, run_budget
from fleetctl.plan.estimate import estimate
from fleetctl.plan.manual import make_hostless, reached_of
from fleetctl.plan.model import Plan, PlanPhase
from fleetctl.plan.names import check_given
from fleetctl.plan.phases import Chosen, check_pinned, make_phase
from fleetctl.plan.render import text_of
from fleetctl.plan.request import PlanRequest
from fleetctl.plan.skew import check_order
from fleetctl.playbook.model import Mistakes, Phase

KEEPERS = 3
"""Hosts of a tier that keep its lease where the fleet has no bastion: one may be down."""


def compile_plan(request: PlanRequest) -> Plan:
    """The plan; raises InputError(s) for the playbook's mistakes, UsageError for the request's."""
    check_given(request.variables, request)
    if request.playbook.selection == "required" and request.hosts is None:
        raise UsageError(
            "this playbook works on the hosts you name, and none are named",
            where=request.playbook.file,
            hint="say --tier, --host, --tag or --limit",
        )
    mistakes = Mistakes()
    chosen = _choose(request, mistakes)
    if not mistakes.errors and not chosen:
        raise UsageError(
            "no phase of the playbook works on the selected hosts",
            where=request.playbook.file,
            hint="compare the phases' `hosts:` with your selection",
        )
    if not mistakes.errors:
        check_pinned(request, chosen)
    run_size = len({name for _, _, names in chosen for name in names})
    kept = {phase.name for _, phase, _ in chosen}
    made = [
        (make_phase if each[2] else make_hostless)(
            request, each, _needs(each[1].name, request, kept), run_size, mistakes
        )
        for each in chosen
    ]
    check_order(request.playbook.phases, made, mistakes)
    if mistakes.errors:
        errors = mistakes.errors
        raise errors[0] if len(errors) == 1 else InputErrors(errors)
    return _assemble(request, [phase for phase in made if phase], run_size)


def _choose(request: PlanRequest, mistakes: Mistakes) -> list[Chosen]:
    """The phases that have hosts under the request's restrictions."""
    only = request.phases
    names = [phase.name for phase in request.playbook.phases]
    for name in only or ():
        if name not in names:
            hint = did_you_mean(name, names)
            raise UsageError(f'no phase "{name}"', where=request.playbook.file, hint=hint)
    restriction = None if request.hosts is None else frozenset(request.hosts)
    chosen: list[Chosen] = []
    for number, phase in enumerate(request.playbook.phases, start=1):
        picked = _pick(request, phase, mistakes)
        if only is not None and phase.name not in only:
            continue
        if phase.hosts is None and restriction is None:
            chosen.append((number, phase, []))
        hosts = picked if restriction is None else [h for h in picked if h in restriction]
        if hosts:
            chosen.append((number, phase, hosts))
    return chosen


def _pick(request: PlanRequest, phase: Phase, mistakes: Mistakes) -> list[str]:
    """The hosts of the phase's selector; a selector that picks none is a mistake."""
    if phase.hosts is None:
        return []
    place = phase.written.at("hosts")
    try:
        hosts = pick(request.fleet, phase.hosts, request.read_file)
    except InputErrors as errors:
        mistakes.extend(errors.errors)
        return []
    except InputError as error:
        mistakes.extend([error])
        return []
    if not hosts:
        why = "each term matches hosts, but no host satisfies all of them"
        mistakes.add(f'"{phase.text.hosts}" picks no host', place, why=why)
    return hosts


def _needs(name: str, request: PlanRequest, kept: set[str]) -> tuple[str, ...]:
    """The phase's needs; one that is left out is replaced by what it needs itself."""
    all_needs = {phase.name: phase.needs for phase in request.playbook.phases}
    found: dict[str, None] = {}
    pending, seen = list(reversed(all_needs[name])), set()
    while pending:
        need = pending.pop()
        if need in kept:
            found[need] = None
        elif need not in seen:
            seen.add(need)
            pending.extend(reversed(all_needs[need]))
    return tuple(found)


def _assemble(request: PlanRequest, phases: Sequence[PlanPhase], run_size: int) -> Plan:
    fleet = request.fleet
    names = {name for phase in phases for batch in phase.batches for name in batch}
    tiers = {fleet.hosts[name].tier for name in reached_of(phases)}
    guards = guards_of(fleet, tiers)
    looked_at = {host for guard in guards if guard.floor > 0 for host in guard.hosts}
    keepers = keepers_of(fleet, tiers)
    kept_on = {host for hosts in keepers.values() for host in hosts}
    variables = {name: text_of(value) for name, value in request.playbook.variables.items()}
    plan = Plan(
        fleet=fleet.name,
        title=request.playbook.title,
        hosts=_with_bastions(fleet.hosts, names | looked_at | kept_on),
        phases=tuple(phases),
        guards=guards,
        budget=run_budget(request.playbook.budget, phases, request.overrides, run_size),
        releases={
            tier: request.releases[tier] for tier in fleet.tiers
            if tier in tiers and tier in request.releases
        },
        live={name: request.live[name] for name in fleet.hosts
              if name in names and name in request.live},
        inputs=dict(request.inputs),
        fanout=request.overrides.fanout,
        known_hosts=fleet.known_hosts,
        keepers=keepers,
        carried_on=carriers_of(fleet, tiers),
        variables={**variables, **request.variables},
        limits=request.playbook.limits or msgspec.UNSET,
        exact={name: request.exact[name] for name in fleet.hosts
               if name in names and name in request.exact} or msgspec.UNSET,
        channels=request.playbook.channels,
    )  # fmt: skip
    return _with_estimate(plan, request)


def keepers_of(fleet: Fleet, tiers: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Tier -> where its lease is kept: the bastions, which all see; else its first hosts.

    The same for every plan of the fleet, whichever hosts it works on.
    """
    return {tier: fleet.bastions or fleet.tiers[tier].hosts[:KEEPERS] for tier in sorted(tiers)}


def carriers_of(fleet: Fleet, tiers: Iterable[str]) -> tuple[str, ...]:
    """Where the journal of a run on these tiers is carried to: few of those that keep leases.

    Without a bastion only when the inventory says so: what steps said would lie on hosts that are
    there for something else.
    """
    if not (bool(fleet.bastions) if fleet.carry is None else fleet.carry):
        return ()
    hosts = (host for kept_on in keepers_of(fleet, tiers).values() for host in kept_on)
    return tuple(dict.fromkeys(hosts))[:KEEPERS]


def _with_estimate(plan: Plan, request: PlanRequest) -> Plan:
    guess = estimate(plan, request.history)
    return msgspec.structs.replace(plan, estimate_s=guess.seconds, estimate_basis=guess.basis)


def _with_bastions(hosts: Mapping[str, Host], names: set[str]) -> dict[str, Host]:
    """The named hosts in inventory order, and all they are reached through."""
    wanted = set(names)
    for name in names:
        via = hosts[name].login.via
        while via and via not in wanted:
            wanted.add(via)
            via = hosts[via].login.via
    return {name: host for name, host in hosts.items() if name in wanted}
