"""Phases without hosts: a person does every step of them, once, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetctl.playbook.model import Mistakes, Step, Written
from fleetctl.playbook.source import PhaseText

_OF_HOSTS = ("batches", "limit", "throttle", "budget", "lockstep", "gates")
_OF_STEPS = ("once", "barrier")


def check_hostless(
    text: PhaseText,
    steps: Sequence[Step | None],
    pieces: Mapping[str, object],
    written: Written,
    mistakes: Mistakes,
) -> None:
    """Note what a phase that names no hosts cannot have."""
    for step in steps:
        if step is not None and step.kind != "manual":
            mistakes.add(
                f"phase {text.name} names no hosts, and has a step that needs one",
                step.written.location,
                hint="add `hosts: SELECTOR` to the phase; only `manual` steps do without",
            )
            return
    for word in _OF_HOSTS:
        if word in pieces:
            what = f"phase {text.name} names no hosts: {word} says nothing"
            mistakes.add(what, written.at(word), hint=f"take {word} away, or add hosts")
    for step in steps:
        for word in _OF_STEPS:
            if step is not None and getattr(step.options, word):
                what = f"phase {text.name} names no hosts: {word} says nothing"
                mistakes.add(what, step.written.at(word), hint=f"take {word} away, or add hosts")
