"""A check-only run looks at a host: what each step would do, on which items. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from fleetctl.base.outcome import Outcome
from fleetctl.plan.model import PlanStep
from fleetctl.plan.render import render_step
from fleetctl.plan.words import counted
from fleetctl.playbook.operations import Exec, Foreach, Listing, Manual, Pause, Put
from fleetctl.rollout.desk import Desk, Errand
from fleetctl.rollout.hostrun import HostRun
from fleetctl.rollout.records import StepSettled
from fleetctl.rollout.settling import settle
from fleetctl.transport.protocol import Look, Looked, Lost

NAMED_MAX = 5
_MARK, _ITEM = "fleetctl-check", "fleetctl-item"
_LIST = """fleetctl_listed=$( (
{act}
) </dev/null 2>/dev/null)
fleetctl_status=$?
printf '%s\\n' "$fleetctl_listed" | {{
  count=0
  while IFS= read -r item; do
    [ -n "$item" ] || continue
    count=$((count + 1))
    [ $count -gt {most} ] || printf '{item} {index} %s\\n' "$item"
  done
  echo {mark} {index} $fleetctl_status $count
}}"""


class Seen(NamedTuple):
    """What a host said about one step."""

    status: int
    """Of its check or its list."""
    total: int = 0
    """Items listed."""
    names: tuple[str, ...] = ()
    """The first of them."""


def send_check(desk: Desk, run: HostRun) -> None:
    """Look what each step would do; changes nothing."""
    lines = [f"# {_MARK}"]
    for index, step in enumerate(run.recipe.steps):
        operation = render_step(desk.plan, desk.state.phases[run.phase].plan, step, run.host)
        lines.append(_script(index, operation))
    ticket = desk.ticket(Errand("check", run.host, run))
    text = "\n".join(line for line in lines if line) + "\n"
    desk.send(Look(ticket, run.host, text, desk.patience.check_timeout_s))


def end_check(desk: Desk, run: HostRun, event: Looked | Lost) -> None:
    """Tell what a push would do on the host."""
    if isinstance(event, Lost):
        settle(desk, run, Outcome.UNREACHABLE, "", f"{event.cause}: {event.detail}")
        return
    if event.exit_status is None:
        settle(desk, run, Outcome.TIMED_OUT, "", "its checks did not end in time")
        return
    seen = read_checks(event.stdout.head + event.stdout.tail)
    would: list[str] = []
    for index, step in enumerate(run.recipe.steps):
        words = _would(index, step, seen)
        outcome = Outcome.SKIPPED if words else Outcome.OK
        if words and not isinstance(step.operation, Listing):
            would.append(words)
        cause = "would run" if words else "nothing to do"
        desk.record(StepSettled(run.phase, run.host, step.key, outcome, cause=cause))
    if would:
        settle(desk, run, Outcome.SKIPPED, "", f"would change: {', '.join(would)}")
    else:
        settle(desk, run, Outcome.OK, "", "nothing to do")


def _would(index: int, step: PlanStep, seen: Mapping[int, Seen]) -> str:
    """What the step would do, in words; empty: there is nothing to do."""
    found = seen.get(index)
    if isinstance(step.operation, Foreach):
        found = seen.get(index - 1)
        if found is None or found.status != 0:
            return f"{step.title} (on what is not known before the steps above have run)"
        if not found.total:
            return ""
        named = ", ".join(found.names) + (", ..." if found.total > len(found.names) else "")
        return f"{step.title} ({counted(found.total, step.operation.noun)}: {named})"
    return "" if found is not None and found.status == 0 else step.title


def read_checks(text: bytes) -> dict[int, Seen]:
    """Step index -> what the host said about it."""
    found: dict[int, Seen] = {}
    names: dict[int, tuple[str, ...]] = {}
    for line in text.decode(errors="replace").splitlines():
        word, _, rest = line.partition(" ")
        number, _, said = rest.partition(" ")
        if not number.isdigit():
            continue
        index = int(number)
        if word == _ITEM:
            names[index] = (*names.get(index, ()), said)
        elif word == _MARK and all(part.isdigit() for part in said.split()):
            status, *count = map(int, said.split())
            found[index] = Seen(status, count[0] if count else 0, names.get(index, ()))
    return found


def _script(index: int, operation: Exec | Put | Pause | Manual) -> str:
    """sh text that tells of one step; empty when only doing it would tell."""
    if isinstance(operation, Listing):
        return _LIST.format(act=operation.act, most=NAMED_MAX, item=_ITEM, mark=_MARK, index=index)
    check = ""
    if isinstance(operation, Put):
        dest = shlex.quote(operation.dest if operation.dest[:1] == "/" else f"./{operation.dest}")
        check = f'[ "$(sha256sum < {dest} | cut -d " " -f 1)" = {operation.sha256} ]'
    elif isinstance(operation, Exec) and not isinstance(operation, Foreach):
        check = operation.check
    return f"( {check}\n) </dev/null >/dev/null 2>&1; echo {_MARK} {index} $?" if check else ""
