"""`pools`: what a host's overseer keeps is held for the run, given back, or restarted.

- pools: hibernate
  restored_by: wake the pools
- deploy: { to: /srv/app }
- pools: wake
  name: wake the pools
"""

from __future__ import annotations

from fleetctl.playbook.kinds import KindContext, StepDraft, StepKind
from fleetctl.playbook.pooling import pooling
from fleetctl.playbook.poolstexts import NAMES, Do, Wish


def _compile(value: Do | Wish, context: KindContext) -> tuple[StepDraft, ...]:
    return (pooling(value if isinstance(value, Wish) else Wish(value)),)


KIND = StepKind(word="pools", model=Do | Wish, compile=_compile, names=lambda _: NAMES)
