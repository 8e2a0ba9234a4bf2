"""The playbooks we ship and show load and compile against the fleet we ship."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import pytest

from fleetctl.base.errors import UsageError
from fleetctl.inventory.load import load_fleet
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.model import Plan
from fleetctl.plan.request import PlanRequest
from fleetctl.playbook.load import load_playbook, read_playbook
from fleetctl.playbook.model import Playbook
from tests.plan.fleets import artifact, measure, no_text

ROOT = Path(__file__).resolve().parents[2]
GUIDES = "".join(
    (ROOT / "docs" / name).read_text()
    for name in ("playbook.md", "secrets.md", "doctor.md", "schema.md", "importing.md")
)
EXAMPLES = re.findall(r"```yaml\n(.*?)```", GUIDES, re.DOTALL)


def _plan(playbook: Playbook, hosts: Collection[str] | None = None) -> Plan:
    fleet = load_fleet(ROOT / "inventory/phacility.yaml")
    return compile_plan(
        PlanRequest(
            fleet=fleet, playbook=playbook, measure=measure, read_file=no_text, artifact=artifact,
            releases=dict.fromkeys(fleet.tiers, "2026-11-22-aa"), hosts=hosts,
        )
    )  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_every_example_of_the_guide_compiles(example: str) -> None:
    """What the guide shows can be copied."""
    assert _plan(read_playbook(example, "playbook.md", str(ROOT / "playbooks"))).phases


def test_the_guide_shows_enough() -> None:
    """The examples are found, and use every kind."""
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "playbooks").glob("*.yaml")))
def test_every_playbook_we_ship_compiles(name: str) -> None:
    """For one repo host of the fleet we ship, as somebody would use it at night."""
    plan = _plan(load_playbook(ROOT / "playbooks" / name), ["repo007"])
    assert {host for phase in plan.phases for batch in phase.batches for host in batch} == {
        "repo007"
    }


@pytest.mark.parametrize("name", ["hotfix.yaml", "replace-host.yaml"])
def test_a_playbook_may_ask_to_be_told_its_hosts(name: str) -> None:
    """A fix for one tier and an empty host's first deploy are never meant for everybody."""
    with pytest.raises(UsageError, match="none are named"):
        _plan(load_playbook(ROOT / "playbooks" / name))


def _deployed(plan: Plan) -> list[str]:
    return [
        host for phase in plan.phases if phase.release for batch in phase.batches for host in batch
    ]


def test_the_saturday_push_deploys_to_every_host_once() -> None:
    """44 hosts, each deployed to in one phase, the tiers in the order of the runbook."""
    plan = _plan(load_playbook(ROOT / "playbooks/saturday-push.yaml"))
    assert sorted(_deployed(plan)) == sorted(plan.hosts)
    assert len(_deployed(plan)) == 44
    assert [phase.name for phase in plan.phases] == [
        "preflight", "secure", "build", "db", "repo", "web", "instances", "bastion", "storage",
    ]  # fmt: skip


def test_the_saturday_push_keeps_to_the_fleets_bounds() -> None:
    """Secure one at a time, never both db hosts of a pair, never below a floor."""
    plan = _plan(load_playbook(ROOT / "playbooks/saturday-push.yaml"))
    guards = {guard.tier: guard for guard in plan.guards}
    for phase in (one for one in plan.phases if one.steps):
        for batch in phase.batches:
            hosts = [plan.hosts[name] for name in batch]
            pairs = [host.pair for host in hosts if host.pair]
            assert len(pairs) == len(set(pairs))
            for tier in {host.tier for host in hosts}:
                mine = sum(host.tier == tier for host in hosts)
                assert mine <= guards[tier].size - guards[tier].floor
    assert {len(batch) for batch in plan.phases[1].batches} == {1}
