"""`soak`: every host done so far must go on answering, and passing `check`, for a while."""

from __future__ import annotations

import msgspec

from fleetctl.base.durations import format_duration
from fleetctl.playbook.command import shell_of, short
from fleetctl.playbook.kinds import GateDraft, GateKind, KindContext
from fleetctl.playbook.operations import HostProbe
from fleetctl.playbook.source import Command
from fleetctl.playbook.units import Seconds


class SoakGate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"lasts": "for"}):
    """`check` left out: it is enough that the host answers over SSH."""

    lasts: Seconds
    check: Command = "true"


def _compile(value: SoakGate, context: KindContext) -> tuple[GateDraft, ...]:
    if not value.lasts:
        raise ValueError("a soak of no time checks nothing")
    check = "hosts answer" if value.check == "true" else f"`{short(value.check)}` holds"
    draft = GateDraft(
        probe=HostProbe(script=shell_of(value.check)),
        title=f"{check} for {format_duration(value.lasts)}",
        soak_s=float(value.lasts),
    )
    return (draft,)


KIND = GateKind(word="soak", model=SoakGate, compile=_compile)
