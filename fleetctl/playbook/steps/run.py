"""`run`: a command. A text is POSIX sh, a list is an argv."""

from __future__ import annotations

from fleetctl.playbook.command import shell_of, short
from fleetctl.playbook.kinds import KindContext, StepDraft, StepKind
from fleetctl.playbook.model import Command
from fleetctl.playbook.operations import Exec


def _compile(value: Command, context: KindContext) -> tuple[StepDraft, ...]:
    return (StepDraft(operation=Exec(act=shell_of(value)), title=short(value)),)


KIND = StepKind(word="run", model=Command, compile=_compile)
