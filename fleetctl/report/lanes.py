"""What stands above the hosts of a timeline: phases, gates, and what people did. Pure."""

from __future__ import annotations

from fleetctl.base.durations import format_duration
from fleetctl.report.axis import Axis
from fleetctl.report.pieces import GateStory, QuestionStory
from fleetctl.report.shapes import Box, Chart, Label, Rule, Sign, cut
from fleetctl.report.story import RunStory

HEAD = 22.0
"""Above it stands the axis."""
LANE = 18.0
LANES = LANE * 3 + 8
"""Height of all lanes, with the room below them."""
NAME_X = 112.0
_SAY = {"word": "word", "stop": "stop", "leg": "leg", "other": "other"}


def draw_lanes(chart: Chart, story: RunStory, axis: Axis, bottom: float) -> None:
    """Draw phases, gates and people; where a phase begins, a line runs down to `bottom`."""
    for number, name in enumerate(("phases", "gates", "people")):
        chart.labels.append(Label(NAME_X, HEAD + LANE * number + 12, name, "lane"))
    _phases(chart, story, axis, bottom)
    for gate in story.gates:
        _gate(chart, story, axis, gate)
    _people(chart, story, axis)


def _phases(chart: Chart, story: RunStory, axis: Axis, bottom: float) -> None:
    for name, phase in story.phases.items():
        if phase.began_s is None:
            continue
        ended_s = phase.ended_s or story.now_s
        if not axis.shows(phase.began_s, ended_s):
            continue
        left = axis.x(phase.began_s)
        width = max(2.0, axis.x(ended_s) - left)
        state = {True: "done", False: "stopped", None: "not ended"}[phase.passed]
        told = f"phase {name}: {state}, {format_duration(max(0.0, ended_s - phase.began_s))}"
        look = "phase" if phase.passed is not False else "phase stopped"
        chart.boxes.append(Box(left, HEAD + 1, width, LANE - 4, look, told))
        chart.labels.append(Label(left + 4, HEAD + 12, cut(name, width - 6), "phase", told))
        if axis.shows(phase.began_s, phase.began_s):
            chart.rules.append(Rule(left, HEAD + LANE, left, bottom, "phase"))


def _gate(chart: Chart, story: RunStory, axis: Axis, gate: GateStory) -> None:
    ended_s = gate.settled_s or story.now_s
    if not axis.shows(gate.asked_s, ended_s):
        return
    lane = 2 if gate.approval else 1
    y = HEAD + LANE * lane
    left, right = axis.x(gate.asked_s), axis.x(ended_s)
    told = gate_words(gate, ended_s)
    chart.boxes.append(Box(left, y + 5, max(1.6, right - left), 5, "gate", told))
    sign = {True: "passed", False: "refused", None: "open"}[gate.passed]
    chart.signs.append(Sign(min(right, axis.right - 4), y + 7.5, sign, told))
    if gate.approval and gate.by:
        who = gate.by.split("@")[0]
        chart.labels.append(Label(min(right, axis.right) + 7, y + 11, who, "who", told))


def gate_words(gate: GateStory, ended_s: float) -> str:
    """`gate “mysqld answers” of db, batch 1: holds, after 12 s (by ann@desk)`."""
    kind = "approval" if gate.approval else "gate"
    batch = f"batch {gate.batch + 1}" if gate.batch >= 0 else "before it"
    if gate.passed is None:
        word = gate.cause or "not settled"
    elif gate.approval:
        word = "approved" if gate.passed else "refused"
    else:
        word = "holds" if gate.passed else "does NOT hold"
    by = f" (by {gate.by})" if gate.by else ""
    cause = f": {gate.cause}" if gate.cause and gate.passed is not None else ""
    after = format_duration(max(0.0, ended_s - gate.asked_s))
    return f"{kind} “{gate.title}” of {gate.phase}, {batch}: {word}, after {after}{by}{cause}"


def question_words(question: QuestionStory) -> str:
    """`manual of db: done by ann@desk 42, after 3 min (why): Put the banner up`."""
    asked, answered = question.asked, question.answered
    about = f"{asked.about} of {asked.phase}" + (f", {asked.host}" if asked.host else "")
    if answered is None or question.answered_s is None:
        return f"{about}: not answered: {asked.text}"
    by = f"by {answered.by}" if answered.by else "taken by default"
    why = f" ({answered.why})" if answered.why else ""
    after = format_duration(max(0.0, question.answered_s - question.asked_s))
    return f"{about}: {answered.choice} {by}, after {after}{why}: {asked.text}"


def _question(chart: Chart, story: RunStory, axis: Axis, question: QuestionStory) -> None:
    if not axis.shows(question.asked_s, question.answered_s or story.now_s):
        return
    y = HEAD + LANE * 2
    left = axis.x(question.asked_s)
    right = axis.x(question.answered_s or story.now_s)
    told = question_words(question)
    chart.boxes.append(Box(left, y + 5, max(1.6, right - left), 5, "gate", told))
    sign = "open" if question.answered is None else "passed"
    chart.signs.append(Sign(min(right, axis.right - 4), y + 7.5, sign, told))
    if question.answered is not None and question.answered.by:
        who = question.answered.by.split("@")[0]
        chart.labels.append(Label(min(right, axis.right) + 7, y + 11, who, "who", told))


def _people(chart: Chart, story: RunStory, axis: Axis) -> None:
    for question in story.questions:
        if question.asked.about != "gate":  # a gate tells itself
            _question(chart, story, axis, question)
    y = HEAD + LANE * 2 + 7.5
    for number, leg in enumerate(story.legs):
        told = f"{leg.how} by {leg.by}"
        if number and axis.shows(leg.began_s, leg.began_s):
            chart.signs.append(Sign(axis.x(leg.began_s), y, "leg", told))
    for mark in story.marks:
        if not mark.host and axis.shows(mark.at_s, mark.at_s):
            chart.signs.append(Sign(axis.x(mark.at_s), y, _SAY.get(mark.kind, "other"), mark.text))
