"""Steps on daemon pools: held for a run, given back, restarted."""

from __future__ import annotations

from fleetctl.playbook.kinds import StepDraft
from fleetctl.playbook.operations import Exec, Retry
from fleetctl.playbook.poolstexts import ASKING_S, PoolTexts, Wish


def pooling(wish: Wish) -> StepDraft:
    """The step that does what is wished; raises ValueError for what cannot be."""
    texts = PoolTexts(wish)
    if wish.do == "wake":
        return _waking(texts)
    return _restarting(texts) if wish.do == "restart" else _holding(texts)


def _holding(texts: PoolTexts) -> StepDraft:
    """Nothing of them runs; owed until they are woken."""
    return StepDraft(
        Exec(texts.hold(), restore=texts.give_back()),
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
