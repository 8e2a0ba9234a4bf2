"""The plan of a rehearsal: what stays of the real one, and that none of its texts does."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fleetctl.base.errors import InternalError, UsageError
from fleetctl.inventory.model import Host, Login
from fleetctl.lab.rehearsal.twin import PROGRAM, Staging, Stood, Stub, twin_of
from fleetctl.plan.model import Plan
from fleetctl.playbook.operations import (
    Approval,
    Exec,
    Foreach,
    HostProbe,
    Listing,
    Pause,
    Put,
    SecretExec,
)
from tests.lab.rehearsal.plans import a_plan

STUB = Stub("/tmp/stub", "2" * 64, 10)
LAB = Login(port=2222, user="deploy")


def staging(**changes: object) -> Staging:
    """Steps take a minute."""
    return replace(Staging(STUB, lambda phase, step: 60.0), **changes)


def hosts_of(plan: Plan) -> dict[str, Host]:
    """The same names on the loopback network."""
    return {
        name: Host(name, host.tier, f"127.9.0.{number}", LAB)
        for number, (name, host) in enumerate(plan.hosts.items(), 1)
    }


def twin(**changes: object) -> tuple[Plan, Plan, Stood]:
    """The plan, its twin, and what became of the texts."""
    plan = a_plan()
    return plan, *twin_of(plan, hosts_of(plan), "/lab/known_hosts", staging(**changes))


def test_nothing_but_stand_ins_is_left_to_be_run() -> None:
    """Every text of a step or gate calls the stand-in; nothing is asked from this machine."""
    _, made, stood = twin()
    texts = []
    for phase in made.phases:
        for step in phase.steps:
            operation = step.operation
            if isinstance(operation, Exec):
                texts += [operation.act, operation.check, operation.undo, operation.restore]
            elif isinstance(operation, Put):
                assert (operation.source, operation.size) == (STUB.path, STUB.size)
                assert operation.dest.startswith("rehearsal/files/")
            else:
                assert isinstance(operation, Pause)
        for gate in phase.gates:
            assert isinstance(gate.probe, HostProbe | Approval)
            if isinstance(gate.probe, HostProbe):
                texts.append(gate.probe.script)
    said = [text for text in texts if text]
    assert len(said) > 10
    assert all(text.startswith(PROGRAM) for text in said)
    everything = "\n".join(said)
    assert all(w not in everything for w in ("rm -rf", "systemctl", "curl", "/srv", "admin"))
    assert stood.real == []
    assert "upgrade the schema" in stood.replaced


def test_the_shape_of_the_push_stays() -> None:
    """Phases, batches, keys, titles, barriers, budgets, retries, bounds: as they were."""
    plan, made, _ = twin()
    for before, after in zip(plan.phases, made.phases, strict=True):
        assert [(s.key, s.title, s.timeout_s, s.retry) for s in before.steps] == [
            (s.key, s.title, s.timeout_s, s.retry) for s in after.steps
        ]
        pairs = zip(before.steps, after.steps, strict=True)
        assert all(isinstance(b.operation, type(a.operation)) for b, a in pairs)
        assert not any(isinstance(a.operation, SecretExec) for a in after.steps)
        assert [(g.key, g.title, g.timeout_s) for g in before.gates] == [
            (g.key, g.title, g.timeout_s) for g in after.gates
        ]
        same = ("name", "needs", "batches", "budget", "limit", "throttle_per_min", "release")
        assert all(getattr(before, name) == getattr(after, name) for name in same)
    assert (made.guards, made.budget, made.releases) == (plan.guards, plan.budget, plan.releases)
    assert made.known_hosts == "/lab/known_hosts"
    assert plan.channels
    assert made.channels == ()


def test_a_release_is_read_back_as_planned_and_items_are_listed() -> None:
    """The stand-in that reads back says what is expected; a list has as many items as asked."""
    _, made, _ = twin(items=("a", "b"))
    steps = {step.key: step for phase in made.phases for step in phase.steps}
    verify = next(step for step in steps.values() if step.reads_release)
    assert isinstance(verify.operation, Exec)
    assert "{{release.id}}" in verify.operation.act
    listing = next(s.operation for s in steps.values() if isinstance(s.operation, Listing))
    each = next(s.operation for s in steps.values() if isinstance(s.operation, Foreach))
    assert "'a\nb'" in listing.act
    assert each.act.endswith("'{{item}}'")


def test_fast_shortens_every_wait_and_nothing_else() -> None:
    """Pauses, soaks, tries of a gate, throttles and commands by 60; deadlines stay."""
    plan, made, _ = twin(fast=60.0)
    phase = made.phases[0]
    pause = next(s.operation for s in phase.steps if isinstance(s.operation, Pause))
    http = next(gate for gate in phase.gates if gate.key.endswith("http"))
    upgrade = next(step for step in phase.steps if step.title == "upgrade the schema")
    assert isinstance(upgrade.operation, Exec)
    assert (pause.seconds, http.soak_s, http.interval_s) == (1.0, 1.0, 0.1)
    assert phase.throttle_per_min == plan.phases[0].throttle_per_min * 60
    assert made.limits
    assert made.limits["mailer"].per_s == 60.0
    assert made.limits["admin-api"].at_once == 8
    assert "'1.000'" in upgrade.operation.act
    assert upgrade.timeout_s == plan.phases[0].steps[0].timeout_s


def test_a_text_that_is_wanted_real_is_left_alone() -> None:
    """`--real` picks by title, key or text, and is told."""
    plan, made, stood = twin(real=("reload", "*--check*"))
    assert made.phases[1].steps[1] == plan.phases[1].steps[1]
    assert stood.real == ["reload"]


def test_a_step_with_secrets_is_not_run_as_it_is() -> None:
    """Its secrets would be missing, and reading them is not a rehearsal's business."""
    with pytest.raises(UsageError, match="secrets"):
        twin(real=("use the token",))


@pytest.mark.parametrize("address", ["10.0.0.1", "128.0.0.1", "::1"])
def test_a_host_that_is_no_lab_host_is_refused(address: str) -> None:
    """Whatever went wrong before: nothing but the loopback network is ever dialled."""
    plan = a_plan()
    hosts = hosts_of(plan)
    hosts["web002"] = replace(hosts["web002"], address=address)
    with pytest.raises(InternalError, match="web002"):
        twin_of(plan, hosts, "", staging())


def test_a_host_reached_without_ssh_is_refused() -> None:
    """A host that is this very machine would run commands here."""
    plan = a_plan()
    hosts = hosts_of(plan)
    hosts["db001"] = replace(hosts["db001"], login=Login(transport="local"))
    with pytest.raises(InternalError, match="db001"):
        twin_of(plan, hosts, "", staging())
