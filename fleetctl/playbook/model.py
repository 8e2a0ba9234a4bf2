"""A playbook as it is worked with: what an author wrote, checked, each part with its place.

`load` makes it of the file's shapes (`source`); `plan.compile` turns it into a plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from fleetctl.base.errors import InputError, Location
from fleetctl.inventory.expression import Expression
from fleetctl.inventory.model import Scalar
from fleetctl.playbook.channels import Channel
from fleetctl.playbook.operations import NamedLimit, SecretSource
from fleetctl.playbook.source import (
    BudgetText,
    CheckText,
    FailureText,
    GateOptions,
    PhaseText,
    RetryText,
    StepOptions,
)
from fleetctl.playbook.units import Amount


class Written(msgspec.Struct, frozen=True):
    """Something an author wrote, with the places of its parts."""

    location: Location
    places: Mapping[tuple[str | int, ...], Location] = msgspec.field(default_factory=dict)
    """Path inside it -> where that value stands."""

    def at(self, *path: str | int) -> Location:
        """Where the part at `path` stands; the whole when the part was left out."""
        return self.places.get(path, self.location)


class Step(msgspec.Struct, frozen=True):
    """One step: the word of its kind, the value of that kind's model, the common options."""

    kind: str
    value: Any
    options: StepOptions
    retry: RetryText | None
    written: Written


class Gate(msgspec.Struct, frozen=True):
    """One gate, as Step."""

    kind: str
    value: Any
    options: GateOptions
    written: Written


class Used(msgspec.Struct, frozen=True):
    """A name used in a text of the playbook, and where."""

    name: str
    location: Location


class Phase(msgspec.Struct, frozen=True):
    """A phase, checked as far as it can be without a fleet."""

    text: PhaseText
    hosts: Expression | None
    """None: a person does all of it, and no host is meant."""
    needs: tuple[str, ...]
    budget: BudgetText
    gates: tuple[Gate, ...]
    steps: tuple[Step, ...]
    used: tuple[Used, ...]
    written: Written
    failure: FailureText = FailureText()

    @property
    def name(self) -> str:
        return self.text.name


class Check(msgspec.Struct, frozen=True):
    """Something to look at on hosts before a push."""

    text: CheckText
    hosts: Expression
    used: tuple[Used, ...]
    written: Written


class Playbook(msgspec.Struct, frozen=True):
    """A playbook, checked as far as it can be without a fleet."""

    title: str
    variables: Mapping[str, Scalar]
    budget: Amount | None
    phases: tuple[Phase, ...]
    file: str
    """As it was named; for messages."""
    folder: str
    """Absolute; relative paths of the author start here."""
    sha256: str
    secrets: Mapping[str, SecretSource] = msgspec.field(default_factory=dict)
    limits: Mapping[str, NamedLimit] = msgspec.field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    selection: Literal["free", "required"] = "free"
    channels: tuple[Channel, ...] = ()


class Mistakes:
    """Collects mistakes so that all of them are told together."""

    def __init__(self) -> None:
        self.errors: list[InputError] = []

    def add(self, what: str, location: Location, *, why: str = "", hint: str = "") -> None:
        self.errors.append(InputError(what, location, why=why, hint=hint))

    def extend(self, errors: Sequence[InputError]) -> None:
        self.errors.extend(errors)
