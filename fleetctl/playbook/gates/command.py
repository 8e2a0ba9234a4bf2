"""`command`: must exit 0, on every host of the batch or (`where: here`) on this machine."""

from __future__ import annotations

from typing import Literal

import msgspec

from fleetctl.playbook.command import argv_of, shell_of, short
from fleetctl.playbook.kinds import GateDraft, GateKind, KindContext
from fleetctl.playbook.operations import HostProbe, LocalProbe
from fleetctl.playbook.source import Command
from fleetctl.playbook.substitute import HOST_ROOTS, names_in


class CommandGate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`run` must only read; `where: here` runs it on this machine, once a host if it names one."""

    run: Command
    where: Literal["hosts", "here"] = "hosts"


def _compile(value: Command | CommandGate, context: KindContext) -> tuple[GateDraft, ...]:
    gate = value if isinstance(value, CommandGate) else CommandGate(run=value)
    if gate.where == "hosts":
        probe = HostProbe(script=shell_of(gate.run))
        return (GateDraft(probe=probe, title=f"`{short(gate.run)}` on each host"),)
    argv = argv_of(gate.run)
    per_host = any(name.partition(".")[0] in HOST_ROOTS for name in names_in(argv))
    title = f"`{short(gate.run)}` here" + (", for each host" if per_host else "")
    return (GateDraft(probe=LocalProbe(argv=argv, per_host=per_host), title=title),)


KIND = GateKind(word="command", model=Command | CommandGate, compile=_compile)
