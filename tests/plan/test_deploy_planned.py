"""A deploy as a plan has it: through the real loader, compiler and renderer, then really run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fleetctl.base.errors import InputError, InputErrors
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.model import Plan
from fleetctl.plan.render import render_expects, render_step
from fleetctl.playbook.kinds import Artifact
from fleetctl.playbook.operations import Exec, Put
from tests.plan.fleets import phase, plan_of, request_of
from tests.playbook.deployhost import DeployHost, make_host, make_release

DEPLOY = """
name: web
hosts: tier=web
steps:
  - deploy:
      to: "{{var.app}}"
      keep: 2
      restart: printf '%s\\n' "$FLEETCTL_RELEASE" {{host.name}} > running
      health: test -f running
      live: "while read -r line; do echo $line; break; done < running"
      health_timeout: 1s
"""
HEAD = 'title: t\nvariables: {app: "it\'s an; app"}\n'


@pytest.fixture
def host(tmp_path: Path) -> DeployHost:
    return make_host(tmp_path)


def planned(artifact: Artifact) -> Plan:
    request = request_of(phase(DEPLOY, HEAD), releases={"web": artifact.release})
    return compile_plan(msgspec.structs.replace(request, artifact=lambda _: artifact))


def push(host: DeployHost, plan: Plan, name: str) -> list[str]:
    """Run the one phase's steps for a host as a runner would; answers how each ended."""
    ends = []
    for step in plan.phases[0].steps:
        operation = render_step(plan, plan.phases[0], step, name)
        if isinstance(operation, Put):
            ends.append(host.put(operation))
            continue
        assert isinstance(operation, Exec)
        if operation.check and host.run(operation.check).returncode == 0:
            ends.append("checked")
            continue
        done = host.run(operation.act)
        assert done.returncode == 0, done.stderr
        if step.reads_release:
            assert done.stdout.splitlines()[-1] == render_expects(plan, plan.phases[0], step, name)
        ends.append("acted")
    return ends


def test_a_planned_deploy_runs_and_the_second_one_does_nothing(
    host: DeployHost, tmp_path: Path
) -> None:
    """Paths, host values and the release reach the host as themselves; a redeploy is a no-op."""
    plan = planned(make_release(tmp_path, "v1"))
    parts = "prepare upload unpack switch restart health verify prune"
    keys = [f"p1-s01-deploy.{part}" for part in parts.split()]
    assert [step.key for step in plan.phases[0].steps] == keys
    assert push(host, plan, "web001").count("acted") == 6
    assert (host.home / "running").read_text() == "v1\nweb001\n"
    assert (host.home / "it's an; app" / "current" / "VERSION").read_text() == "v1\n"
    assert push(host, plan, "web001").count("checked") == 7


def test_a_mistake_in_a_deploy_is_told_with_its_place() -> None:
    """Unknown keys, wrong types and texts that cannot be quoted stop the compiler."""
    for wrong, words in (
        ("keep: 2", r"keep: 0"),
        ("keep: 2", r"keeps: 2"),
        ("health_timeout: 1s", "health_timeout: soon"),
        ('to: "{{var.app}}"', "to: /"),
    ):
        with pytest.raises((InputError, InputErrors), match=r"p\.yaml:\d+:\d+: "):
            plan_of(phase(DEPLOY.replace(wrong, words), HEAD), releases={"web": "v1"})
