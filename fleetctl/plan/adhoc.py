"""A one-phase plan for a command typed by hand: `fleetctl run SELECTOR -- CMD`."""

from __future__ import annotations

from collections.abc import Sequence

from fleetctl.base.marked import Document
from fleetctl.inventory.model import Fleet
from fleetctl.plan.compile import compile_plan
from fleetctl.plan.model import Plan
from fleetctl.plan.request import Overrides, PlanRequest
from fleetctl.playbook.kinds import Artifact
from fleetctl.playbook.load import from_document
from fleetctl.playbook.model import Playbook

PHASE = "run"


def adhoc_plan(
    fleet: Fleet,
    hosts: Sequence[str],
    command: str | tuple[str, ...],
    overrides: Overrides | None = None,
    *,
    timeout_s: float | None = None,
    budget: str = "",
) -> Plan:
    """The command on these hosts, one batch; a text is sh, a tuple is an argv.

    Names such as `{{host.name}}` work as in a playbook. `budget` left out: losing hosts stops
    nothing, each host stands for itself.
    """
    step: dict[str, object] = {"run": command if isinstance(command, str) else list(command)}
    if timeout_s is not None:
        step["timeout"] = timeout_s
    recipe = {
        "title": "ad hoc",
        "phases": [
            {"name": PHASE, "hosts": "all", "budget": budget or "100%", "steps": [step]},
        ],
    }
    playbook = from_document(Document(recipe, None, "command line"), "/")
    return compile_alone(fleet, playbook, hosts, overrides or Overrides())


def compile_alone(
    fleet: Fleet, playbook: Playbook, hosts: Sequence[str], overrides: Overrides
) -> Plan:
    """The plan of a playbook that reads no file and deploys nothing."""
    return compile_plan(
        PlanRequest(
            fleet=fleet,
            playbook=playbook,
            measure=_no_file,
            read_file=_no_text,
            artifact=_no_artifact,
            hosts=hosts,
            overrides=overrides,
        )
    )


def _no_file(path: str) -> tuple[str, int]:
    raise FileNotFoundError(path)


def _no_text(path: str) -> str:
    raise FileNotFoundError(path)


def _no_artifact(release: str) -> Artifact:
    raise AssertionError(f"an ad hoc command deploys nothing, not even {release}")
