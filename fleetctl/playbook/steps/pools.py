"""`pools`: what a host's overseer keeps is held for the run, given back, or restarted.

- pools: hibernate
  restored_by: wake the pools
- deploy: { to: /srv/app }
- pools: wake
  name: wake the pools
"""

from __future__ import annotations

from fleetctl.playbook.kinds import KindContext, StepDraft, StepKind
from fleetctl.playbook.operations import Exec, Retry
from fleetctl.playbook.poolstexts import ASKING_S, NAMES, Do, PoolTexts, Wish


def _compile(value: Do | Wish, context: KindContext) -> tuple[StepDraft, ...]:
    wish = value if isinstance(value, Wish) else Wish(value)
    texts = PoolTexts(wish)
    draft = {
        "hibernate": _holding,
        "drain": _holding,
        "wake": _waking,
        "restart": _restarting,
    }[wish.do](texts)
    return (draft,)


def _holding(texts: PoolTexts) -> StepDraft:
    """Nothing of them runs; owed until they are woken."""
    return StepDraft(
        Exec(texts.hold(), restore=texts.release()),
        f"{texts.wish.do} pools: {texts.words}",
        timeout_s=texts.wish.within + ASKING_S, retry=Retry(attempts=1),
        leaves="its daemon pools may still be held",
    )  # fmt: skip


def _waking(texts: PoolTexts) -> StepDraft:
    """What ran before runs again; what slept sleeps on."""
    return StepDraft(
        Exec(texts.release(), undo=texts.hold()),
        f"wake pools: {texts.words}, what ran before",
        timeout_s=texts.wish.within + ASKING_S, retry=Retry(attempts=1),
    )  # fmt: skip


def _restarting(texts: PoolTexts) -> StepDraft:
    """What runs is replaced; the overseer goes on with it, whatever becomes of the step."""
    return StepDraft(
        Exec(texts.restart(), undo=texts.restart()),
        f"restart pools: {texts.words}, what runs",
        timeout_s=texts.wish.within + ASKING_S, retry=Retry(attempts=1), undo_last=True,
    )  # fmt: skip


KIND = StepKind(word="pools", model=Do | Wish, compile=_compile, names=NAMES)
