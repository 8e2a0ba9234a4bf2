"""`stop`: the daemons of a host, until a later step starts them; they do not stay stopped.

- stop: { systemd: [app, worker] }
  restored_by: start the daemons
"""

from __future__ import annotations

from fleetctl.playbook.daemons import Daemons, Texts, names_of, pools_of, stopping
from fleetctl.playbook.kinds import KindContext, StepDraft, StepKind


def _compile(value: Daemons, context: KindContext) -> tuple[StepDraft, ...]:
    pooled = pools_of(value, "hibernate")
    if pooled is not None:
        return (pooled,)
    return (stopping(Texts(value)),)


KIND = StepKind(word="stop", model=Daemons, compile=_compile, names=names_of)
