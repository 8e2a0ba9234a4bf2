"""`manual`: a person does it; the run goes on when they say it is done."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from fleetctl.playbook.command import short
from fleetctl.playbook.kinds import KindContext, StepDraft, StepKind
from fleetctl.playbook.operations import Manual
from fleetctl.playbook.substitute import parse

PATIENCE_S = 24 * 3600.0
"""A person may be away; every wait is finite all the same."""


class ManualText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`text` or `command`, or both."""

    text: str = ""
    check: Annotated[
        tuple[str, ...],
        msgspec.Meta(extra_json_schema={"description": "boxes to tick before it is done"}),
    ] = ()
    command: str = ""
    """Shown to be copied; one line edited makes it a `run` step."""
    who: str = ""
    default: Literal["failed", "skipped"] = "failed"
    """What holds when nobody has answered within the step's `timeout` (24h)."""


def _compile(value: str | ManualText, context: KindContext) -> tuple[StepDraft, ...]:
    wanted = ManualText(value) if isinstance(value, str) else value
    text, command = wanted.text.strip(), wanted.command.strip()
    if not text and not command:
        raise ValueError("what a person is to do is not said: give it a text or a command")
    if not all(box.strip() for box in wanted.check):
        raise ValueError("a box to tick without a text")
    operation = Manual(text or "Type this:", wanted.check, command, wanted.who, wanted.default)
    for template in operation.texts:
        parse(template)
    said = f"{text}: {command}" if text and command else text or command
    title = short(said.split("\n")[0])
    return (StepDraft(operation=operation, title=title, timeout_s=PATIENCE_S),)


KIND = StepKind(word="manual", model=str | ManualText, compile=_compile)
