"""The live picture of a run as lines of text: pure, so it is tested without a terminal.

The last line is always true: whether it is safe to leave now.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from fleetctl.base.durations import format_duration
from fleetctl.base.outcome import LOST
from fleetctl.base.plaintext import hosts_word as hosts_word
from fleetctl.base.plaintext import printable
from fleetctl.cli.itemview import round_words
from fleetctl.cli.output import quoted
from fleetctl.cli.progress import HostView, PhaseView, RunView, remaining_s
from fleetctl.plan.history import History, is_slow
from fleetctl.report.accounting import counts_text as counts_text


class Line(NamedTuple):
    """A line of the picture; `style` is decoration, never the only bearer of meaning."""

    text: str
    style: str = ""


class Glance(NamedTuple):
    """What a picture needs besides the run: the time, the room, and what earlier runs took."""

    now_s: float
    width: int = 80
    height: int = 24
    expected_s: Mapping[str, float] = {}
    """Step key -> seconds it took in earlier runs."""
    history: History | None = None
    """What each host took in them."""


def draw(view: RunView, glance: Glance) -> list[Line]:
    """The whole picture: at most `height` - 1 lines of at most `width` columns."""
    room = glance.height - 1
    foot = [*_warnings(view), Line(safe_line(view, glance), "bold")]
    head = [Line(_headline(view, glance), "bold")]
    room -= len(head) + len(foot)
    phases = _phase_lines(view, max(2, room // 2))
    phases += _now_lines(view, glance)
    hosts = _host_lines(view, glance, room - len(phases))
    return [
        Line(_clip(line.text, glance.width), line.style) for line in (*head, *phases, *hosts, *foot)
    ]


def safe_line(view: RunView, glance: Glance) -> str:
    """Whether leaving now (Ctrl-C, closing the lid) would leave something running on a host."""
    busy = view.in_flight()
    if not busy:
        return "safe to leave: nothing in flight"
    titles = sorted({view.titles.get(host.pending[0], host.pending[0]) for host in busy})
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    mid = f"{hosts_word(len(busy))} mid {quoted(titles[0])}{more}"
    asked = sum(host.lost_sent for host in busy)
    if asked:
        mid += f", {asked} of them not answering"
    left = [remaining_s(host, glance.expected_s, glance.now_s) for host in busy]
    known = [seconds for seconds in left if seconds is not None]
    if len(known) < len(left):
        return mid
    slowest = max(known)
    return mid + (f", about {format_duration(slowest)}" if slowest > 0 else ", longer than before")


def wall_text(wall_s: float) -> str:
    """A Unix time as local date and time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall_s))


def eta_s(view: RunView, now_s: float) -> float | None:
    """Seconds the run should still take: from the plan's estimate, mended by how it really goes."""
    if view.ended is not None:
        return None
    total = sum(phase.hosts for phase in view.phases.values())
    done = sum(host.settled is not None for host in view.hosts.values())
    elapsed = view.elapsed_s(now_s)
    estimate = view.plan.estimate_s
    share = done / total if total else 0.0
    pace = elapsed / share if share >= 0.2 else None
    guesses = [guess for guess in (estimate, pace) if guess is not None]
    if not guesses:
        return None
    weight = share if len(guesses) == 2 else 0.0
    whole = guesses[0] * (1 - weight) + guesses[-1] * weight
    return max(1.0, whole - elapsed)


def _headline(view: RunView, glance: Glance) -> str:
    if not view.run:
        return f"{view.plan.title}  starting"
    left = eta_s(view, glance.now_s)
    tail = f", about {format_duration(left)} left" if left is not None else ""
    mode = "  (check only)" if view.check_only else ""
    clock = format_duration(view.elapsed_s(glance.now_s)) + tail
    title_width = max(12, glance.width - len(clock) - len(view.run) - len(mode) - 10)
    return f"{_clip(view.plan.title, title_width)}{mode}  run {view.run}  {clock}"


def _phase_lines(view: RunView, room: int) -> list[Line]:
    lines = [_phase_line(phase, view) for phase in view.phases.values()]
    if len(lines) <= room:
        return lines
    first = next((i for i, phase in enumerate(view.phases.values()) if phase.passed is None), 0)
    start = max(0, min(first, len(lines) - room + 1))
    shown = lines[start : start + room - 1]
    return [*shown, Line(f"  ... {len(lines) - len(shown)} more phases")]


def _phase_line(phase: PhaseView, view: RunView) -> Line:
    counts = view.counts(phase.plan.name)
    done = sum(counts.values())
    batch = f"batch {phase.batch + 1}/{len(phase.plan.batches)}"
    state = f"{phase.word:<8}{batch if phase.word in ('running', 'gate') else '':<11}"
    text = f"{phase.plan.name:<14.14} {state}{done:>4} of {phase.hosts:<4}  {counts_text(counts)}"
    lost = any(counts.get(word) for word in LOST)
    return Line(
        text.rstrip(), "red" if lost else {"to do": "dim", "done": "green"}.get(phase.word, "")
    )


def _now_lines(view: RunView, glance: Glance) -> list[Line]:
    """What is being asked now: the preflight, then gates."""
    if view.run and view.ended is None and all(p.word == "to do" for p in view.phases.values()):
        return [Line("  asking hosts whether they are up")]
    lines = []
    for phase in view.phases.values():
        if phase.gate:
            since = format_duration(max(0.0, glance.now_s - phase.gate_began_s))
            title = view.titles.get(phase.gate, phase.gate)
            lines.append(Line(f"  {phase.plan.name} gate: {title}, asked for {since}"))
    return lines[:3]


def _host_lines(view: RunView, glance: Glance, room: int) -> list[Line]:
    open_ = view.unsettled()
    if not open_ or room < 2:
        return []
    if len(open_) > room:
        more = len(open_) - (room - 1)
        return [
            *(_host_line(h, view, glance) for h in open_[: room - 1]),
            Line(f"  ... {more} more"),
        ]
    return [_host_line(host, view, glance) for host in open_]


def _host_line(host: HostView, view: RunView, glance: Glance) -> Line:
    head = f"  {host.host:<12.12} "
    if not host.in_flight:
        return Line(head + (host.note or "between steps"), "dim")
    title = view.titles.get(host.pending[0], host.pending[0])
    since = format_duration(max(0.0, glance.now_s - host.sent_s))
    late = late_words(host, view, glance)
    said = host.note or printable(host.line.strip()) or round_words(host)
    note = ", ".join(part for part in (said, late) if part)
    text = f"{head}{title:<22.22} {since:>8}  {note}"
    return Line(text.rstrip(), "yellow" if host.lost_sent or late else "")


def late_words(host: HostView, view: RunView, glance: Glance) -> str:
    """`4x its own median (12 s)`; empty as long as the step takes no longer than usual."""
    planned = view.plan.hosts.get(host.host)
    if glance.history is None or planned is None or not host.pending:
        return ""
    name = view.names.get(host.pending[0], host.pending[0])
    usual = glance.history.usual(name, planned.tier, host.host)
    since_s = max(0.0, glance.now_s - host.sent_s)
    if usual is None or not is_slow(since_s, usual):
        return ""
    times = f"{since_s / usual.seconds:.0f}x" if usual.seconds else "beyond"
    return f"{times} {usual.whose} median ({format_duration(usual.seconds)})"


def _warnings(view: RunView) -> list[Line]:
    lines = []
    lost = sum(host.lost for host in view.hosts.values())
    if lost:
        left = view.plan.budget.per_phase + 1 - lost
        then = f"{left} more and the run stops" if left > 0 else "the budget is spent"
        lines.append(Line(f"lost {hosts_word(lost)}; {then}", "red"))
    if view.stop is not None:
        lines.append(
            Line(f"stopping ({view.stop.reason}): {view.stop.cause}; nothing new starts", "red")
        )
    return lines


def _clip(text: str, width: int) -> str:
    """At most `width` columns, on one line."""
    flat = printable(text).replace("\n", " ").replace("\t", " ")
    return flat if len(flat) <= width else flat[: width - 1] + "…"
