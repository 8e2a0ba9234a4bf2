"""`restart`: the daemons of a host one after another, each really up before the next.

- restart: { systemd: [app, worker], up: { tcp: 8080, stable: 5s }, reports: cat /run/app/release }
"""

from __future__ import annotations

from fleetctl.playbook.daemons import Daemons, Texts, names_of, pools_of, restarting, with_report
from fleetctl.playbook.kinds import KindContext, StepDraft, StepKind


def _compile(value: Daemons, context: KindContext) -> tuple[StepDraft, ...]:
    pooled = pools_of(value, "restart")
    if pooled is not None:
        return (pooled,)
    texts = Texts(value)
    return with_report(texts, restarting(texts), "act")


KIND = StepKind(word="restart", model=Daemons, compile=_compile, names=names_of)
