"""`start`: what a `stop` has stopped, or everything; waits until it is really up.

- start: { systemd: [app, worker], up: { tcp: 8080, within: 60s } }
  name: start the daemons
"""

from __future__ import annotations

from fleetctl.playbook.daemons import Daemons, Texts, names_of, pools_of, starting, with_report
from fleetctl.playbook.kinds import KindContext, StepDraft, StepKind


def _compile(value: Daemons, context: KindContext) -> tuple[StepDraft, ...]:
    pooled = pools_of(value, "wake")
    if pooled is not None:
        return (pooled,)
    texts = Texts(value)
    return with_report(texts, starting(texts), "act")


KIND = StepKind(word="start", model=Daemons, compile=_compile, names=names_of)
