"""A run as the page shows it while it goes on: phases, batches, gates, hosts in flight. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.console.atwork import AtWork, Order
from fleetctl.report import facts
from fleetctl.report.accounting import OUTCOME_ORDER, accounted_words, unaccounted_lines
from fleetctl.report.facts import Failure
from fleetctl.report.pieces import GateStory, PhaseStory
from fleetctl.report.story import RunStory

BUSY_MAX = 200
"""Hosts in flight that are told one by one."""
GLYPHS = {
    "to do": "·", "running": "▶", "gate": "◇", "done": "✓", "stopped": "✕", "cut off": "?",
    "not begun": "·",
}  # fmt: skip


class PhaseRow(NamedTuple):
    """One phase."""

    name: str
    word: str
    batch: str
    ended: int
    size: int
    counts: tuple[tuple[str, int], ...]
    """Outcome word, and how many hosts ended so."""
    gates: tuple[str, ...]
    """Gates that do not hold, or are being asked."""

    @property
    def glyph(self) -> str:
        return GLYPHS[self.word]


class BusyRow(NamedTuple):
    """One host at work."""

    phase: str
    host: str
    doing: str
    since_s: float
    note: str


class RunPicture(NamedTuple):
    """One run."""

    run: str
    title: str
    fleet: str
    by: str
    check_only: bool
    began_s: float
    took: str
    usual: str
    state: str
    """live, cut off (its controller is gone), well or ill."""
    headline: str
    accounted: str
    unaccounted: tuple[str, ...]
    phases: tuple[PhaseRow, ...]
    busy: tuple[BusyRow, ...]
    busy_more: int
    failures: tuple[Failure, ...]
    questions: tuple[str, ...]
    stop: str
    hosts: int
    safe: str
    """Whether the desk may be left."""


def picture(story: RunStory, at_work: AtWork, holder: str, now_s: float) -> RunPicture:
    """`holder`: who drives the run now; `now_s`: Unix time."""
    live = bool(holder) and story.ended is None
    known = facts.accounting_of(story)
    busy = list(_busy(story, at_work)) if live else []
    gap_s = max(0.0, now_s - story.now_s) if live else 0.0
    usual = story.plan.estimate_s
    return RunPicture(
        story.run, story.plan.title, story.plan.fleet,
        story.opened.by.partition(" ")[0] if story.opened else "",
        story.check_only, story.began_s, format_duration(story.worked_s + gap_s),
        f"about {format_duration(usual)} expected" if usual is not None else "",
        _state(story, live), _headline(story, live), accounted_words(known),
        tuple(unaccounted_lines(known)) if story.ended is not None else (),
        tuple(_phase_row(story, phase, live) for phase in story.phases.values()),
        tuple(busy[:BUSY_MAX]), max(0, len(busy) - BUSY_MAX), tuple(facts.failures(story)),
        tuple(_questions(story)) if live else (), _stop_words(story), len(known.outcomes),
        _safe_words(busy, live),
    )  # fmt: skip


def _state(story: RunStory, live: bool) -> str:
    if live:
        return "live"
    if story.ended is None:
        return "cut off"
    return "ill" if facts.code_of_story(story) else "well"


def _headline(story: RunStory, live: bool) -> str:
    if story.ended is not None:
        return facts.headline(story)
    if not live:
        return "Cut off: its controller is gone, and what it had begun is not known"
    if story.stop is not None:
        return "Stopping: nothing new starts, what is in flight ends"
    begun = [name for name, phase in story.phases.items() if phase.began_s is not None]
    return f"Running: phase {begun[-1]}" if begun else "Running: nothing has begun yet"


def _stop_words(story: RunStory) -> str:
    stop = story.stop
    if stop is None:
        return ""
    by = f" by {stop.by.partition(' ')[0]}" if stop.by else ""
    return f"stop ({stop.reason}{by}): {stop.cause}"


def _safe_words(busy: list[BusyRow], live: bool) -> str:
    if not live:
        return ""
    if not busy:
        return "nothing is in flight: safe to leave"
    doing, count = Counter(row.doing for row in busy).most_common(1)[0]
    share = "" if len(busy) == 1 else "all " if count == len(busy) else f"{count} of them "
    return f"{len(busy)} in flight, {share}at {doing}"


def _word(story: RunStory, phase: PhaseStory, live: bool) -> str:
    if phase.began_s is None and phase.passed is not False:
        return "to do" if live else "not begun"
    if phase.passed is None and not live:
        return "cut off" if story.ended is None else "stopped"
    if phase.passed is None:
        asked = any(gate.settled_s is None for gate in _gates(story, phase))
        return "gate" if asked else "running"
    return "done" if phase.passed else "stopped"


def _gates(story: RunStory, phase: PhaseStory) -> Iterator[GateStory]:
    return (gate for gate in story.gates if gate.phase == phase.plan.name)


def _phase_row(story: RunStory, phase: PhaseStory, live: bool) -> PhaseRow:
    plan = phase.plan
    of = [host for batch in plan.batches for host in batch]
    found = (story.hosts.get((plan.name, host)) for host in of)
    ends = Counter(host.outcome for host in found if host and host.outcome is not None)
    begun = [batch.batch for batch in story.batches.values() if batch.phase == plan.name]
    batch = f"batch {max(begun) + 1} of {len(plan.batches)}" if begun else ""
    counts = tuple((str(word), ends[word]) for word in OUTCOME_ORDER if ends.get(word))
    return PhaseRow(
        plan.name, _word(story, phase, live), batch, sum(ends.values()), len(of), counts,
        tuple(_gate_lines(story, phase)),
    )  # fmt: skip


def _gate_lines(story: RunStory, phase: PhaseStory) -> Iterator[str]:
    """Gates being asked, and those that have refused."""
    last = {(gate.batch, gate.key): gate for gate in _gates(story, phase)}
    for gate in last.values():
        kind = "approval" if gate.approval else "gate"
        if gate.settled_s is None:
            yield f"{kind} “{gate.title}” is being asked"
        elif gate.passed is False:
            by = f" (by {gate.by.partition(' ')[0]})" if gate.by else ""
            yield f"{kind} “{gate.title}” does NOT hold{by}"


def _busy(story: RunStory, at_work: AtWork) -> Iterator[BusyRow]:
    for (phase, host), order in sorted(at_work.orders.items(), key=lambda one: one[1].since_s):
        if order.keys or order.note:
            yield BusyRow(phase, host, _doing(story, order), order.since_s, order.note)


def _doing(story: RunStory, order: Order) -> str:
    if not order.keys:
        return "between two steps"
    title = story.titles.get(order.keys[0], order.keys[0])
    return f"{order.way} of {title}" if order.way else title


def _questions(story: RunStory) -> Iterator[str]:
    leg_s = story.legs[-1].began_s if story.legs else 0.0
    for question in story.questions:
        if question.answered is None and question.asked_s >= leg_s and story.stop is None:
            asked = question.asked
            where = f"{asked.phase}, {asked.host}" if asked.host else asked.phase
            yield f"{where}: {asked.text} ({', '.join(asked.choices)})"
