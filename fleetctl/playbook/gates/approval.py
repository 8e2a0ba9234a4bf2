"""`approval`: a person says yes before the run goes on."""

from __future__ import annotations

from fleetctl.playbook.kinds import GateDraft, GateKind, KindContext
from fleetctl.playbook.operations import Approval
from fleetctl.playbook.substitute import HOST_ROOTS, names_in

PATIENCE_S = 24 * 3600.0
"""A person may be away; every wait is finite all the same."""


def _compile(value: str, context: KindContext) -> tuple[GateDraft, ...]:
    if not value.strip():
        raise ValueError("the question is empty")
    host_names = sorted(n for n in names_in([value]) if n.partition(".")[0] in HOST_ROOTS)
    if host_names:
        raise ValueError(
            f"the question is asked once a batch; {{{{{host_names[0]}}}}} has no value"
        )
    title = f"a person approves: {value.strip()}"
    return (GateDraft(probe=Approval(question=value), title=title, timeout_s=PATIENCE_S),)


KIND = GateKind(word="approval", model=str, compile=_compile)
