"""A plan's texts for one host: the templates of steps and gates with the values put in. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from fleetctl.base.errors import InternalError
from fleetctl.inventory.model import Host, Scalar
from fleetctl.plan.model import Gate, Plan, PlanPhase, PlanStep
from fleetctl.playbook.operations import (
    OF_LOGIN,
    Approval,
    Exec,
    HostProbe,
    HttpProbe,
    LocalProbe,
    Manual,
    Pause,
    Probe,
    Put,
    TcpProbe,
)
from fleetctl.playbook.substitute import Values, fill_argv, fill_plain, fill_shell, fill_url

SSH_PORT = 22


def render_step(
    plan: Plan, phase: PlanPhase, step: PlanStep, host: str
) -> Exec | Put | Pause | Manual:
    """The step's operation for `host`."""
    operation = step.operation
    if isinstance(operation, Pause):
        return operation
    values = values_of(plan, plan.hosts[host])
    if isinstance(operation, Manual):
        return _filled(operation, values)
    if isinstance(operation, Put):
        return msgspec.structs.replace(operation, dest=fill_plain(operation.dest, values))
    return msgspec.structs.replace(
        operation,
        act=fill_shell(operation.act, values),
        check=fill_shell(operation.check, values),
        undo=fill_shell(operation.undo, values),
        restore=fill_shell(operation.restore, values),
    )


def render_expects(plan: Plan, phase: PlanPhase, step: PlanStep, host: str) -> str:
    """What a step that reads the live release back must read on `host`."""
    return fill_plain(step.expects, values_of(plan, plan.hosts[host]))


def render_probe(plan: Plan, gate: Gate, host: str | None) -> Probe:
    """The gate's probe for `host`; None for what is asked once (approval, a local command)."""
    values = values_of(plan, plan.hosts[host] if host is not None else None)
    probe = gate.probe
    match probe:
        case HostProbe():
            return HostProbe(script=fill_shell(probe.script, values))
        case LocalProbe():
            return msgspec.structs.replace(probe, argv=fill_argv(probe.argv, values))
        case HttpProbe():
            contains = fill_plain(probe.contains, values)
            url = fill_url(probe.url, values)
            return msgspec.structs.replace(probe, url=url, contains=contains)
        case TcpProbe():
            template = probe.address or "{{host.address}}"
            port = probe.port
            if port == OF_LOGIN and host is not None:
                port = plan.hosts[host].login.port or SSH_PORT
            return TcpProbe(port, fill_plain(template, values))
        case Manual():
            return _filled(probe, values)
        case Approval():
            question = fill_plain(probe.question, values)
            return msgspec.structs.replace(probe, question=question)


def _filled(operation: Manual, values: Values) -> Manual:
    return msgspec.structs.replace(
        operation,
        text=fill_plain(operation.text, values),
        boxes=tuple(fill_plain(box, values) for box in operation.boxes),
        command=fill_plain(operation.command, values),
    )


def values_of(plan: Plan, host: Host | None) -> Values:
    """The value of every name the compiler let pass."""

    def value(name: str) -> str:
        found = _value(plan, host, name)
        if found is None:
            whose = f" on {host.name}" if host else ""
            raise InternalError(f"{{{{{name}}}}} has no value{whose}, and the compiler let it pass")
        return found

    return value


_OF_HOST: dict[str, Callable[[Host], str]] = {
    "host.name": lambda host: host.name,
    "host.address": lambda host: host.address,
    "tier.name": lambda host: host.tier,
}


def _value(plan: Plan, host: Host | None, name: str) -> str | None:
    root, _, key = name.partition(".")
    if name == "fleet.name":
        return plan.fleet
    if root == "var" and key in plan.variables:
        return plan.variables[key]
    if name == "release.id":
        return _release(plan, host)
    if host is None:
        return None
    if name in _OF_HOST:
        return _OF_HOST[name](host)
    if root == "tag":
        return host.tags.get(key)
    if root == "pools":
        said = None if host.pools is None else getattr(host.pools, key)
        return said and fill_plain(said, values_of(plan, host))
    own = host.variables.get(key)
    return None if own is None else text_of(own)


def _release(plan: Plan, host: Host | None) -> str | None:
    if host is not None:
        return plan.release_of(host)
    ids = set(plan.releases.values())
    return ids.pop() if len(ids) == 1 else None


def text_of(value: Scalar | Any) -> str:
    """A variable as text: booleans as YAML writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
