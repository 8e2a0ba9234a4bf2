"""`wait`: the host run pauses; nothing is sent."""

from __future__ import annotations

from fleetctl.base.durations import format_duration
from fleetctl.playbook.kinds import KindContext, StepDraft, StepKind
from fleetctl.playbook.operations import Pause
from fleetctl.playbook.units import Seconds


def _compile(value: Seconds, context: KindContext) -> tuple[StepDraft, ...]:
    pause = Pause(seconds=float(value))
    return (StepDraft(operation=pause, title=f"wait {format_duration(value)}"),)


KIND = StepKind(word="wait", model=Seconds, compile=_compile)
