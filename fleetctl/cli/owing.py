"""Hosts that a run stopped something on and has not put back: told until it is done."""

from __future__ import annotations

from collections.abc import Iterator

from fleetctl.base.hostrange import fold
from fleetctl.cli.advice import advised
from fleetctl.cli.progress import HostView, RunView
from fleetctl.plan.model import PlanStep
from fleetctl.playbook.operations import Exec


def owed(view: RunView) -> dict[str, list[str]]:
    """What is not put back, in words -> the hosts of which that is true."""
    found: dict[str, list[str]] = {}
    for host in view.hosts.values():
        words = [host.settled.owes] if host.settled else list(_open(view, host))
        for each in filter(None, words):
            found.setdefault(each, []).append(host.host)
    return found


def owed_lines(view: RunView) -> list[str]:
    """For the recap: each with its hosts, and how it is mended."""
    lines = [f"{words} ({fold(hosts)})" for words, hosts in owed(view).items()]
    if not lines:
        return []
    resume = advised(f"fleetctl runs resume {view.run}")
    next_ = f"  next: {resume}    (puts these back before anything else)"
    return ["NOT PUT BACK:", *(f"  {line}" for line in lines), next_]


def _open(view: RunView, host: HostView) -> Iterator[str]:
    """Of a host that has no end in its phase: what it would be owed if its run went now."""
    for step in view.phases[host.phase].plan.steps:
        if not isinstance(step.operation, Exec) or not step.operation.restore:
            continue
        if _begun(host, step.key) and not _is_back(host, step):
            yield step.leaves or f'"{step.title}" is not put back yet'


def _begun(host: HostView, key: str) -> bool:
    told = host.steps.get(key)
    return key in host.pending or (told is not None and told.outcome != "skipped")


def _is_back(host: HostView, step: PlanStep) -> bool:
    for key in (step.restored_by, f"{step.key}.restore"):
        told = host.steps.get(key)
        if told is not None and not told.outcome.lost:
            return True
    return False
