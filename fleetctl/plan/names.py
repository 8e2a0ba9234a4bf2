"""Whether every name a phase uses has a value on every host of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fleetctl.base.errors import UsageError
from fleetctl.base.hostrange import fold
from fleetctl.base.names import did_you_mean, sounds_secret
from fleetctl.inventory.model import Host
from fleetctl.plan.render import text_of
from fleetctl.plan.request import PlanRequest
from fleetctl.playbook.model import Mistakes, Phase, Used
from fleetctl.playbook.substitute import names_in


def check_names(
    phase: Phase, hosts: Sequence[Host], request: PlanRequest, mistakes: Mistakes
) -> None:
    """Note every name without a value somewhere, once a place."""
    for used in dict.fromkeys(_unfolded(phase, hosts, mistakes)):
        root, _, key = used.name.partition(".")
        if root == "tag":
            without = [host for host in hosts if key not in host.tags]
            known: set[str] = {tag for host in hosts[:1000] for tag in host.tags}
        elif root == "var":
            without = [] if _given(key, request) else _lacking(key, hosts)
            known = {*request.playbook.variables, *request.variables}
            known.update(name for host in hosts[:1000] for name in host.variables)
        elif root == "pools":
            without = [host for host in hosts if host.pools is None]
            known = set()
        elif used.name == "release.id":
            without = [host for host in hosts if not request.release_of(host)]
            known = set()
        else:
            continue
        if without:
            _tell(used, without, hosts, known, mistakes)


def _unfolded(phase: Phase, hosts: Sequence[Host], mistakes: Mistakes) -> Iterator[Used]:
    """The names a phase uses, and those that stand in what `pools` of the inventory says."""
    for used in dict.fromkeys(phase.used):
        yield used
        root, _, key = used.name.partition(".")
        if root != "pools":
            continue
        for said in sorted({getattr(host.pools, key) for host in hosts if host.pools}):
            try:
                inside = names_in([said])
            except ValueError as error:
                mistakes.add(f"{key} of `pools` in the inventory: {error}", used.location)
                continue
            for name in sorted(inside):
                if name.startswith("pools."):
                    mistakes.add(f"{key} of `pools` says {said}, itself", used.location)
                else:
                    yield Used(name, used.location)


def check_names_without_hosts(phase: Phase, request: PlanRequest, mistakes: Mistakes) -> None:
    """Note every name that has a value on a host only."""
    for used in dict.fromkeys(phase.used):
        root, _, key = used.name.partition(".")
        if used.name == "fleet.name" or (root == "var" and _given(key, request)):
            continue
        mistakes.add(
            f"{{{{{used.name}}}}} has no value: phase {phase.name} names no hosts",
            used.location,
            hint="add `hosts: SELECTOR` to the phase, or give the variable in the playbook",
        )


def _given(key: str, request: PlanRequest) -> bool:
    return key in request.playbook.variables or key in request.variables


def _lacking(key: str, hosts: Sequence[Host]) -> list[Host]:
    seen: dict[int, bool] = {}
    lacking: list[Host] = []
    for host in hosts:  # hosts of a tier often share one mapping
        shared = id(host.variables)
        if shared not in seen:
            seen[shared] = key in host.variables
        if not seen[shared]:
            lacking.append(host)
    return lacking


def _tell(
    used: Used, without: Sequence[Host], hosts: Sequence[Host], known: set[str], mistakes: Mistakes
) -> None:
    root, _, key = used.name.partition(".")
    if root == "release":
        tiers = sorted({host.tier for host in without})
        mistakes.add(
            f"{{{{release.id}}}} has no value: no release for tier {', '.join(tiers)}",
            used.location,
            hint=f"fleetctl releases pin {tiers[0]} RELEASE, or --release RELEASE",
        )
        return
    if root == "pools":
        tiers = sorted({host.tier for host in without})
        mistakes.add(
            f"no daemon pools are kept on tier {', '.join(tiers)}",
            used.location,
            hint=f"say `pools:` in tier {tiers[0]} of the inventory, or leave it out of the phase",
        )
        return
    where = "any host" if len(without) == len(hosts) else fold(host.name for host in without[:500])
    hint = did_you_mean(key, known) if known else ""
    mistakes.add(f"{{{{{used.name}}}}} has no value on {where}", used.location, hint=hint)


def same_everywhere(phase: Phase, hosts: Sequence[Host], request: PlanRequest) -> dict[str, str]:
    """Names the phase uses that have one value on all its hosts: titles show them filled in.

    Not those that sound secret: titles are printed and kept.
    """
    known: dict[str, str] = {"fleet.name": request.fleet.name}
    for name in dict.fromkeys(used.name for used in phase.used):
        root, _, key = name.partition(".")
        if sounds_secret(key):
            continue
        if name == "release.id":
            found: set[object] = {request.release_of(host) for host in hosts}
        elif root == "var" and key in request.variables:
            found = {request.variables[key]}
        elif root == "var" and key in request.playbook.variables:
            found = {request.playbook.variables[key]}
        elif root == "var":
            found = {host.variables.get(key) for host in hosts}
        else:
            continue
        value = found.pop() if found else None
        if value is not None and not found:
            known[name] = text_of(value)
    return known


def check_given(variables: Mapping[str, str], request: PlanRequest) -> None:
    """A variable given on the command line must be one the playbook knows; raises UsageError."""
    known = set(request.playbook.variables)
    for phase in request.playbook.phases:
        known.update(used.name[4:] for used in phase.used if used.name.startswith("var."))
    for name in variables:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(f'the playbook uses no variable "{name}"', hint=hint)
