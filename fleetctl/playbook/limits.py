"""Named limits: what steps of all phases share, and which step takes how much of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fleetctl.base.marked import Document
from fleetctl.base.names import did_you_mean
from fleetctl.playbook.model import Mistakes, Phase, Step, Written
from fleetctl.playbook.operations import NamedLimit
from fleetctl.playbook.source import Uses
from fleetctl.playbook.units import Rate

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SENDS_NOTHING = frozenset({"manual", "wait"})


def read_limits(
    document: Document, limits: Mapping[str, int | str], mistakes: Mistakes
) -> dict[str, NamedLimit]:
    """The limits as they count; mistakes are noted, and such a limit is known all the same."""
    found: dict[str, NamedLimit] = {}
    for name, text in limits.items():
        path = ("limits", name)
        if not _NAME.fullmatch(name):
            what = f'"{name}" cannot be the name of a limit: letters, digits, _ . - only'
            mistakes.add(what, document.key_location(path))
        try:
            found[name] = _read(text)
        except ValueError as error:
            mistakes.add(str(error), document.location(path))
            found[name] = NamedLimit(at_once=1)
    return found


def _read(text: int | str) -> NamedLimit:
    if isinstance(text, str) and "/" in text:
        return NamedLimit(per_s=Rate.read(text) / 60)
    if isinstance(text, str) and not text.isdigit():
        raise ValueError("expected a count such as 8, or a rate such as 4/s")
    if int(text) < 1:
        raise ValueError("a limit of 0 would never let a step begin")
    return NamedLimit(at_once=int(text))


def check_uses(
    phases: Sequence[Phase], limits: Mapping[str, NamedLimit], mistakes: Mistakes
) -> None:
    """Every name is declared, every weight counts something."""
    for phase in phases:
        _check(phase.text.uses, phase.written, limits, mistakes)
        for step in phase.steps:
            if step.options.uses and step.kind in _SENDS_NOTHING:
                place = step.written.at("uses")
                mistakes.add(f"a step of kind {step.kind} uses nothing on hosts", place)
            _check(step.options.uses, step.written, limits, mistakes)


def _check(
    uses: Uses, written: Written, limits: Mapping[str, NamedLimit], mistakes: Mistakes
) -> None:
    for at, (name, weight) in enumerate(weights_of(uses).items()):
        place = written.at("uses", name if isinstance(uses, dict) else at)
        if name not in limits:
            hint = did_you_mean(name, limits) or "declare it: `limits: {NAME: 8}` at the top"
            mistakes.add(f'no limit is named "{name}"', place, hint=hint)
        elif weight < 1:
            mistakes.add("a weight counts from 1", place)


def weights_of(uses: Uses) -> dict[str, int]:
    """Name -> weight; a name alone weighs 1."""
    return dict(uses) if isinstance(uses, dict) else dict.fromkeys(uses, 1)


def uses_of(phase: Phase, step: Step, times: int) -> dict[str, int]:
    """What a step takes on one host; its own word wins over its phase's.

    `times`: how many of it run on a host at once.
    """
    if step.kind in _SENDS_NOTHING:
        return {}
    said = {**weights_of(phase.text.uses), **weights_of(step.options.uses)}
    return {name: weight * times for name, weight in said.items()}
