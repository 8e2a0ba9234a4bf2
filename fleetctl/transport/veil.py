"""A transport that knows secrets: put into orders last of all, taken out of answers first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from fleetctl.base.redaction import Redactor
from fleetctl.playbook.handover import handed
from fleetctl.playbook.operations import Exec, SecretExec
from fleetctl.transport.protocol import (
    Answered,
    Event,
    Looked,
    Lost,
    Order,
    Output,
    Refused,
    Round,
    RunSegment,
    Said,
    Sink,
    StepEnded,
    StepOrder,
    StepResult,
    Transport,
)


class Vault:
    """The values of a run's secrets, in memory alone."""

    def __init__(self, values: Mapping[str, bytes] | None = None) -> None:
        self._values = dict(values or {})
        self.redactor = Redactor(self._values.values())

    def __repr__(self) -> str:
        return f"Vault of {len(self._values)}"

    def __bool__(self) -> bool:
        return bool(self._values)

    def value(self, name: str) -> bytes:
        """The value of the secret of that name."""
        return self._values[name]


class VeiledTransport:
    """Hands on orders with the secrets in them, and events without."""

    def __init__(
        self, open_transport: Callable[[Sink], Transport], sink: Sink, vault: Vault
    ) -> None:
        redactor = vault.redactor
        self._vault = vault
        self._transport = open_transport(lambda event: sink(veiled(event, redactor)))

    def submit(self, order: Order) -> None:
        """Take an order; answers come to the sink. Never blocks."""
        if isinstance(order, RunSegment):
            steps = tuple(self._with_values(step) for step in order.steps)
            order = msgspec.structs.replace(order, steps=steps)
        self._transport.submit(order)

    def close(self) -> None:
        """Close every connection; finite. Idempotent."""
        self._transport.close()

    def _with_values(self, step: StepOrder) -> StepOrder:
        found = step.operation
        if isinstance(found, Round) and found.secrets:
            act = handed(found.act, found.secrets, self._vault.value)
            given = msgspec.structs.replace(found, act=act, secrets=())
            return msgspec.structs.replace(step, operation=given, wipe=True)
        if not isinstance(found, SecretExec):
            return step
        value = self._vault.value
        act = "" if step.undo else handed(found.act, found.secrets, value)
        undo = handed(found.undo, found.secrets, value) if step.undo and found.undo else ""
        return msgspec.structs.replace(step, operation=Exec(act, found.check, undo), wipe=True)


def veiled(event: Event, redactor: Redactor) -> Event:
    """The event with every secret blotted out of what the host said."""
    change = msgspec.structs.replace
    match event:
        case Said():
            return change(event, line=redactor.text(event.line, cut=True))
        case StepEnded():
            return change(event, result=_result(event.result, redactor))
        case Answered():
            return change(event, results=tuple(_result(each, redactor) for each in event.results))
        case Looked():
            stdout, stderr = _output(event.stdout, redactor), _output(event.stderr, redactor)
            return change(event, stdout=stdout, stderr=stderr)
        case Lost() | Refused():
            return change(event, detail=redactor.text(event.detail, cut=True))
        case _:
            return event


def _result(result: StepResult, redactor: Redactor) -> StepResult:
    return msgspec.structs.replace(
        result,
        stdout=_output(result.stdout, redactor),
        stderr=_output(result.stderr, redactor),
        detail=redactor.text(result.detail, cut=True),
        items=tuple(
            msgspec.structs.replace(item, said=_output(item.said, redactor))
            for item in result.items
        ),
    )


def _output(output: Output, redactor: Redactor) -> Output:
    held = len(output.head) + len(output.tail)
    if output.size > held:  # its middle is left out, and maybe half of a secret with it
        head = redactor.redact(output.head, cut_end=True)
        tail = redactor.redact(output.tail, cut_start=True)
    else:
        head, tail = redactor.redact(output.head + output.tail), b""
    return Output(head, tail, output.size - held + len(head) + len(tail))
