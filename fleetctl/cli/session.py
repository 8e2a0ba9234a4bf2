"""One run from the confirmation to the recap: what `push`, `deploy`, `run` and `resume` share."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fleetctl.base.errors import ExitCode, FleetError, LockHeld, UsageError
from fleetctl.cli.account import earlier_than, read_account
from fleetctl.cli.advice import advised
from fleetctl.cli.endings import tell_and_leave, tell_ending
from fleetctl.cli.identity import spoken_words, whoami
from fleetctl.cli.interrupts import Interrupts
from fleetctl.cli.journal import open_journal
from fleetctl.cli.lock import parent_run
from fleetctl.cli.notifying import Notifiers
from fleetctl.cli.output import tell
from fleetctl.cli.picture import Glance, safe_line
from fleetctl.cli.progress import RunView
from fleetctl.cli.reach import reach, seen_from_here
from fleetctl.cli.recap import exit_code
from fleetctl.cli.results import tell_answers, tell_result
from fleetctl.cli.selection import open_fleet
from fleetctl.cli.vault import open_vault
from fleetctl.cli.veil import veil
from fleetctl.cli.watching import Follower, JsonLines, PlainLines
from fleetctl.plan.history import History
from fleetctl.rollout.controls import Controls
from fleetctl.rollout.driver import Opening, RunResult, Wanted, push, resume
from fleetctl.rollout.observers import Observer, is_any_blocked
from fleetctl.rollout.records import RunResumed
from fleetctl.transport.veil import Vault

if TYPE_CHECKING:
    from fleetctl.inventory.model import Fleet
    from fleetctl.journal.store import Journal
    from fleetctl.plan.model import Plan
    from fleetctl.rollout.carried import Carried
    from fleetctl.transport.protocol import Sink, Transport


_LINGER_S = 2.0
"""After the run, until its connections are closed: mostly the process has ended by then."""


class Manner(NamedTuple):
    """How a person wants a run done and told."""

    output: str = "table"
    journal: str | None = None
    check_only: bool = False
    folded: bool = False
    """Tell what hosts said, equal answers once, and the account in one line."""
    leased: bool = True
    carried: bool = True
    tell_end: Callable[[RunView, str], ExitCode] | None = None
    """Tells the ended run in the way `output` says, instead of the usual account."""
    until_s: float = 0.0
    """Nothing new starts after this Unix time; 0: it may at any."""


class Drive(Protocol):
    """Starts the driver on something, with who steers and who watches; returns when it ended."""

    def __call__(
        self, journal: Journal, controls: Controls, observers: Sequence[Observer]
    ) -> RunResult: ...


def start_run(plan: Plan, manner: Manner) -> ExitCode:
    """Run a plan somebody confirmed; the recap is told and its exit code returned."""
    vault = Vault() if manner.check_only else open_vault(plan)
    opening = _opening(vault, manner)
    way = reach(plan, vault)

    def drive(journal: Journal, controls: Controls, observers: Sequence[Observer]) -> RunResult:
        return push(plan, opening, journal, way, controls=controls, observers=observers)

    with veil(vault.redactor), open_journal(manner.journal) as journal:
        told = Notifiers(plan, vault, quiet=manner.check_only)
        return _conduct(journal, Watched(RunView(plan), 0, told), manner, drive)


def resume_run(
    journal: Journal, run: str, manner: Manner, wanted: Wanted, inventory: str | None = None
) -> ExitCode:
    """Take a run up where its journal ends; as `start_run`.

    `inventory`: says how hosts are reached from here, when the run came from another machine.
    """
    account = read_account(journal, run)
    vault = open_vault(account.view.plan)
    plan = account.view.plan
    if any(isinstance(entry.record, RunResumed) and entry.record.taken_from
           for entry in account.entries):  # fmt: skip
        plan = seen_from_here(plan, open_fleet(inventory))
    way = reach(plan, vault)
    opening = _opening(vault, manner, run)

    def drive(journal: Journal, controls: Controls, observers: Sequence[Observer]) -> RunResult:
        return resume(
            *(run, opening, journal, way),
            wanted=wanted,
            controls=controls,
            observers=observers,
        )

    with veil(vault.redactor):
        watched = Watched(account.view, account.seq, Notifiers(plan, vault, run))
        return _conduct(journal, watched, manner, drive)


def rehearse_run(
    plan: Plan,
    manner: Manner,
    way: Callable[[Sink], Transport],
    answering: Callable[[Controls], Observer],
) -> ExitCode:
    """Run a plan of stand-ins, which has no secrets; as `start_run`.

    `answering`: who answers questions in a person's place.
    """
    opening = _opening(Vault(), manner)

    def drive(journal: Journal, controls: Controls, observers: Sequence[Observer]) -> RunResult:
        watchers = (*observers, answering(controls))
        return push(plan, opening, journal, way, controls=controls, observers=watchers)

    with open_journal(manner.journal) as journal:
        told = Notifiers(plan, Vault(), quiet=True)
        return _conduct(journal, Watched(RunView(plan), 0, told), manner, drive)


def take_over_run(
    journal: Journal, carried: Carried, view: RunView, fleet: Fleet, manner: Manner
) -> ExitCode:
    """Go on with a run of another machine somebody confirmed; as `start_run`."""
    from fleetctl.rollout.takeover import take_over

    vault = open_vault(carried.plan)
    way = reach(seen_from_here(carried.plan, fleet), vault)
    opening = _opening(vault, manner, carried.row.id)

    def drive(journal: Journal, controls: Controls, observers: Sequence[Observer]) -> RunResult:
        return take_over(carried, opening, journal, way, controls=controls, observers=observers)

    with veil(vault.redactor):
        told = Notifiers(carried.plan, vault, carried.row.id)
        return _conduct(journal, Watched(view, len(carried.records), told), manner, drive)


def _opening(vault: Vault, manner: Manner, run: str = "") -> Opening:
    redact = partial(vault.redactor.text, cut=True)
    words = tuple(redact(word) for word in spoken_words(sys.argv[1:]))
    return Opening(
        whoami(), words, run, check_only=manner.check_only, parent=parent_run(),
        leased=manner.leased, carried=manner.carried, redact=redact,
        linger_s=_LINGER_S, until_s=manner.until_s,
    )  # fmt: skip


class Watched(NamedTuple):
    """A run as far as its records are known, and who else is told of it."""

    view: RunView
    seq: int
    notifiers: Notifiers


def _conduct(journal: Journal, watched: Watched, manner: Manner, drive: Drive) -> ExitCode:
    controls = Controls()
    observer, close = _open_observer(journal, watched.view, watched.seq, manner, controls)
    notifiers = watched.notifiers
    try:
        with Interrupts(controls, whoami(), lambda: _farewell(observer), observer.notice):
            result = drive(journal, controls, (observer, *notifiers.each))
    except FleetError as error:
        if isinstance(error, LockHeld):
            _hint_at_cut_off(error, journal)
        close()
        notifiers.break_off(error)
        if is_any_blocked() or observer.blocked:
            journal.close()
            tell_and_leave(partial(tell_ending, error), error.exit_code)
        raise
    finally:
        close()
    notifiers.finish(journal, result.run)
    # From the journal, not from what was watched: the recap must not miss a record.
    settled = read_account(journal, result.run).view
    earlier = History() if manner.folded or manner.tell_end else earlier_than(journal, settled)

    def telling() -> ExitCode:
        for view in result.dropped:
            account = advised(f"fleetctl runs show {result.run}")
            tell(f"{view}; the whole account: {account}")
        if manner.tell_end is not None:
            code = manner.tell_end(settled, manner.output)
        elif manner.folded:
            code = tell_answers(settled, manner.output)
        else:
            code = tell_result(settled, manner.output, earlier)
        notifiers.leave()
        return code

    if result.blocked or observer.blocked:
        journal.close()
        tell_and_leave(telling, exit_code(settled))
    return telling()


def _hint_at_cut_off(error: LockHeld, journal: Journal) -> None:
    """Who holds the lease may be a run of this journal whose controller is gone: then it waits."""
    with contextlib.suppress(UsageError):
        row = journal.find(error.run) if error.run else None
        if row is not None and row.exit_code is None and not journal.lock(row.id).holder():
            error.hint = (
                f"that run is in this journal, cut off; go on with it: "
                f"{advised(f'fleetctl runs resume {row.id}')}\n  or: {error.hint}"
            )


def _open_observer(
    journal: Journal, view: RunView, seq: int, manner: Manner, controls: Controls
) -> tuple[Follower, Callable[[], None]]:
    """Who tells the run: records, the live picture, or plain lines; and how it is closed."""
    if manner.output == "jsonl":
        return JsonLines(view, seq), _nothing
    if not _is_picture_wanted():
        return PlainLines(view, seq, quiet=manner.folded), _nothing
    from fleetctl.cli.live import Screen

    by = whoami()
    screen = Screen(
        view,
        lambda key, choice, why: controls.answer(key, choice, by, why),
        History(journal.times(view.plan.fleet)),
        seq,
    )
    screen.start()
    return screen, screen.close


def _nothing() -> None:
    return


def _is_picture_wanted() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _farewell(observer: Follower) -> str:
    # No guard: this runs in a signal handler, and an old picture is better than a dead lock.
    view = observer.view
    hosts = [host.host for host in view.in_flight()]
    glance = Glance(view.now_s)
    return (
        f"leaving at once: {safe_line(view, glance)}"
        + (f": {', '.join(hosts[:20])}" if hosts else "")
        + f"\nnext: {advised(f'fleetctl runs resume {view.run}')}"
    )
