"""What a person reads when a run is over: every host accounted for, failures folded by cause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.base.errors import ExitCode
from fleetctl.base.hostrange import fold
from fleetctl.base.outcome import Outcome
from fleetctl.cli.advice import advised
from fleetctl.cli.itemview import item_counts, lost_lines, tallies, unknown_lines
from fleetctl.cli.output import quoted
from fleetctl.cli.owing import owed_lines
from fleetctl.cli.picture import counts_text, hosts_word, wall_text
from fleetctl.cli.progress import HostView, RunView
from fleetctl.cli.skew import skew_lines
from fleetctl.cli.telling import answer_words, last_lines, stop_words, word_words
from fleetctl.plan.history import History
from fleetctl.report.accounting import (
    Accounting,
    HostEnd,
    account_for,
    accounted_words,
    code_of,
    code_words,
    only_held,
    read_back_words,
    unaccounted_lines,
)
from fleetctl.report.causes import LAST_LINES, Loss, fold_losses
from fleetctl.report.slowness import slow_steps, timed_step
from fleetctl.rollout.heldback import held_back_in

SLOW_MAX = 5


class Failure(NamedTuple):
    """Hosts lost in one phase in the same way."""

    phase: str
    outcome: Outcome
    title: str
    """Of the step it ended on; empty when it was none."""
    cause: str
    hosts: tuple[HostView, ...]


def recap(view: RunView, history: History | None = None, *, live: bool = False) -> list[str]:
    """The account of a run, in lines; the last says what the exit code means.

    `history`: of earlier runs, to tell what was slower than usual. `live`: somebody drives it now,
    so there is nothing to take up.
    """
    lines = [accounted(view), *_unaccounted(view)]
    lines += [f"  {tally.phase}: {tally.words}" for tally in tallies(view)]
    for failure in failures(view):
        lines += ["", *_failure_lines(view, failure)]
    lines += lost_lines(view)
    if skew := skew_lines(view):
        lines += ["", *skew]
    lines += slow_lines(view, history or History())
    lines += ["", *_phase_lines(view), "", *owed_lines(view)]
    told = [(wall_s, word_words(word)) for wall_s, word in view.words]
    told += [(wall_s, answer_words(view, asked, said)) for wall_s, asked, said in view.answers]
    lines += [f"{wall_text(wall_s)} {words}" for wall_s, words in sorted(told)]
    if view.stop is not None:
        lines.append(stop_words(view.stop))
    return lines + _ending(view, live)


def slow_lines(view: RunView, history: History) -> list[str]:
    """Steps that took a host much longer than usual, the worst first."""
    timed = (
        timed_step(record, planned.tier, view.titles, view.names)
        for host in view.hosts.values()
        if (planned := view.plan.hosts.get(host.host)) is not None
        for record in host.steps.values()
    )
    slow = [one.words for one in slow_steps((one for one in timed if one is not None), history)]
    if not slow:
        return []
    more = len(slow) - SLOW_MAX
    lines = ["", "slower than usual:", *(f"  {words}" for words in slow[:SLOW_MAX])]
    whole = advised(f"fleetctl runs report {view.run}")
    return lines + [f"  and {more} more: {whole}"] * (more > 0)


def brief(view: RunView) -> list[str]:
    """The account without the failures: for runs whose hosts' answers are shown anyway."""
    return [accounted(view), *_unaccounted(view), *owed_lines(view), *_ending(view, live=False)]


def accounting(view: RunView) -> Accounting:
    """What is known of every host."""
    ends = (
        HostEnd(
            *(one.phase, one.host, one.settled, one.steps),
            held_back_in(one.steps.values(), view.under),
        )
        for one in view.hosts.values()
    )
    return account_for(view.plan, view.outcomes(), ends, view.check_only)


def accounted(view: RunView) -> str:
    """`44 of 44 accounted for: 40 changed, 3 ok, 1 failed`."""
    begun = _begun_only(view)
    more = f"; {len(begun)} of them not through every phase" if begun else ""
    return accounted_words(accounting(view)) + more


def _begun_only(view: RunView) -> list[str]:
    """Hosts well as far as an ended run came, which was not to the end of their phases."""
    if view.ended is None:
        return []
    outcomes = view.outcomes()
    untouched = set(view.untouched())
    return [
        host
        for host in view.to_do(only_failed=False)
        if host not in untouched and outcomes[host] in (Outcome.OK, Outcome.CHANGED)
    ]


def exit_code(view: RunView) -> ExitCode:
    """What the run answers its caller; never OK while a host is not accounted for."""
    return code_of(view.ended, accounting(view))


def failures(view: RunView) -> list[Failure]:
    """Lost hosts folded by how they were lost, the largest group first."""
    folded = []
    for group in fold_losses(_losses(view)):
        first = group[0]
        hosts = tuple(view.hosts[(first.phase, loss.host)] for loss in group)
        title = view.titles.get(first.key, first.key)
        folded.append(Failure(first.phase, first.outcome, title, first.cause, hosts))
    return folded


def _losses(view: RunView) -> Iterator[Loss]:
    for host in view.hosts.values():
        end = host.settled
        if end is None or not end.outcome.lost:
            continue
        step = host.steps.get(end.key)
        said = tuple(last_lines(step, LAST_LINES)) if step is not None else ()
        planned = view.plan.hosts.get(host.host)
        address = planned.address if planned is not None else ""
        yield Loss(host.phase, host.host, end.outcome, end.key, end.cause, said, address)


def _failure_lines(view: RunView, failure: Failure) -> list[str]:
    names = [host.host for host in failure.hosts]
    at = f" at {quoted(failure.title)}" if failure.title else ""
    same = ", same error" if len(names) > 1 else ""
    lines = [f"{hosts_word(len(names))} {failure.outcome}{at}{same}: {fold(names)}"]
    if failure.cause:
        lines.append(f"  why: {failure.cause}")
    first = failure.hosts[0]
    step = first.steps.get(first.settled.key) if first.settled is not None else None
    said = last_lines(step, LAST_LINES) if step is not None else []
    if said and "\n".join(said) not in failure.cause:
        lines += [f"  last lines of {first.host}:", *(f"    | {line}" for line in said)]
    lines += _release_lines(view, failure)
    see = advised(f"fleetctl runs logs {view.run} --host {names[0]}")
    return [*lines, f"  see: {see}"]


def _release_lines(view: RunView, failure: Failure) -> list[str]:
    """What the lost hosts run now, as far as it was read back; nothing when none deploys."""
    wanted = view.phases[failure.phase].plan.release
    if not wanted:
        return []
    groups: dict[str, list[str]] = {}
    for host in failure.hosts:
        groups.setdefault(_release_words(view, host, wanted), []).append(host.host)
    return [
        f"  {words}" if len(groups) == 1 else f"  {fold(names)}: {words}"
        for words, names in groups.items()
    ]


def _release_words(view: RunView, host: HostView, wanted: str) -> str:
    assert host.settled is not None
    if host.settled.release:
        word = "runs the planned release" if host.settled.release == wanted else "runs"
        return f"{word} {host.settled.release} (read back)"
    switched = any(".switch" in key for key in host.steps)
    old = view.plan.live.get(host.host)
    if not switched and host.settled.outcome is not Outcome.UNKNOWN and old:
        return f"still runs the OLD release {old} (not switched to {wanted})"
    last = f"; last read back {old}" if old else ""
    return f"what it runs is not known{last}; ask it: fleetctl status"


def _unaccounted(view: RunView) -> list[str]:
    known = accounting(view)
    lines = [f"  {line}" for line in unaccounted_lines(known)]
    if read := read_back_words(known):
        lines.append(f"  {read}")
    for cause, hosts in _untouched(view).items():
        lines.append(f"  {cause}: {fold(hosts)} ({len(hosts)})")
    begun = _begun_only(view)
    if begun:
        lines.append(f"  not through every phase: {fold(begun)} ({len(begun)})")
    return lines


def _untouched(view: RunView) -> dict[str, list[str]]:
    """Why -> hosts an ended run changed nothing on: left out, not come to, or only checked."""
    if view.ended is None:
        return {}
    causes = {
        one.host: one.settled.cause
        for one in view.hosts.values()
        if one.settled is not None
        and one.settled.outcome is Outcome.SKIPPED
        and one.settled.cause
        and not one.settled.halted
    }
    untouched = set(view.untouched())
    groups: dict[str, list[str]] = {}
    for host in view.outcomes():
        if host in causes:
            why = causes[host] if view.check_only else f"not touched, for {causes[host]}"
            groups.setdefault(why, []).append(host)
        elif host in untouched:
            groups.setdefault("not touched", []).append(host)
    return groups


def _phase_lines(view: RunView) -> list[str]:
    width = max(len(name) for name in view.phases) if view.phases else 0
    lines = []
    for name, phase in view.phases.items():
        if phase.began_s is None:
            what = hosts_word(phase.hosts) if phase.hosts else "a person does it"
            lines.append(f"{name:<{width}}  not begun ({what})")
            continue
        took = format_duration(max(0.0, (phase.ended_s or view.now_s) - phase.began_s))
        lines.append(f"{name:<{width}}  {took:>12}  {counts_text(view.counts(name))}".rstrip())
    return lines


def _ending(view: RunView, live: bool) -> list[str]:
    took = format_duration(view.elapsed_s(view.now_s))
    code = exit_code(view)
    state = "took" if view.ended is not None else "has not ended; so far"
    words = code_words(view.ended, accounting(view))
    lines = [f"run {view.run} {state} {took}; exit {int(code)}: {words}"]
    if live:
        return [f"run {view.run} goes on; so far it took {took}"]
    return lines if code is ExitCode.OK else [*lines, *_next_lines(view)]


def _next_lines(view: RunView) -> list[str]:
    resume = f"fleetctl runs resume {view.run}"
    if only_held(view.ended, accounting(view)):
        return []  # what another run holds is said where it stands
    if not any(host.lost or host.lost_items for host in view.hosts.values()):
        return [f"next: {advised(resume)}"]
    unknown = [host for host, end in view.outcomes().items() if end is Outcome.UNKNOWN]
    lines = [f"next: {advised(f'{resume} --failed')}"]
    if unknown:
        lines.append(
            f"      if it stays unknown, look on {fold(unknown)}, and say what you found: "
            "--done HOST, or --again HOST to run the step once more"
        )
    lines += unknown_lines(view)
    if view.to_do(only_failed=False):
        lines.append(f"then: {advised(resume)}    (the hosts it did not come to)")
    return lines


def host_rows(view: RunView) -> list[dict[str, object]]:
    """One row a host and phase, for programs; outcome null: not accounted for."""
    rows: list[dict[str, object]] = []
    for phase in view.plan.phases:
        for name in (name for batch in phase.batches for name in batch):
            host = view.hosts.get((phase.name, name))
            end = host.settled if host is not None else None
            outcome = end.outcome if end is not None else None
            if host is None and view.ended is not None:
                outcome = Outcome.SKIPPED
            rows.append({
                "host": name, "tier": view.plan.hosts[name].tier, "phase": phase.name,
                "outcome": outcome, "release": end.release if end else "",
                "step": view.titles.get(end.key, end.key) if end else "",
                "cause": end.cause if end else "",
                "items": item_counts(host) if host is not None else None,
            })  # fmt: skip
    return rows
