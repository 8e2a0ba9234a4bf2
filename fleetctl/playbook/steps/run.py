"""`run`: a command. A text is POSIX sh, a list is an argv."""

from __future__ import annotations

from fleetctl.playbook.command import shell_of, short
from fleetctl.playbook.kinds import KindContext, StepDraft, StepKind
from fleetctl.playbook.operations import Exec
from fleetctl.playbook.source import Command


def _compile(value: Command, context: KindContext) -> tuple[StepDraft, ...]:
    return (StepDraft(operation=Exec(act=shell_of(value)), title=short(value)),)


KIND = StepKind(word="run", model=Command, compile=_compile)
