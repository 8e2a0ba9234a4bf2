"""The shapes of a playbook's file. `load` reads it from YAML into what `model` holds.

The JSON Schema and the page of file formats are made from these.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from fleetctl.inventory.model import Scalar
from fleetctl.playbook.operations import Once
from fleetctl.playbook.units import Amount, Bound, Ramp, Rate, Seconds, SomeSeconds, seconds

Command = str | tuple[str, ...]
"""A text is POSIX sh; a list is an argv, each element one word."""


class BudgetText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hosts that may be lost in a phase, and in one batch of it (a count)."""

    phase: Amount | None = None
    batch: int | None = None
    items: int | None = None
    """Items of its foreach steps that may be lost in the phase, on all hosts together."""


Policy = Literal["continue", "rollback", "stop", "ask", "leave", "undo"]
"""What becomes of a lost host. leave and undo are what continue and rollback were called once."""


class FailureText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a lost host, and of its batch when that ends the run."""

    host: Policy = "continue"
    batch: Literal["continue", "rollback"] = "continue"
    """rollback: a batch that spends its budget or whose gate refuses goes back as a whole."""
    within: SomeSeconds = msgspec.field(default_factory=lambda: SomeSeconds(1800))
    """With ask: how long a person has for an answer."""
    default: Literal["stop", "rollback", "continue"] = "stop"
    """With ask: what holds when nobody answers."""


class RetryText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often and how soon an idempotent step is tried again."""

    attempts: int
    delay: Seconds = seconds(1)
    factor: float = 2.0
    delay_max: Seconds = seconds(60)


_AMOUNT_OR_BUDGET = msgspec.Meta(
    extra_json_schema={"description": "a count, a percentage, or {phase: 2, batch: 1}"}
)
_POLICY_OR_FAILURE = msgspec.Meta(
    extra_json_schema={
        "description": "continue, rollback, stop, ask, or {host: rollback, batch: rollback}"
    }
)
_TRIES = msgspec.Meta(
    extra_json_schema={"description": "tries in all, or {attempts: 3, delay: 1s, factor: 2}"}
)


_LIMIT = msgspec.Meta(extra_json_schema={"description": "at once: 8; or starts in a time: 4/s"})
Uses = Annotated[
    tuple[str, ...] | dict[str, int],
    msgspec.Meta(extra_json_schema={"description": "named limits: [api], or {api: 2} of it"}),
]
"""Which of the playbook's `limits` a step takes, and how much of each."""


class SecretText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret comes from, on this machine; exactly one of these."""

    env: str = ""
    """An environment variable of fleetctl; it is taken out for what fleetctl starts."""
    command: Command = ""
    """What it prints, without the last line end; runs in the playbook's folder."""
    file: str = ""
    """Relative to the playbook, or `~/...`; every byte of it counts."""


class SecretsText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which secrets a step is given, by name, and how."""

    stdin: str = ""
    """The secret it reads from standard input."""
    files: dict[str, str] = {}
    """Variable -> secret: the variable holds the path of a file with the value, there for as long
    as the step runs, for its user alone."""


class ForeachText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The step is done once for each item the host lists."""

    list: Command
    """Read-only; prints the items, one a line."""
    concurrency: int = 1
    """Most items at work on one host at once."""
    noun: str = "item"
    """What an item is called, in the singular."""
    timeout: SomeSeconds | None = None
    """Of the list; that of the step holds for each item."""


class StepOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every kind of step may carry beside its own word."""

    name: str = ""
    check: Command = ""
    """Read-only; exit 0 means there is nothing to do."""
    undo: Command = ""
    restore: Command = ""
    """Puts the host back as it was, on every way out of the phase; must bear running twice."""
    restored_by: str = ""
    """The name of a later step of the phase that does so where all goes well."""
    once: Once = ""
    idempotent: bool = False
    """It may run twice without harm."""
    retry: Annotated[Any, _TRIES] = None
    timeout: SomeSeconds | None = None
    barrier: bool = False
    secret: bool = False
    """Keep nothing of what it says, anywhere."""
    foreach: ForeachText | None = None
    """`{{item}}` names the item in `run` and `check`."""
    uses: Uses = ()
    secrets: SecretsText | None = None
    """For its `run`, `undo` and `restore`, not its `check`."""


class GateOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every kind of gate may carry beside its own word."""

    name: str = ""
    when: Literal["before", "after"] | None = None
    timeout: SomeSeconds | None = None
    interval: SomeSeconds | None = None
    soak: Seconds | None = None


class PhaseText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A phase as it stands in the file."""

    name: str
    hosts: str = ""
    """Left out: only of a phase all of whose steps a person does, once."""
    needs: tuple[str, ...] | None = None
    """Left out: the phase before it."""
    batches: Ramp | None = None
    limit: Amount | None = None
    throttle: Rate | None = None
    budget: Annotated[Any, _AMOUNT_OR_BUDGET] = None
    on_failure: Annotated[Any, _POLICY_OR_FAILURE] = "continue"
    lockstep: bool = False
    uses: Uses = ()
    """For each of its steps that is sent."""
    gates: tuple[Any, ...] = ()
    steps: tuple[Any, ...] = ()
    """Left out: the phase only asks its gates, of all its hosts at once."""


class CheckText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something `fleetctl doctor` looks at on hosts, beside what it knows itself."""

    name: str
    run: Command
    """Read-only. Without `warn` and `fail` its exit status counts; else the number it says last."""
    hosts: str = "all"
    warn: Bound | None = None
    fail: Bound | None = None
    unit: str = ""
    """For people: what the number counts."""
    timeout: SomeSeconds = seconds(10)


class DoctorText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `fleetctl doctor` is told by the playbook."""

    checks: tuple[CheckText, ...] = ()


Moment = Literal["begin", "question", "stop", "finish"]
"""When a run tells of itself; question: a person is asked for something."""


class MailText(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    """How mail goes out."""

    to: tuple[str, ...]
    sender: str
    server: str
    """`HOST` or `HOST:PORT`; the port goes by `security`: 587, 465, 25."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""
    """The name of a secret."""


class NotifyText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody a run tells of itself; exactly one of `webhook` and `mail`."""

    webhook: str = ""
    """The name of the secret that is its address."""
    mail: MailText | None = None
    on: tuple[Moment, ...] = ("question", "stop", "finish")
    name: str = ""
    timeout: SomeSeconds | None = None
    """Of one try; left out: 10 s."""


class PlaybookText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A playbook as it stands in the file."""

    title: str
    selection: Literal["free", "required"] = "free"
    """required: whoever runs it says on which hosts, with --tier, --host, --tag or --limit."""
    variables: dict[str, Scalar] = {}
    secrets: dict[str, SecretText] = {}
    budget: Amount | None = None
    doctor: DoctorText | None = None
    limits: dict[str, Annotated[int | str, _LIMIT]] = {}
    """What steps share over all phases: so many at once (8), or so many starts a second (4/s)."""
    notify: tuple[NotifyText, ...] = ()
    phases: tuple[Any, ...]
