"""Lost hosts folded by how they were lost. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from fleetctl.base.outcome import Outcome

LAST_LINES = 5


class Loss(NamedTuple):
    """One host lost in one phase."""

    phase: str
    host: str
    outcome: Outcome
    key: str
    """Of the step it ended on; empty when it was none."""
    cause: str
    said: tuple[str, ...] = ()
    """Last lines of that step."""
    address: str = ""


def fold_losses(losses: Iterable[Loss]) -> list[list[Loss]]:
    """Groups lost in the same way, the largest first; hosts in a group by name."""
    groups: dict[tuple[str, Outcome, str, str], list[Loss]] = {}
    for loss in losses:
        place = (loss.phase, loss.outcome, loss.key, _fingerprint(loss))
        groups.setdefault(place, []).append(loss)
    folded = [sorted(group, key=lambda one: one.host) for group in groups.values()]
    return sorted(folded, key=lambda group: (-len(group), group[0].phase, group[0].host))


def _fingerprint(loss: Loss) -> str:
    """What hosts lost in the same way have in common: their words without names and numbers."""
    text = "\n".join((loss.cause, *loss.said)).replace(loss.host, "{host}")
    if loss.address:
        text = text.replace(loss.address, "{host}")
    return re.sub(r"\d+", "#", text)
