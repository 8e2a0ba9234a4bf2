"""Faults asked for on the command line: `db003=freeze@upgrade`, `web*=fail@deploy:2`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

import msgspec

from fleetctl.base.durations import parse_duration_s
from fleetctl.base.errors import UsageError
from fleetctl.base.hostrange import expand
from fleetctl.base.names import did_you_mean, nearest
from fleetctl.lab.faults import Fault, FaultKind, parse_fault, parse_kind
from fleetctl.plan.model import Plan, PlanPhase
from fleetctl.playbook.operations import Exec

START = "before"
"""In place of a step: from before the push on."""
WORD_LEAST = 3
ALWAYS = 1_000_000
_FORM = re.compile(
    r"(?P<hosts>[^=@]+)=(?P<kind>[^@:]+)@(?P<step>.+?)(?::(?P<often>[0-9][0-9a-z.]*))?"
)
_HINT = "write it as db003=freeze@upgrade, 'web*=fail@deploy:1' or db001=refuse@before:30s"
_OPTIONS: Mapping[FaultKind, Mapping[str, str]] = {FaultKind.SLOW: {"latency": "200ms"}}
_OF_THE_STANDIN = frozenset({FaultKind.FAIL, FaultKind.FLOOD})


class Mishap(msgspec.Struct, frozen=True):
    """What goes wrong with one host, and when."""

    host: str
    kind: FaultKind
    key: str
    """Of the step, or the gate; empty: from before the push on."""
    title: str
    times: int = ALWAYS
    """At so many tries of the step."""
    lasts_s: float | None = None
    """Taken back after that long; None: it stays."""

    @property
    def fault(self) -> Fault | None:
        """What the lab gives the host; None when the stand-in itself does it."""
        if self.kind in _OF_THE_STANDIN:
            return None
        return parse_fault(self.kind.value, _OPTIONS.get(self.kind, {}), "embedded")

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.host}={self.kind}@{self.title or START}"


def parse_mishaps(words: tuple[str, ...], plan: Plan) -> tuple[Mishap, ...]:
    """What the words mean for this plan; raises UsageError with what was meant."""
    found = tuple(mishap for word in words for mishap in _parse(word, plan))
    seen: set[tuple[str, str]] = set()
    for mishap in found:
        if (mishap.host, mishap.key) in seen:
            raise UsageError(f"two faults at one moment: {mishap.words}", where="--fault")
        seen.add((mishap.host, mishap.key))
    return found


def _parse(word: str, plan: Plan) -> Iterator[Mishap]:
    form = _FORM.fullmatch(word.strip())
    if form is None:
        raise UsageError(f'"{word}" is no fault of a rehearsal', where="--fault", hint=_HINT)
    kind = parse_kind(form["kind"].strip())
    times, lasts_s = _often(form["often"], word)
    hosts = _hosts(form["hosts"].strip(), plan)
    step = form["step"].strip()
    if step == START:
        if kind in _OF_THE_STANDIN:
            raise UsageError(f"{kind} needs a step to happen at", where=f"--fault {word}")
        yield from (Mishap(host, kind, "", "", times, lasts_s) for host in hosts)
        return
    moments = list(_moments(plan))
    if not any(_means(step, *moment[1:]) for moment in moments):
        raise UsageError(f'no step is called "{step}"', where=f"--fault {word}",
                         hint=_meant(step, moments))  # fmt: skip
    for host in hosts:
        yield _at(host, kind, step, moments, (times, lasts_s), word)


def _meant(step: str, moments: list[Moment]) -> str:
    titles = dict.fromkeys(title for _, _, title, is_step in moments if is_step)
    names = {_kind_of(key) for _, key, _, _ in moments} | titles.keys()
    words = {word for title in titles for word in title.split() if len(word) > WORD_LEAST}
    return did_you_mean(step, names | words) if nearest(step, names | words) else (
        f"steps: {', '.join(titles)}"
    )  # fmt: skip


Moment = tuple[PlanPhase, str, str, bool]
"""A phase, the key and the title of a step or gate of it, and whether it is a step."""


def _moments(plan: Plan) -> Iterator[Moment]:
    """Everything of the plan that stand-ins are called for, in order."""
    for phase in plan.phases:
        steps = [step for step in phase.steps if isinstance(step.operation, Exec)]
        yield from ((phase, step.key, step.title, True) for step in steps)
        yield from ((phase, gate.key, gate.title, False) for gate in phase.gates)


def _at(
    host: str, kind: FaultKind, step: str, moments: list[Moment],
    often: tuple[int, float | None], word: str,
) -> Mishap:  # fmt: skip
    mine = [m for m in moments if any(host in batch for batch in m[0].batches)]
    meant = [m for m in mine if _means(step, *m[1:])]
    if not meant:
        titles = ", ".join(dict.fromkeys(title for _, _, title, is_step in mine if is_step))
        raise UsageError(
            f'{host} has no step "{step}" in this push',
            where=f"--fault {word}",
            why=f"it has: {titles}" if titles else "no phase works on it",
        )
    _, key, title, is_step = meant[0]
    if not is_step and kind is not FaultKind.FAIL:
        raise UsageError(f"at a gate only fail is possible, not {kind}", where=f"--fault {word}")
    return Mishap(host, kind, key, title, *often)


def _means(step: str, key: str, title: str, is_step: bool) -> bool:
    """Whether `step` names it: key, kind, kind and part, title, or words its title begins with."""
    names = (key, _kind_of(key), _kind_of(key).partition(".")[0], title)
    said, whole = step.lower(), title.lower()
    return (
        step in names or whole.startswith((f"{said} ", f"{said}:")) or f" {said} " in f" {whole} "
    )


def _kind_of(key: str) -> str:
    """`deploy.switch` of `p1-s03-deploy.switch`."""
    return key.split("-", 2)[-1]


def _often(text: str | None, word: str) -> tuple[int, float | None]:
    if text is None:
        return ALWAYS, None
    if text.isdigit():
        return int(text), None
    try:
        return ALWAYS, parse_duration_s(text)
    except ValueError as error:
        raise UsageError(str(error), where=f"--fault {word}", hint=_HINT) from None


def _hosts(pattern: str, plan: Plan) -> list[str]:
    worked_on = {name for phase in plan.phases for batch in phase.batches for name in batch}
    names = [name for name in plan.hosts if name in worked_on]
    try:
        patterns = list(expand(pattern)) if "[" in pattern else [pattern]
    except ValueError as error:
        raise UsageError(str(error), where="--fault") from None
    for each in patterns:
        if not any(fnmatchcase(name, each) for name in names):
            raise UsageError(f'no host of this push is "{each}"', where="--fault",
                             hint=did_you_mean(each, names))  # fmt: skip
    return [name for name in names if any(fnmatchcase(name, each) for each in patterns)]
