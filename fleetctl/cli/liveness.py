"""How to ask a host which release it runs: the deploy steps of the playbook, read-only."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from msgspec.structs import replace

from fleetctl.base.errors import InternalError
from fleetctl.inventory.model import Fleet
from fleetctl.inventory.select import files_beside
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.model import Plan
from fleetctl.plan.render import render_step
from fleetctl.plan.request import PlanRequest
from fleetctl.playbook.kinds import Artifact
from fleetctl.playbook.model import Phase, Playbook, Step
from fleetctl.playbook.operations import Exec
from fleetctl.playbook.source import StepOptions
from fleetctl.playbook.steps.deploy import Deploy
from fleetctl.playbook.substitute import names_in, shell_template_of

READ_CURRENT = r"""
case $FLEETCTL_ROOT in /*) ;; *) FLEETCTL_ROOT=$HOME/$FLEETCTL_ROOT ;; esac
FLEETCTL_RELEASE=$(readlink "$FLEETCTL_ROOT/current" 2>/dev/null || :)
FLEETCTL_RELEASE=${FLEETCTL_RELEASE##*/}
export FLEETCTL_ROOT FLEETCTL_RELEASE
"""
SAY_CURRENT = "printf '%s\\n' \"$FLEETCTL_RELEASE\""


def reading_plan(fleet: Fleet, playbook: Playbook, hosts: Collection[str]) -> Plan | None:
    """A plan whose every step only reads a live release; None when no phase deploys."""
    phases = tuple(_reading(phase) for phase in playbook.phases if _deploys(phase))
    if not phases:
        return None
    return compile_plan(
        PlanRequest(
            fleet=fleet,
            playbook=replace(playbook, phases=phases),
            measure=_no_file,
            artifact=_no_release,
            read_file=files_beside(Path(playbook.folder)),
            hosts=hosts,
        )
    )


def reading_scripts(plan: Plan) -> dict[str, str]:
    """Host -> the sh text that prints its live release; the first phase that deploys to it wins."""
    scripts: dict[str, str] = {}
    for phase in plan.phases:
        for host in (host for batch in phase.batches for host in batch):
            operation = render_step(plan, phase, phase.steps[0], host)
            assert isinstance(operation, Exec)
            scripts.setdefault(host, operation.act)
    return scripts


def _deploys(phase: Phase) -> list[Step]:
    return [step for step in phase.steps if isinstance(step.value, Deploy)]


def _reading(phase: Phase) -> Phase:
    step = _deploys(phase)[0]
    text = reading_text(step.value)
    reading = replace(step, kind="run", value=text, options=StepOptions(), retry=None)
    # A name only gates or other steps use ({{release.id}}) has no value here and needs none.
    names = names_in([text])
    used = tuple(used for used in phase.used if used.name in names)
    return replace(phase, steps=(reading,), gates=(), needs=(), used=used)


def reading_text(deploy: Deploy) -> str:
    """sh text that says the live release in its last line, and changes nothing."""
    root = f"FLEETCTL_ROOT={shell_template_of([deploy.to.removeprefix('~/').rstrip('/')])}"
    say = f"(\n{deploy.live}\n) | tail -n 1" if deploy.live else SAY_CURRENT
    return f"{root}{READ_CURRENT}{say}"


def _no_file(path: str) -> tuple[str, int]:
    raise FileNotFoundError(path)


def _no_release(release: str) -> Artifact:
    raise InternalError(f"nothing is deployed here, yet {release} was asked for")
