"""The plan of a rehearsal: the very plan at the lab's addresses, stand-ins for commands. Pure.

Phases, batches, budgets, limits, floors, keys and titles stay as they are. No text of the playbook
is left in it but those that are to be run `--real`, and nobody is told of the run.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import msgspec
from msgspec.structs import replace

from fleetctl.base.errors import InternalError, UsageError
from fleetctl.inventory.model import Host
from fleetctl.plan.model import Gate, Plan, PlanPhase, PlanStep
from fleetctl.playbook.operations import (
    Approval,
    Exec,
    Foreach,
    HostProbe,
    HttpProbe,
    Listing,
    LocalProbe,
    Manual,
    NamedLimit,
    Operation,
    Pause,
    Probe,
    Put,
    TcpProbe,
)
from fleetctl.playbook.substitute import shell_template_of

PROGRAM = 'sh "$HOME/rehearsal/standin.sh"'
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
CONNECT_FAST_S = 2.0
"""How long a connection may take when waits are shortened: a frozen host costs many."""
_INTERVAL_LEAST_S = 0.05


class Stub(msgspec.Struct, frozen=True):
    """The small file that is uploaded in place of every other."""

    path: str
    sha256: str
    size: int


class Staging(msgspec.Struct, frozen=True):
    """How a rehearsal is played."""

    stub: Stub
    seconds: Callable[[PlanPhase, PlanStep], float]
    """How long a stand-in takes for a step."""
    fast: float = 1.0
    """Every wait is divided by it."""
    real: tuple[str, ...] = ()
    """Globs of titles, keys and texts that are run as they are."""
    items: tuple[str, ...] = ("item-1", "item-2", "item-3")
    """What a foreach step goes over on each host."""


class Stood(msgspec.Struct):
    """What became of the texts."""

    replaced: list[str] = msgspec.field(default_factory=list)
    real: list[str] = msgspec.field(default_factory=list)


def twin_of(
    plan: Plan, hosts: Mapping[str, Host], known_hosts: str, staging: Staging
) -> tuple[Plan, Stood]:
    """The plan for the lab's `hosts`, and which steps and gates are stand-ins in it.

    Raises InternalError for a host that is not on the loopback network.
    """
    stood = Stood()
    twin = replace(
        plan,
        hosts={name: _at_lab(hosts[name], staging.fast) for name in plan.hosts},
        known_hosts=known_hosts,
        phases=tuple(_phase(phase, staging, stood) for phase in plan.phases),
        live={},
        inputs={},
        channels=(),
        limits=_limits(plan, staging.fast),
    )
    return twin, stood


def _limits(plan: Plan, fast: float) -> Mapping[str, NamedLimit] | msgspec.UnsetType:
    if plan.limits is msgspec.UNSET:
        return msgspec.UNSET
    return {name: replace(limit, per_s=limit.per_s * fast) for name, limit in plan.limits.items()}


def _at_lab(host: Host, fast: float) -> Host:
    if ipaddress.ip_address(host.address) not in _LOOPBACK or host.login.transport != "ssh":
        raise InternalError(f"{host.name} of a rehearsal is at {host.address}, no lab address")
    if fast == 1.0:
        return host
    timeout_s = min(host.login.connect_timeout_s, CONNECT_FAST_S)
    return replace(host, login=replace(host.login, connect_timeout_s=timeout_s))


def _phase(phase: PlanPhase, staging: Staging, stood: Stood) -> PlanPhase:
    return replace(
        phase,
        steps=tuple(_step(phase, step, staging, stood) for step in phase.steps),
        gates=tuple(_gate(gate, staging, stood) for gate in phase.gates),
        throttle_per_min=phase.throttle_per_min * staging.fast,
        already=(),
    )


def _step(phase: PlanPhase, step: PlanStep, staging: Staging, stood: Stood) -> PlanStep:
    operation = step.operation
    if isinstance(operation, Pause):
        return replace(step, operation=Pause(operation.seconds / staging.fast))
    if isinstance(operation, Manual):
        return step
    if isinstance(operation, Put):
        stub = staging.stub
        operation = Put(stub.path, stub.sha256, stub.size, f"rehearsal/files/{step.key}")
        return replace(step, operation=operation)
    if _is_real(step.title, step.key, operation.act, staging):
        if getattr(operation, "secrets", ()):
            raise UsageError(f"{step.title} is given secrets, and a rehearsal reads none",
                             where="--real", hint="rehearse it with its stand-in")  # fmt: skip
        stood.real.append(step.title)
        return step
    stood.replaced.append(step.title)
    taking_s = staging.seconds(phase, step) / staging.fast
    return replace(step, operation=_acted(step, operation, taking_s, staging))


def _is_real(title: str, key: str, text: str, staging: Staging) -> bool:
    words = (title, key, key.partition(".")[0], text)
    return any(fnmatchcase(word, glob) for glob in staging.real for word in words)


def _acted(step: PlanStep, operation: Exec, taking_s: float, staging: Staging) -> Operation:
    said = step.expects if step.reads_release else f"stand-in for: {step.key}"
    if isinstance(operation, Listing):
        return Listing(_call("list", step.key, 0.0, "\n".join(staging.items)))
    item = ["{{item}}"] if isinstance(operation, Foreach) else []
    texts = {
        word: _call(word, step.key, taking_s, said, *item) if text or word == "act" else ""
        for word, text in (
            ("act", operation.act),
            ("check", operation.check),
            ("undo", operation.undo),
            ("restore", operation.restore),
        )
    }
    if isinstance(operation, Foreach):
        return replace(operation, **texts, secrets=())
    return Exec(**texts)


def _call(word: str, key: str, taking_s: float, *more: str) -> str:
    return f"{PROGRAM} {shell_template_of([word, key, f'{taking_s:.3f}', *more])}"


def _gate(gate: Gate, staging: Staging, stood: Stood) -> Gate:
    probe = gate.probe
    interval_s = max(_INTERVAL_LEAST_S, gate.interval_s / staging.fast)
    gate = replace(gate, interval_s=interval_s, soak_s=gate.soak_s / staging.fast)
    if isinstance(probe, Approval | Manual):
        return gate
    if isinstance(probe, HostProbe) and _is_real(gate.title, gate.key, probe.script, staging):
        stood.real.append(gate.title)
        return gate
    stood.replaced.append(gate.title)
    return replace(gate, probe=_probe(gate, probe))


def _probe(gate: Gate, probe: Probe) -> HostProbe:
    """Whoever was asked, over whatever: the host of the lab is, and nobody else."""
    assert isinstance(probe, HostProbe | HttpProbe | TcpProbe | LocalProbe)
    word = "disk" if gate.key.partition(".")[0].endswith("-disk") else "gate"
    return HostProbe(_call(word, gate.key, 0.0))
