"""The report of a run as one HTML file: everything in it, nothing fetched, no script."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from fleetctl import __version__
from fleetctl.base.durations import format_duration
from fleetctl.base.errors import ExitCode
from fleetctl.base.hostrange import fold
from fleetctl.base.plaintext import printable
from fleetctl.plan.digest import SHORT
from fleetctl.plan.history import names_of
from fleetctl.report import facts
from fleetctl.report.accounting import (
    accounted_words,
    code_words,
    read_back_words,
    unaccounted_lines,
)
from fleetctl.report.chart import draw_charts
from fleetctl.report.items import item_failures, item_rows, tally_words
from fleetctl.report.lanes import gate_words, question_words
from fleetctl.report.pieces import WORK, GateStory, HostStory
from fleetctl.report.slowness import Slow, slow_steps, timed_step
from fleetctl.report.story import RunStory

if TYPE_CHECKING:
    from jinja2 import Template

    from fleetctl.plan.history import History

TEMPLATE = "report.html.j2"


class HostRow(NamedTuple):
    """A host in a phase as a row of the table that says what the timeline shows."""

    host: str
    phase: str
    batch: int
    outcome: str
    release: str
    began_s: float
    took: str
    steps: str
    notes: str
    lost: bool


class Moment(NamedTuple):
    """Something that happened, for the table of moments."""

    at_s: float
    what: str


def render_page(story: RunStory, history: History, seal: str = "") -> str:
    """The whole file; `seal`: the end of the journal's chain, by which it can be checked later."""
    slow = slow_of(story, history)
    known = facts.accounting_of(story)
    code = facts.code_of_story(story)
    return _template().render(
        story=story,
        plan=story.plan,
        headline=facts.headline(story),
        state=_state(story, code),
        code=int(code),
        code_words=code_words(story.ended, known),
        accounted=accounted_words(known),
        unaccounted=list(unaccounted_lines(known)),
        read_back=read_back_words(known),
        took=format_duration(story.worked_s),
        usual=_usual_words(story),
        charts=draw_charts(story, {(one.timed.host, one.timed.title) for one in slow}),
        failures=facts.failures(story),
        slow=slow,
        batches=facts.batch_rows(story),
        gates=[(gate.asked_s, gate.by, _gate_row(story, gate)) for gate in story.gates],
        people=people(story),
        trouble=list(_trouble(story)),
        releases=facts.release_rows(story),
        owed=facts.owed_lines(story),
        tallies=list(tally_words(story)),
        items=item_rows(story),
        item_failures=item_failures(story),
        hosts=list(_host_rows(story)),
        untouched=_untouched(story),
        seal=seal,
        short=SHORT,
        version=__version__,
    )


def slow_of(story: RunStory, history: History) -> list[Slow]:
    """Steps of the run that took a host much longer than usual."""
    names = names_of(story.plan)
    timed = (
        timed_step(record, tier_of(story, host.host), story.titles, names)
        for host in story.hosts.values()
        for record in host.steps.values()
    )
    return slow_steps((one for one in timed if one is not None), history)


def tier_of(story: RunStory, host: str) -> str:
    """The host's tier; empty for one the plan does not know."""
    planned = story.plan.hosts.get(host)
    return planned.tier if planned is not None else ""


def people(story: RunStory) -> list[Moment]:
    """Who did what: begun, answered, told, stopped; and what else is in the journal."""
    moments = [Moment(leg.began_s, f"{leg.how} by {leg.by}") for leg in story.legs]
    for gate in story.gates:
        if gate.approval and gate.settled_s is not None:
            moments.append(Moment(gate.settled_s, gate_words(gate, gate.settled_s)))
    for question in story.questions:
        at_s = question.answered_s or question.asked_s
        if question.asked.about != "gate":
            moments.append(Moment(at_s, question_words(question)))
    for mark in story.marks:
        where = f"{mark.host}: " if mark.host else ""
        moments.append(Moment(mark.at_s, where + mark.text))
    return sorted(moments, key=lambda moment: moment.at_s)


def _trouble(story: RunStory) -> Iterator[tuple[float, str, str]]:
    """Retries and lost connections: when, host, what."""
    found = [(m.at_s, m.host, m.text) for host in story.hosts.values() for m in host.marks]
    yield from sorted(found)


def _host_rows(story: RunStory) -> Iterator[HostRow]:
    order = list(story.phases)
    begun = (host for host in story.hosts.values() if host.begun)
    for host in sorted(begun, key=lambda one: (order.index(one.phase), one.batch)):
        end = host.settled
        worked = [span for span in host.spans if span.kind in WORK]
        steps = "; ".join(
            f"{'' if span.kind == 'step' else f'{span.kind} of '}{span.title} "
            f"{format_duration(span.seconds)}{_unless_well(span.outcome)}"
            for span in worked
        )
        yield HostRow(
            host.host, host.phase, host.batch + 1, str(end.outcome) if end else "no end",
            end.release if end else "", host.began_s,
            format_duration(max(0.0, (host.settled_s or story.now_s) - host.began_s)),
            steps, _notes(host), end is None or end.outcome.lost,
        )  # fmt: skip


def _unless_well(outcome: Any) -> str:
    return "" if outcome in (None, "changed") else f" ({outcome})"


def _notes(host: HostStory) -> str:
    held_s = sum(span.seconds for span in host.spans if span.kind == "held")
    parts = [f"held {format_duration(held_s)}"] * bool(held_s)
    parts += [f"{host.retries} more {'try' if host.retries == 1 else 'tries'}"] * bool(host.retries)
    if host.settled is not None and host.settled.cause:
        parts.append(host.settled.cause)
    return "; ".join(parts)


def _gate_row(story: RunStory, gate: GateStory) -> str:
    return gate_words(gate, gate.settled_s or story.now_s)


def _untouched(story: RunStory) -> list[str]:
    begun = {host.host for host in story.hosts.values() if host.begun}
    return [name for name in story.outcomes() if name not in begun]


def _usual_words(story: RunStory) -> str:
    if story.plan.estimate_s is None or story.check_only:
        return ""
    return f"about {format_duration(story.plan.estimate_s)} were expected"


def _state(story: RunStory, code: ExitCode) -> str:
    if story.ended is None:
        return "open"
    return "well" if code is ExitCode.OK else "ill"


def wall_text(wall_s: float, form: str = "%Y-%m-%d %H:%M:%S %z") -> str:
    """A Unix time as local date and time, with how far that is from UTC."""
    return time.strftime(form, time.localtime(wall_s))


def clock_text(wall_s: float) -> str:
    """A Unix time as local time of day."""
    return wall_text(wall_s, "%H:%M:%S")


def number_text(value: float) -> str:
    """A coordinate, as short as it may be."""
    return f"{value:.1f}".removesuffix(".0")


@cache
def _template() -> Template:
    import jinja2

    loader = jinja2.PackageLoader("fleetctl.report")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        wall=wall_text, clock=clock_text, n=number_text, duration=format_duration,
        safe_text=printable,
    )  # fmt: skip
    environment.globals["fold"] = fold
    return environment.get_template(TEMPLATE)
