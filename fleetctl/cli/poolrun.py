"""One change of pools on many hosts: looked at, shown, confirmed, run, added up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fleetctl.base.errors import ExitCode, UsageError
from fleetctl.cli.output import tell
from fleetctl.cli.overseers import (
    WHAT_THERE_IS,
    Silent,
    Told,
    ask_overseers,
    guess,
    keeping,
    none_keeps,
)
from fleetctl.cli.selection import Choice

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.plan.model import Plan

RAMP = (1, "25%", "100%")
SPARE_S = 60.0
"""What the step gets on top of the time a host may take until pools are where they are to be."""
NAMED_MAX = 10


class Flags(NamedTuple):
    """What may be said of any of these."""

    instance: tuple[str, ...]
    why: str
    batch: str | None
    fanout: int | None
    throttle: str | None
    max_failures: str
    yes: bool
    no_lease: bool
    journal: str | None
    output: str


class Act(NamedTuple):
    """What an overseer is asked to do."""

    verb: str
    request: Mapping[str, Any]
    settle_s: float
    """How long a host may take until its pools are where they are to be; 0: it answers at once."""
    interrupts: bool = False
    """It ends daemons that have a task."""


def act_on(act: Act, names: Sequence[str], choice: Choice, flags: Flags) -> ExitCode:
    """Do it on the hosts picked whose tier keeps pools; the run's exit code."""
    import time

    from fleetctl.cli.confirm import confirm
    from fleetctl.cli.poolnotes import notes

    fleet, hosts, patterns = kept_by(names, choice, flags.instance)
    request = {**act.request, **_said(flags)}
    found = ask_overseers(fleet, hosts, "settled", pools=patterns, lenient=True, of=request)
    concerned = _concerned(found, names, flags.instance, lambda: guess(fleet, hosts, patterns))
    _tell_found(found, act)
    plan = plan_for(act, fleet, concerned, patterns or ["*"], flags)
    show_plan(plan)
    if not patterns and act.verb != "reload":
        tell("every pool of these hosts is meant")
    for line in notes(request, found, time.time()):
        tell(line)
    if act.interrupts and _busy(found):
        confirm(_busy(found), flags.yes, things="pools whose work is interrupted")
    confirm(len(concerned), flags.yes)
    return carry_out(plan, act.verb, flags)


def show_plan(plan: Plan) -> None:
    """Tell what would be done, before the number of hosts is typed."""
    from fleetctl.cli.output import room
    from fleetctl.cli.planview import WIDTH, plan_lines

    tell("\n".join(("", *plan_lines(plan, room(WIDTH)))))


def carry_out(plan: Plan, verb: str, flags: Flags) -> ExitCode:
    """Run what was confirmed, and tell what came of the pools."""
    from fleetctl.cli.poolsums import Telling
    from fleetctl.cli.session import Manner, start_run

    manner = Manner(
        flags.output, flags.journal, leased=not flags.no_lease, carried=False,
        tell_end=Telling(verb),
    )  # fmt: skip
    return start_run(plan, manner)


def kept_by(
    names: Sequence[str], choice: Choice, instances: Sequence[str] = ()
) -> tuple[Fleet, list[str], list[str]]:
    """The fleet, the hosts picked whose tier keeps pools, and which pools; raises UsageError."""
    patterns = patterns_of(names, instances)
    fleet, picked = choice.pick()
    hosts = keeping(fleet, picked)
    if not hosts:
        raise none_keeps(fleet, picked)
    return fleet, hosts, patterns


def patterns_of(names: Sequence[str], instances: Sequence[str]) -> list[str]:
    """What an overseer is asked for; empty: all it keeps. Raises UsageError."""
    from fleetctl.playbook.poolstexts import pattern

    try:
        if not instances:
            return [pattern(name) for name in names]
        whole = [name for name in names if "/" in name]
        if whole:
            raise UsageError(
                f"{whole[0]} names its instance already", where="--instance", hint="say a KIND"
            )
        return [pattern(f"{one}/{name}") for one in instances for name in names or ("*",)]
    except ValueError as error:
        raise UsageError(str(error)) from None


def _concerned(
    found: Mapping[str, Told],
    names: Sequence[str],
    instances: Sequence[str],
    guessed: Callable[[], str],
) -> list[str]:
    """Hosts that have such pools, and those of which that is not known; raises UsageError."""
    hosts = [host for host, told in found.items() if isinstance(told, Silent) or told["pools"]]
    if not hosts or (names and all(isinstance(found[host], Silent) for host in hosts)):
        meant = " ".join((*names, *(f"--instance {one}" for one in instances))) or "any pool"
        silent = next((told for told in found.values() if isinstance(told, Silent)), None)
        raise UsageError(
            f"none of these hosts is known to have {meant}",
            why=f"{silent.state}: {silent.detail}" if silent is not None else "",
            hint=guessed() if silent is None else WHAT_THERE_IS,
        )
    return hosts


def _tell_found(found: Mapping[str, Told], act: Act) -> None:
    """What there is now, and with `--now` whose work would be interrupted."""
    from fleetctl.cli.poolsums import added_up, sum_line

    known = {host: told for host, told in found.items() if not isinstance(told, Silent)}
    tell(f"now: {sum_line(len(known), added_up(known.values()))}")
    for host, told in found.items():
        if isinstance(told, Silent):
            tell(f"{host}: {told.state}: {told.detail}")
    if act.interrupts:
        for host, told in known.items():
            count, names = _interrupted(told)
            if count:
                more = f" and {count - NAMED_MAX} more" if count > NAMED_MAX else ""
                tell(f"interrupts on {host}: {', '.join(names[:NAMED_MAX])}{more}")


def _interrupted(told: Mapping[str, Any]) -> tuple[int, Sequence[str]]:
    """How many pools have work that would be ended, and the first of them."""
    foreseen = told.get("foreseen", {})
    if "interrupts" in foreseen:
        return foreseen["interrupts"], foreseen["interrupted"]
    return told.get("busy", 0), told.get("names", {}).get("busy", [])


def _busy(found: Mapping[str, Told]) -> int:
    return sum(_interrupted(told)[0] for told in found.values() if not isinstance(told, Silent))


def plan_for(
    act: Act, fleet: Fleet, hosts: Sequence[str], patterns: Sequence[str], flags: Flags
) -> Plan:
    """The plan of one step; without patterns the request speaks for itself."""
    from fleetctl.base.marked import Document
    from fleetctl.cli.assemble import Wish, overrides_of
    from fleetctl.plan.adhoc import compile_alone
    from fleetctl.playbook.load import from_document

    pools = {"pools": list(patterns)} if patterns and act.verb != "reload" else {}
    words = ", ".join(patterns) if patterns != ["*"] else ""
    recipe = _recipe(act, {**act.request, **pools, **_said(flags)}, words, flags)
    wish = Wish(batch=flags.batch, fanout=flags.fanout, throttle=flags.throttle)
    playbook = from_document(Document(recipe, None, "command line"), "/")
    return compile_alone(fleet, playbook, hosts, overrides_of(wish))


def _said(flags: Flags) -> dict[str, str]:
    """Who asks, and why."""
    from fleetctl.cli.identity import whoami

    return {"by": whoami().split()[0], **({"why": flags.why} if flags.why else {})}


def _recipe(act: Act, request: Mapping[str, Any], pools: str, flags: Flags) -> dict[str, Any]:
    from fleetctl.playbook.poolstexts import FORESEEN, acting, needless

    title = f"pools {act.verb}" + (f" {pools}" if pools else "")
    step = {
        "run": acting(request, act.settle_s),
        "name": title.replace("{{", "{{{{"),
        "timeout": act.settle_s + SPARE_S,
        "idempotent": True,
        **({"check": needless(request)} if request["do"] in FORESEEN else {}),
    }
    phase = {"name": "pools", "hosts": "all", "batches": list(RAMP), "budget": flags.max_failures}
    named = f"{title}: {flags.why}" if flags.why else title
    return {"title": named, "phases": [{**phase, "steps": [step]}]}
