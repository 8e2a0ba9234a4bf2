"""Hosts whose release a run may have changed and has not read back: what they run is unknown. Pure.

The journal's last read-back of such a host is from before that, so it tells nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fleetctl.console.atwork import AtWork
from fleetctl.report.facts import accounting_of
from fleetctl.report.story import RunStory

SWITCH = ".switch"
"""In the key of the step of a deploy that changes what a host runs."""


class Left(NamedTuple):
    """What a run left behind."""

    read: frozenset[str]
    """Hosts it read back."""
    doubtful: frozenset[str]
    """Hosts it may have changed, and has not read back."""


NOTHING = Left(frozenset(), frozenset())


def left_by(story: RunStory, at_work: AtWork) -> Left:
    """What the run has left up to now."""
    known = accounting_of(story)
    doubts = frozenset((*known.unread, *_switching(story, at_work)))
    return Left(frozenset(known.read) - doubts, doubts)


def doubtful(runs: Iterable[Left]) -> frozenset[str]:
    """`runs`: of the fleet, oldest first; a later read-back settles an earlier doubt."""
    found: frozenset[str] = frozenset()
    for left in runs:
        found = (found - left.read) | left.doubtful
    return found


def _switching(story: RunStory, at_work: AtWork) -> Iterable[str]:
    """Hosts without an end that may have been switched already."""
    if story.check_only:
        return
    for (phase, host), one in story.hosts.items():
        if one.settled is not None or not story.phases[phase].plan.release:
            continue
        order = at_work.orders.get((phase, host))
        sent = order.keys if order is not None else ()
        if any(SWITCH in key for key in (*one.steps, *sent)):
            yield host
