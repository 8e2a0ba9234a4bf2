"""`approval`: a person says yes before the run goes on."""

from __future__ import annotations

from typing import Literal

import msgspec

from fleetctl.playbook.kinds import GateDraft, GateKind, KindContext
from fleetctl.playbook.operations import Approval
from fleetctl.playbook.substitute import HOST_ROOTS, names_in

PATIENCE_S = 24 * 3600.0
"""A person may be away; every wait is finite all the same."""


class ApprovalText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`default`: what holds when nobody has answered within the gate's `timeout` (24h)."""

    question: str
    default: Literal["refuse", "approve"] = "refuse"


def _compile(value: str | ApprovalText, context: KindContext) -> tuple[GateDraft, ...]:
    wanted = ApprovalText(value) if isinstance(value, str) else value
    question = wanted.question.strip()
    if not question:
        raise ValueError("the question is empty")
    host_names = sorted(n for n in names_in([question]) if n.partition(".")[0] in HOST_ROOTS)
    if host_names:
        raise ValueError(
            f"the question is asked once a batch; {{{{{host_names[0]}}}}} has no value"
        )
    probe = Approval(question, wanted.default)
    return (GateDraft(probe=probe, title=f"a person approves: {question}", timeout_s=PATIENCE_S),)


KIND = GateKind(word="approval", model=str | ApprovalText, compile=_compile)
