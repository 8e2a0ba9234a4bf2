"""One simulated push, whole: what is pushed, what goes wrong, who interferes. Saved as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from fleetctl.plan.model import Plan
from fleetctl.rollout.controls import Word
from fleetctl.transport.simulated import Mishap

DeathKind = Literal["before", "torn", "after", "fsync fails", "fsync fails, kept", "disk full"]
"""How a controller dies at a journal write. before, torn, after: killed, where torn leaves some of
the write's sectors on disk. fsync fails: told so, and the write is gone, or there all the same.
disk full: told so."""
RivalKind = Literal["newer run", "older run", "same run"]
"""A second controller, alive with the first: of a run with a higher or a lower fence and a journal
of its own, or of this very run, over the same journal, its lock stolen."""


class Weather(msgspec.Struct, frozen=True):
    """How often what goes wrong, as chances between 0 and 1."""

    astray: float = 0.0
    """Of an order."""
    mishaps: tuple[Mishap, ...] = ()
    """What can happen to one that goes astray."""
    failing: float = 0.0
    """Of a step."""
    shut: float = 0.0
    """Of a gate's or the preflight's look."""
    slow_fsync: float = 0.0
    deaf: float = 0.0
    """Of a host going on with its next step although its connection is gone."""
    skew_s: float = 0.0
    """How far the clock of who resumes may be off, either way."""
    ends_s: float = 1e9
    """The virtual time after which nothing goes wrong any more."""


class Death(msgspec.Struct, frozen=True):
    """The controller of a leg dies at this write of its journal, counted from 1."""

    at: int
    how: DeathKind


class Rival(msgspec.Struct, frozen=True):
    """A second controller and when it comes, in seconds of virtual time."""

    kind: RivalKind
    at_s: float
    plan: Plan | None = None
    """Of a run of its own."""


class Said(msgspec.Struct, frozen=True):
    """A person's word, so many seconds after the first leg began."""

    at_s: float
    word: Word


class Case(msgspec.Struct, frozen=True):
    """Everything that happens follows from this and the code."""

    seed: int
    plan: Plan
    weather: Weather = Weather()
    deaths: tuple[Death, ...] = ()
    """Of one leg after the other, while there are any."""
    rivals: tuple[Rival, ...] = ()
    said: tuple[Said, ...] = ()
    window_s: float = 0.0
    """Of the legs up to the first end; 0: they have none."""
    legs: tuple[bool, ...] = ()
    """Legs after the first end: True tries lost hosts again only, False goes on with the rest."""


def save(case: Case, path: Path) -> None:
    """Write the case down to be replayed for ever, whatever becomes of the generator."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(case), indent=1) + b"\n")


def load(path: Path) -> Case:
    """The case of a regression file."""
    return msgspec.json.decode(path.read_bytes(), type=Case)
