"""What is different between two runs: in their plans, their ends, their times. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from fleetctl.base.durations import format_duration
from fleetctl.base.hostrange import fold
from fleetctl.base.outcome import Outcome
from fleetctl.plan.history import Usual, is_slow, median, names_of
from fleetctl.plan.model import Plan, PlanPhase
from fleetctl.report.facts import code_of_story
from fleetctl.report.items import item_rows
from fleetctl.report.story import RunStory

What = Literal[
    "exit", "outcome", "hosts", "release", "phases", "batches", "pace", "gates", "steps",
    "time", "tries", "people",
]  # fmt: skip
ENDS: frozenset[What] = frozenset({"exit", "outcome"})
"""What makes two runs different in outcome."""
_PART = "."
"""In the keys of the parts of a deploy: their texts hold the release's sums."""
HOSTS_MAX = 10
"""Single hosts whose times are told."""


class Difference(NamedTuple):
    """One thing that is not the same."""

    what: What
    where: str
    before: str
    now: str


def compare(before: RunStory, now: RunStory) -> list[Difference]:
    """Everything worth telling, what ended otherwise first."""
    return [
        *_ends(before, now),
        *_plans(before.plan, now.plan),
        *_times(before, now),
        *_tries(before, now),
        *_people(before, now),
    ]


def is_same_outcome(found: Iterable[Difference]) -> bool:
    """Whether every host both had ended as before, and the run as well."""
    return not any(one.what in ENDS for one in found)


def _ends(before: RunStory, now: RunStory) -> Iterator[Difference]:
    codes = [str(int(code_of_story(story))) for story in (before, now)]
    if codes[0] != codes[1]:
        yield Difference("exit", "run", *codes)
    was, is_ = before.outcomes(), now.outcomes()
    groups: dict[tuple[str, str], list[str]] = {}
    for host in (host for host in is_ if host in was):
        if was[host] is not is_[host]:
            groups.setdefault((_end(was[host]), _end(is_[host])), []).append(host)
    for (one, other), hosts in groups.items():
        yield Difference("outcome", fold(hosts), one, other)
    losses = [
        {row[:3]: row.words for row in item_rows(story) if row.lost} for story in (before, now)
    ]
    for place in dict.fromkeys((*losses[0], *losses[1])):
        pair = [each.get(place, "none lost") for each in losses]
        if pair[0] != pair[1]:
            yield Difference("outcome", f"{place[1]}: {place[2]}", *pair)


def _end(outcome: Outcome | None) -> str:
    return str(outcome) if outcome is not None else "no outcome"


def _plans(before: Plan, now: Plan) -> Iterator[Difference]:
    was, is_ = _worked_on(before), _worked_on(now)
    if gone := [host for host in was if host not in is_]:
        yield Difference("hosts", fold(gone), "worked on", "not in it")
    if new := [host for host in is_ if host not in was]:
        yield Difference("hosts", fold(new), "not in it", "worked on")
    releases: dict[tuple[str, str], list[str]] = {}
    for tier in dict.fromkeys((*before.releases, *now.releases)):
        pair = before.releases.get(tier, "none"), now.releases.get(tier, "none")
        if pair[0] != pair[1]:
            releases.setdefault(pair, []).append(tier)
    for pair, tiers in releases.items():
        yield Difference("release", ", ".join(tiers), *pair)
    phases = {phase.name: phase for phase in before.phases}, {p.name: p for p in now.phases}
    if list(phases[0]) != list(phases[1]):
        yield Difference("phases", "plan", ", ".join(phases[0]), ", ".join(phases[1]))
    for name, phase in phases[1].items():
        if name in phases[0]:
            yield from _phase(phases[0][name], phase, names_of(before), names_of(now))


def _worked_on(plan: Plan) -> dict[str, None]:
    return {host: None for phase in plan.phases for batch in phase.batches for host in batch}


def _phase(
    before: PlanPhase, now: PlanPhase, was: Mapping[str, str], is_: Mapping[str, str]
) -> Iterator[Difference]:
    where = now.name
    if _ramp(before) != _ramp(now):
        yield Difference("batches", where, _ramp(before), _ramp(now))
    if _pace(before) != _pace(now):
        yield Difference("pace", where, _pace(before), _pace(now))
    gates = [[_lasting(phase, gate.title) for gate in phase.gates] for phase in (before, now)]
    yield from _lists("gates", where, *gates)
    steps = [was[step.key] for step in before.steps], [is_[step.key] for step in now.steps]
    yield from _lists("steps", where, *steps)
    texts = {was[step.key]: _text(before, step.operation) for step in before.steps}
    for step in now.steps:
        name, deploys = is_[step.key], _PART in step.key and before.release != now.release
        if not deploys and name in texts and texts[name] != _text(now, step.operation):
            yield Difference("steps", f"{where}: {name}", "its text", "another text")


def _text(phase: PlanPhase, operation: object) -> str:
    return _lasting(phase, msgspec.json.encode(operation).decode())


def _lasting(phase: PlanPhase, text: str) -> str:
    """The text, whatever the release."""
    return text.replace(phase.release, "RELEASE") if phase.release else text


def _lists(
    what: What, where: str, before: Sequence[str], now: Sequence[str]
) -> Iterator[Difference]:
    """What only one of them has; when they have the same, that its order is another."""
    gone = [one for one in before if one not in now]
    new = [one for one in now if one not in before]
    if gone or new:
        yield Difference(what, where, ", ".join(gone) or "-", ", ".join(new) or "-")
    elif list(before) != list(now):
        yield Difference(what, where, ", ".join(before), ", ".join(now))


def _ramp(phase: PlanPhase) -> str:
    return ", ".join(str(len(batch)) for batch in phase.batches) or "none"


def _pace(phase: PlanPhase) -> str:
    budget = f"{phase.budget.per_phase} may be lost"
    if phase.budget.per_batch is not None:
        budget += f", {phase.budget.per_batch} a batch"
    throttle = f", {phase.throttle_per_min:g} a minute" if phase.throttle_per_min else ""
    return f"{phase.limit} at once{throttle}, {budget}, then {phase.policy}"


def _times(before: RunStory, now: RunStory) -> Iterator[Difference]:
    yield from _time("run", before.worked_s, now.worked_s)
    for name, phase in now.phases.items():
        was = before.phases.get(name)
        if was is not None:
            spans = [(one.ended_s or 0.0) - (one.began_s or 0.0) for one in (was, phase)]
            if all(one.ended_s and one.began_s for one in (was, phase)):
                yield from _time(name, *spans)
    was_s, is_s = _step_times(before), _step_times(now)
    steps = dict.fromkeys(step for step, _ in is_s)
    for step in steps:
        both = [host for name, host in is_s if name == step and (step, host) in was_s]
        if both:
            medians = [median(times[step, host] for host in both) for times in (was_s, is_s)]
            yield from _time(f"{step}, median of {len(both)}", *medians)
    hosts = [
        (one, other, f"{host}: {step}")
        for (step, host), other in is_s.items()
        if (one := was_s.get((step, host))) is not None
    ]
    told = [row for row in hosts if _is_notable(row[0], row[1])]
    for one, other, where in sorted(told, key=lambda row: -abs(row[1] - row[0]))[:HOSTS_MAX]:
        yield Difference("time", where, format_duration(one), format_duration(other))


def _time(where: str, before_s: float, now_s: float) -> Iterator[Difference]:
    if _is_notable(before_s, now_s):
        yield Difference("time", where, format_duration(before_s), format_duration(now_s))


def _is_notable(one_s: float, other_s: float) -> bool:
    low, high = sorted((one_s, other_s))
    return is_slow(high, Usual(low, 1, "its own"))


def _step_times(story: RunStory) -> dict[tuple[str, str], float]:
    """(name of the step, host) -> seconds, of what did something."""
    names = names_of(story.plan)
    return {
        (names.get(step.key, step.key), host.host): step.duration_s
        for host in story.hosts.values()
        for step in host.steps.values()
        if step.outcome is Outcome.CHANGED and not (step.replayed or step.undo or step.restore)
    }


def _tries(before: RunStory, now: RunStory) -> Iterator[Difference]:
    counts = []
    for story in (before, now):
        tried = [host.host for host in story.hosts.values() if host.retries]
        total = sum(host.retries for host in story.hosts.values())
        counts.append(f"{total} on {fold(dict.fromkeys(tried))}" if tried else "none")
    if counts[0] != counts[1]:
        yield Difference("tries", "more tries", *counts)


def _people(before: RunStory, now: RunStory) -> Iterator[Difference]:
    began = [story.opened.by.partition(" ")[0] if story.opened else "" for story in (before, now)]
    if began[0] != began[1]:
        yield Difference("people", "began it", *began)
    answers = [_answers(story) for story in (before, now)]
    for title in dict.fromkeys((*answers[0], *answers[1])):
        was, is_ = (each.get(title, "not asked") for each in answers)
        if was != is_:
            yield Difference("people", title, was, is_)


def _answers(story: RunStory) -> dict[str, str]:
    """Question -> the answers and who gave them."""
    found: dict[str, list[str]] = {}
    for gate in story.gates:
        if gate.approval and gate.settled_s is not None:
            word = {True: "approved", False: "refused", None: "not settled"}[gate.passed]
            by = f" by {gate.by.partition(' ')[0]}" if gate.by else ""
            found.setdefault(gate.title, []).append(word + by)
    for question in story.questions:
        if question.asked.about != "gate" and question.answered is not None:
            by = question.answered.by.partition(" ")[0]
            word = f"{question.answered.choice} by {by or 'default'}"
            found.setdefault(question.asked.text, []).append(word)
    return {title: ", ".join(dict.fromkeys(words)) for title, words in found.items()}
