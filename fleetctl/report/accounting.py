"""Whether every host is accounted for: it has an end, and what it runs now is known. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from fleetctl.base.errors import EXIT_CODE_WORDS, ExitCode
from fleetctl.base.hostrange import fold
from fleetctl.base.outcome import LOST, Outcome
from fleetctl.plan.model import Plan
from fleetctl.rollout.heldback import HELD_BACK
from fleetctl.rollout.records import HostSettled, RunEnded

OUTCOME_ORDER = (
    Outcome.CHANGED,
    Outcome.OK,
    Outcome.SKIPPED,
    Outcome.FAILED,
    Outcome.TIMED_OUT,
    Outcome.UNREACHABLE,
    Outcome.UNKNOWN,
)
_SWITCH = ".switch"
"""In the key of the step of a deploy that changes what a host runs."""


class HostEnd(NamedTuple):
    """A host in a phase that has begun on it."""

    phase: str
    host: str
    settled: HostSettled | None
    step_keys: Iterable[str]
    """Of the steps that have an end there."""
    held_back: Mapping[str, int] | None = None
    """Another run -> daemon pools it kept down there when this one let go of them; None: nobody
    asked."""


class HeldBack(NamedTuple):
    """Daemon pools that another run keeps from running, though this one has let go of them."""

    pools: int
    hosts: tuple[str, ...]


class Accounting(NamedTuple):
    """What is known of every host of a run."""

    outcomes: Mapping[str, Outcome | None]
    """None: it has no end."""
    unread: tuple[str, ...]
    """Hosts whose release may have been changed and was not read back."""
    read: Mapping[str, str]
    """Host -> release read back by this run."""
    held_back: Mapping[str, HeldBack] = {}
    """By runs that still keep daemon pools down."""

    @property
    def sure(self) -> int:
        """Hosts whose end is known, and what they run now as far as this run touched it."""
        unread = frozenset(self.unread)
        return sum(
            outcome is not None and outcome is not Outcome.UNKNOWN and host not in unread
            for host, outcome in self.outcomes.items()
        )

    @property
    def complete(self) -> bool:
        return self.sure == len(self.outcomes)


def account_for(
    plan: Plan, outcomes: Mapping[str, Outcome | None], ends: Iterable[HostEnd], check_only: bool
) -> Accounting:
    """`outcomes`: the worst of every host of the plan over its phases."""
    told = list(ends)
    releases = {phase.name: phase.release for phase in plan.phases if phase.release}
    unread: dict[str, None] = {}
    read: dict[str, str] = {}
    for end in told:
        if end.settled is None or check_only or end.phase not in releases:
            continue
        if end.settled.release:
            read[end.host] = end.settled.release
            unread.pop(end.host, None)
        elif _may_have_switched(end, end.settled.outcome):
            unread[end.host] = None
            read.pop(end.host, None)
    return Accounting(outcomes, tuple(unread), read, _held_back(told))


def _held_back(ends: Iterable[HostEnd]) -> dict[str, HeldBack]:
    """Of a host in several phases the last word counts."""
    last = {end.host: end.held_back for end in ends if end.held_back is not None}
    found: dict[str, HeldBack] = {}
    for host, held in last.items():
        for run, count in held.items():
            before = found.get(run, HeldBack(0, ()))
            found[run] = HeldBack(before.pools + count, (*before.hosts, host))
    return found


def code_of(ended: RunEnded | None, accounting: Accounting) -> ExitCode:
    """What a run answers its caller; never OK while a host is not accounted for, or its daemons are
    kept down by another run."""
    if ended is None:
        return ExitCode.UNKNOWN
    code = ExitCode(ended.exit_code)
    if code is ExitCode.OK and not accounting.complete:
        return ExitCode.UNKNOWN
    return ExitCode.HOST_FAILED if code is ExitCode.OK and accounting.held_back else code


def only_held(ended: RunEnded | None, accounting: Accounting) -> bool:
    """Whether all went well but for daemons that another run keeps down."""
    if ended is None or not accounting.complete or not accounting.held_back:
        return False
    # Runs of before did not tell themselves.
    return ended.cause == HELD_BACK or ended.exit_code == ExitCode.OK


def code_words(ended: RunEnded | None, accounting: Accounting) -> str:
    """What the exit code says, for people."""
    if only_held(ended, accounting):
        return HELD_BACK
    return EXIT_CODE_WORDS[code_of(ended, accounting)]


def _may_have_switched(end: HostEnd, outcome: Outcome) -> bool:
    if outcome not in LOST:
        return outcome is not Outcome.SKIPPED  # a deploy that ended well reads back, or did not
    return any(_SWITCH in key for key in end.step_keys)


def counts_text(counts: Mapping[Outcome, int]) -> str:
    """`40 changed, 3 ok, 1 failed`, in that order always."""
    return ", ".join(f"{counts[word]} {word}" for word in OUTCOME_ORDER if counts.get(word))


def accounted_words(accounting: Accounting) -> str:
    """`44 of 44 accounted for: 40 changed, 3 ok, 1 failed`."""
    known = [outcome for outcome in accounting.outcomes.values() if outcome is not None]
    counts = counts_text(Counter(known))
    of = len(accounting.outcomes)
    return f"{accounting.sure} of {of} accounted for" + (f": {counts}" if counts else "")


def unaccounted_lines(accounting: Accounting) -> Iterator[str]:
    """A line for each reason why hosts are not accounted for, naming them."""
    outcomes = accounting.outcomes.items()
    missing = [host for host, outcome in outcomes if outcome is None]
    unknown = [host for host, outcome in outcomes if outcome is Outcome.UNKNOWN]
    unread = [host for host in accounting.unread if host not in {*missing, *unknown}]
    if missing:
        yield f"no outcome: {fold(missing)} ({len(missing)})"
    if unknown:
        yield f"unknown, sent but not answered: {fold(unknown)} ({len(unknown)})"
    if unread:
        yield (
            f"release not read back: {fold(unread)} ({len(unread)}); "
            "ask them: fleetctl status"
        )  # fmt: skip
    for run, held in accounting.held_back.items():
        # Who deployed here since is not to be undone by a run that was before it.
        resume = "" if accounting.read else f"fleetctl runs resume {run}, or "
        yield (
            f"{held.pools:,} {'pool' if held.pools == 1 else 'pools'} held back by run {run}: "
            f"{fold(held.hosts)} ({len(held.hosts)}); "
            f"{resume}fleetctl pools release {run}"
        )


def read_back_words(accounting: Accounting) -> str:
    """`live releases read back: 43 run r2, 1 runs r1`; empty when none was."""
    if not accounting.read:
        return ""
    counts = Counter(accounting.read.values())
    words = ", ".join(
        f"{count} {'runs' if count == 1 else 'run'} {release}"
        for release, count in counts.most_common()
    )
    return f"live releases read back: {words}"
